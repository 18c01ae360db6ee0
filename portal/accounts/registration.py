"""Accounts are made here: by customers, and for the demonstration."""

from __future__ import annotations

import logging
from datetime import datetime

from flask import current_app
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from config import Config
from portal.accounts import letters, passwords, recovery, sign_in
from portal.accounts.addresses import normal
from portal.database import db, transaction
from portal.errors import InvalidRequest, NotAllowed, PortalError
from portal.models import Role, User
from portal.wording import language, marked, say

log = logging.getLogger(__name__)

_DEMO = (("demo@example.com", "demo-password", None), ("admin@example.com", "admin-password", Role.OWNER))


class AddressTaken(PortalError):
    """The address may belong to somebody; whether it does is told to its owner only, by a letter."""

    code = "ADDRESS_TAKEN"
    status = 409
    message = marked("Этот адрес зарегистрировать не получилось: возможно, он уже занят.")


def register(email: str, password: str, address: str, now: datetime) -> User:
    """Make an account, or find the one that this e-mail and password open already.

    A new owner is sent a letter to confirm the address. Raises :class:`AddressTaken` for another password
    than the account's, ``TooOften`` after too many of these, ``WeakPassword`` and ``InvalidRequest`` for what
    no account may have.
    """
    wanted = usable_address(email)
    if not _is_taken(wanted):
        passwords.demand_good(password, wanted)
        with passwords.slot():
            kept = passwords.hashed(password)
        with transaction():
            user = insert_user(wanted, kept, now, privacy_accepted_at=now, language=language())
            if user:
                recovery.send_confirmation(user, now)
        if user:
            log.info("Registered: %s", user)
            return user
    return _enter(wanted, password, address, now)


def ensure_demo(now: datetime) -> None:
    """Make the demonstration's two accounts where they are missing. Raises NotAllowed outside the sandbox:
    their passwords are published.
    """
    config: Config = current_app.extensions["portal_config"]
    if not config.sandbox:
        raise NotAllowed(say("Демонстрационные учётные записи существуют только в песочнице (SANDBOX=1)."))
    for email, password, role in _DEMO:
        if _is_taken(email):
            continue
        with passwords.slot():
            kept = passwords.hashed(password)
        with transaction():
            insert_user(
                email,
                kept,
                now,
                role=role,
                is_demo=True,
                email_confirmed_at=now,
                privacy_accepted_at=now,
            )


def _enter(email: str, password: str, address: str, now: datetime) -> User:
    """Somebody registers a second time: whoever knows the password is the owner, whoever does not is told
    nothing.
    """
    try:
        return sign_in.verify(email, password, address)
    except sign_in.BadCredentials:
        owner = db.session.scalar(select(User).where(User.email == email))
        if owner and owner.is_active:
            letters.already_registered(owner, now)
        raise AddressTaken from None


def insert_user(email: str, kept: str, now: datetime, **facts: object) -> User | None:
    """A new user, or None when there is one already or another request was quicker: the unique address
    decides.
    """
    with transaction() as session:
        row = insert(User).values(email=email, password_hash=kept, created_at=now, **facts)
        return session.scalar(row.on_conflict_do_nothing(index_elements=["email"]).returning(User))


def usable_address(email: str) -> str:
    """The address as it is kept. Raises InvalidRequest."""
    found = normal(email)
    if found is None:
        raise InvalidRequest(say("Проверьте адрес почты: так он написан быть не может."))
    return found


def _is_taken(email: str) -> bool:
    return bool(db.session.scalar(select(exists().where(User.email == email))))

"""Is this the owner of the account? Answered alike and in the same time, whether or not there is one."""

from __future__ import annotations

import logging

from flask import current_app
from sqlalchemy import select

from config import Config
from portal.accounts import passwords, throttle
from portal.accounts.addresses import normal
from portal.database import db, transaction
from portal.errors import PortalError
from portal.models import User
from portal.wording import marked

log = logging.getLogger(__name__)


class BadCredentials(PortalError):
    """No such account, another password, or an account that is closed: the three are told alike."""

    code = "BAD_CREDENTIALS"
    status = 401
    message = marked("Неверная почта или пароль.")


def verify(email: str, password: str, address: str) -> User:
    """The user whose e-mail and password these are. Raises :class:`BadCredentials`, or ``TooOften`` after too
    many failures.

    *address* is where the attempt comes from. Only failures count, and they count for addresses without an
    account too.
    """
    wanted = normal(email) or ""
    limits = throttle.failed_sign_ins(wanted or email, address)
    throttle.check(limits)
    user = db.session.scalar(select(User).where(User.email == wanted))
    with passwords.slot():
        # Once more at the door of the hash: of a burst of guesses only as many as are left may be compared.
        throttle.check(limits)
        if not passwords.matches(user.password_hash if user else None, password) or not _may_enter(user):
            throttle.count(limits)
            log.info("Sign-in refused for %s", user or "an unknown address")
            raise BadCredentials
        assert user is not None
        fresh = passwords.hashed(password) if passwords.is_outdated(user.password_hash) else None
    if fresh:
        with transaction():
            user.password_hash = fresh
    log.info("Signed in: %s", user)
    return user


def _may_enter(user: User | None) -> bool:
    """A disabled account is closed; a demo account, whose password everybody knows, exists for the sandbox
    only.
    """
    config: Config = current_app.extensions["portal_config"]
    return user is not None and user.is_active and (config.sandbox or not user.is_demo)

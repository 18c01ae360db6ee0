"""Confirming an address and setting a forgotten password: both by a link in a letter."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from portal.accounts import letters, links, passwords, throttle
from portal.accounts.addresses import normal
from portal.database import db, transaction
from portal.models import LinkPurpose, User


def send_confirmation(user: User, now: datetime) -> None:
    """Write to *user* with a link that confirms the address; nothing when it is confirmed."""
    if user.email_confirmed_at is None:
        _send(user, LinkPurpose.CONFIRM_EMAIL, now)


def confirm(token: str, now: datetime) -> User:
    """Use a link from the letter. Raises ``LinkDead``."""
    with transaction():
        user = links.use(token, LinkPurpose.CONFIRM_EMAIL, now)
        user.email_confirmed_at = user.email_confirmed_at or now
    return user


def send_reset(email: str, now: datetime) -> None:
    """Write to the owner of this address with a link to set a new password; nobody is told whether there is
    one.
    """
    user = db.session.scalar(select(User).where(User.email == (normal(email) or "")))
    if user and user.is_active:
        _send(user, LinkPurpose.RESET_PASSWORD, now)


def reset(token: str, password: str, now: datetime) -> User:
    """Set a new password by a link from the letter: every session of the user ends.

    Who can read the letter owns the address, so it counts as confirmed. Raises ``LinkDead`` and
    ``WeakPassword``.
    """
    passwords.demand_good(password, links.holder(token, LinkPurpose.RESET_PASSWORD, now).email)
    with passwords.slot():
        kept = passwords.hashed(password)
    with transaction():
        user = links.use(token, LinkPurpose.RESET_PASSWORD, now)
        user.email_confirmed_at = user.email_confirmed_at or now
        passwords.put(user, kept, now)
    throttle.forgive(user.email)
    return user


def _send(user: User, purpose: LinkPurpose, now: datetime) -> None:
    with transaction():
        letters.with_link(links.issue(user, purpose, now), now)

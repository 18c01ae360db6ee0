"""Another address for an account: asked for with the password, taken by a link sent to it."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.accounts import letters, links, sessions
from portal.accounts.registration import usable_address
from portal.billing import audit
from portal.billing.audit import Actor, Subject
from portal.database import db, transaction
from portal.errors import InvalidRequest
from portal.models import LinkPurpose, User
from portal.wording import say

log = logging.getLogger(__name__)

_ONE_ACCOUNT = "uq_users_email"


def ask(user: User, email: str, now: datetime) -> None:
    """Write to the new address with a link that gives it to this account, and to the present one that it was
    asked for. Nothing changes until the link is used; one that was asked for before dies.

    Whoever asks is not told whether the address is another account's: its owner is written to instead.
    Raises InvalidRequest.
    """
    wanted = usable_address(email)
    if wanted == user.email:
        raise InvalidRequest(say("Это и есть нынешний адрес аккаунта."))
    with transaction() as session:
        # A mistyped address must not keep a way into the account.
        links.void(user.id, LinkPurpose.CHANGE_EMAIL, now)
        link = links.issue(user, LinkPurpose.CHANGE_EMAIL, now, wanted)
        owner = session.scalar(select(User).where(User.email == wanted))
        if owner is None:
            letters.change_link(user, link, now)
        elif owner.is_active:
            letters.email_wanted(owner, now)
        letters.change_asked(user, link, now)


def wanted_by(user_id: int, token: str, now: datetime) -> str:
    """The address that this link gives to this user's account, without using it. Raises ``LinkDead``, for
    another's link too: a letter that went to a stranger by mistake opens nothing.
    """
    if links.holder(token, LinkPurpose.CHANGE_EMAIL, now).id != user_id:
        raise links.LinkDead
    return links.address_of(token, LinkPurpose.CHANGE_EMAIL)


def take(user_id: int, token: str, now: datetime, *, place: str, but_session: int | None) -> User:
    """Give the account its new address by a link from the letter.

    The address counts as confirmed, the other sessions end, all links sent before die, and the old address is
    written to. Raises ``LinkDead``, also where another account took the address first.
    """
    wanted = wanted_by(user_id, token, now)
    try:
        with transaction() as session:
            user = links.use(token, LinkPurpose.CHANGE_EMAIL, now)
            before, user.email, user.email_confirmed_at = user.email, wanted, now
            session.flush()
            links.void_all(user.id, now)
            sessions.end_all(user.id, now, but=but_session)
            letters.email_changed(user, before, now)
            _note(user, before, place, now)
    except IntegrityError as error:
        if _ONE_ACCOUNT not in str(error.orig):
            raise
        raise links.LinkDead from error
    log.info("Address changed: %s", user)
    return db.session.get_one(User, user_id)


def _note(user: User, before: str, place: str, now: datetime) -> None:
    """Let the desk know under which address a customer was known before."""
    actor = Actor(user.id, before, place)
    subject = Subject("user", user.id)
    audit.note(actor, "change-email", subject, now, before={"email": before}, after={"email": user.email})

"""What the operator's desk still wants to see before it opens: asked at every page, proven at the door.

A customer's session lasts weeks; the desk's is a working day, ends when it is left alone, and asks once more
before money leaves (ASVS 5.0.0, V7.3.1, V7.3.2, V7.5.1, V8.2.1).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import update

from portal import running
from portal.accounts import two_factor
from portal.database import db, transaction
from portal.models import Role, User, UserSession

#: However busy, the desk closes so long after the password.
SHIFT = timedelta(hours=12)
#: Left alone, it closes sooner.
IDLE = timedelta(minutes=30)
#: Money leaves so long after the person last proved to be there.
FRESH = timedelta(minutes=10)
SEEN_EVERY = timedelta(minutes=1)


class Missing(StrEnum):
    """What is wanted next."""

    PASSWORD = "password"  # noqa: S105 - the name of a form field, not a password
    CODE = "code"
    #: A second factor must be set up first.
    ENROLMENT = "enrolment"


def missing(user: User, session: UserSession, now: datetime) -> Missing | None:
    """What this operator's browser has still to prove before the desk opens; None when it is open."""
    if not _within(SHIFT, session.password_at, now) or _was_left(session, now):
        return Missing.PASSWORD
    if two_factor.is_on(user):
        return None if _within(SHIFT, session.code_at, now) else Missing.CODE
    return Missing.ENROLMENT if must_enrol(user) else None


def must_enrol(user: User) -> bool:
    """Owners may do everything, so in production a password alone is not enough for them."""
    return user.may(Role.OWNER) and not two_factor.is_on(user) and not running.config().sandbox


def missing_for_money(user: User, session: UserSession, now: datetime) -> Missing | None:
    """What is asked once more before money leaves: the phone's code where there is one, else the password."""
    if two_factor.is_on(user):
        return None if _within(FRESH, session.code_at, now) else Missing.CODE
    return None if _within(FRESH, session.password_at, now) else Missing.PASSWORD


def proved(session_id: int, what: Missing, now: datetime) -> None:
    """Write down that this browser's person proved to be there."""
    column = "password_at" if what is Missing.PASSWORD else "code_at"
    with transaction() as session:
        session.execute(
            update(UserSession)
            .where(UserSession.id == session_id)
            .values({column: now, "desk_seen_at": now})
            .execution_options(synchronize_session="fetch")
        )


def note_seen(session: UserSession, now: datetime) -> None:
    """The desk is being used."""
    if session.desk_seen_at is not None and now - session.desk_seen_at < SEEN_EVERY:
        return
    with transaction() as opened:
        opened.execute(update(UserSession).where(UserSession.id == session.id).values(desk_seen_at=now))


def session_of(session_id: int) -> UserSession:
    """The present browser's session, as the guard found it."""
    return db.session.get_one(UserSession, session_id)


def _was_left(session: UserSession, now: datetime) -> bool:
    """A desk that was never opened in this session is as old as the password."""
    return not _within(IDLE, session.desk_seen_at or session.password_at, now)


def _within(length: timedelta, moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now - moment < length

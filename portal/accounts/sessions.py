"""Sign-ins that the portal can end: the cookie carries a random key, the database its SHA-256 and when it was
last seen.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update

from portal.database import db, transaction
from portal.models import User, UserSession

#: However busy, a session ends so long after the sign-in (ASVS 5.0.0, V7.3.2).
LONGEST = timedelta(days=30)
#: An unused one ends so long after it was last seen (V7.3.1).
IDLE = timedelta(days=14)
#: Being seen is written down this often, so that a busy page does not write at every click.
SEEN_EVERY = timedelta(minutes=1)


def begin(user: User, *, address: str, user_agent: str, now: datetime, instead_of: str | None = None) -> str:
    """Open a session for *user*, who has just proved to know the password, and return its key, which is kept
    nowhere else. *instead_of* is a key that ends thereby.
    """
    key = secrets.token_urlsafe(32)
    with transaction() as session:
        if instead_of:
            end(instead_of, now)
        session.add(
            UserSession(
                user_id=user.id,
                key_hash=_hash(key),
                created_at=now,
                seen_at=now,
                password_at=now,
                address=address[:45],
                user_agent="".join(sign for sign in user_agent[:255] if sign.isprintable()),
            )
        )
    return key


def find(key: str, now: datetime) -> UserSession | None:
    """The session of this key with its user, or None when it has ended, ran out, or its user is disabled."""
    found = db.session.scalar(select(UserSession).where(UserSession.key_hash == _hash(key), *_alive(now)))
    if found is None or not found.user.is_active:
        return None
    if now - found.seen_at >= SEEN_EVERY:
        _note_seen(found, now)
    return found


def of(user_id: int, now: datetime) -> list[UserSession]:
    """The open sessions of one user, the one last seen first."""
    rows = select(UserSession).where(UserSession.user_id == user_id, *_alive(now))
    return list(db.session.scalars(rows.order_by(UserSession.seen_at.desc(), UserSession.id.desc())))


def end(key: str, now: datetime) -> None:
    """End the session of this key; ending it twice is ending it once."""
    _end(now, UserSession.key_hash == _hash(key))


def end_one(user_id: int, session_id: int, now: datetime) -> bool:
    """End one session of this user. Tells whether there was one to end; another user's is not there."""
    return _end(now, UserSession.user_id == user_id, UserSession.id == session_id) > 0


def end_all(user_id: int, now: datetime, *, but: int | None = None) -> int:
    """End every session of this user, *but* one if its id is given. Returns how many ended."""
    spare = () if but is None else (UserSession.id != but,)
    return _end(now, UserSession.user_id == user_id, *spare)


def _end(now: datetime, *which: ColumnElement[bool]) -> int:
    with transaction() as session:
        ended = session.scalars(
            update(UserSession)
            .where(*which, UserSession.ended_at.is_(None))
            .values(ended_at=now)
            .returning(UserSession.id)
        )
        return len(ended.all())


def _note_seen(found: UserSession, now: datetime) -> None:
    with transaction() as session:
        session.execute(
            update(UserSession)
            # Two tabs at once: the second finds nothing to do.
            .where(UserSession.id == found.id, UserSession.seen_at <= now - SEEN_EVERY)
            .values(seen_at=now)
        )


def _alive(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        UserSession.ended_at.is_(None),
        UserSession.created_at > now - LONGEST,
        UserSession.seen_at > now - IDLE,
    )


def _hash(key: str) -> str:
    """Plain SHA-256 is enough: the key has 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()

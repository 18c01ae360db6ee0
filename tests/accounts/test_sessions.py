"""Sign-ins that can be ended from our side."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from portal.accounts import sessions
from portal.database import db, transaction
from portal.models import User, UserSession

SECOND = timedelta(seconds=1)


def begin(user: User, now: datetime, **facts: str) -> str:
    return sessions.begin(
        user, **({"address": "198.51.100.7", "user_agent": "Firefox/140.0"} | facts), now=now
    )


def test_the_database_does_not_know_the_key(ira: User, now: datetime) -> None:
    """Whoever reads the table of sessions can enter none: only the key's hash is there."""
    key = begin(ira, now)

    row = db.session.scalars(select(UserSession)).one()

    assert key not in {str(value) for value in vars(row).values()}
    assert sessions.find(key, now) is row
    assert sessions.find(row.key_hash, now) is None


def test_two_sign_ins_have_two_keys(ira: User, now: datetime) -> None:
    """Every sign-in has a key of its own with at least 256 bits."""
    first, second = begin(ira, now), begin(ira, now)

    assert first != second
    assert min(len(first), len(second)) >= 43


def test_a_session_ends_30_days_after_the_sign_in(ira: User, now: datetime) -> None:
    """However busy it is, a session lasts 30 days and not a second more."""
    key = begin(ira, now)
    for day in range(1, 30):
        assert sessions.find(key, now + timedelta(days=day))

    assert sessions.find(key, now + sessions.LONGEST - SECOND)
    assert sessions.find(key, now + sessions.LONGEST) is None


def test_an_idle_session_ends_after_14_days(ira: User, now: datetime) -> None:
    """A session that nobody used for 14 days is over."""
    kept, lost = begin(ira, now), begin(ira, now)

    assert sessions.find(kept, now + sessions.IDLE - SECOND)
    assert sessions.find(lost, now + sessions.IDLE) is None


def test_being_seen_is_written_once_a_minute(ira: User, now: datetime) -> None:
    """A busy page writes the time of the last visit at most once a minute."""
    key = begin(ira, now)

    sessions.find(key, now + timedelta(seconds=59))
    assert _seen() == now
    sessions.find(key, now + timedelta(seconds=60))
    assert _seen() == now + timedelta(seconds=60)
    sessions.find(key, now + timedelta(seconds=61))
    assert _seen() == now + timedelta(seconds=60)


def test_an_ended_session_stays_ended(ira: User, now: datetime) -> None:
    """Signing out ends this session and no other; doing it twice changes nothing."""
    gone, kept = begin(ira, now), begin(ira, now)

    sessions.end(gone, now)
    sessions.end(gone, now + SECOND)

    assert sessions.find(gone, now) is None
    assert sessions.find(kept, now)
    assert db.session.scalars(
        select(UserSession.ended_at).where(UserSession.ended_at.is_not(None))
    ).all() == [now]


def test_a_disabled_user_is_out_at_once(ira: User, now: datetime) -> None:
    """Disabling an account ends what its sessions can do with the next request."""
    key = begin(ira, now)

    with transaction():
        ira.disabled_at = now

    assert sessions.find(key, now) is None


def test_a_session_of_somebody_else_cannot_be_ended(ira: User, now: datetime) -> None:
    """Only the owner ends a session; for others it is not there."""
    key = begin(ira, now)
    row = sessions.find(key, now)
    assert row

    assert not sessions.end_one(ira.id + 1, row.id, now)
    assert sessions.find(key, now)
    assert sessions.end_one(ira.id, row.id, now)
    assert not sessions.end_one(ira.id, row.id, now)
    assert sessions.find(key, now) is None


def test_all_sessions_but_one_end_together(ira: User, now: datetime) -> None:
    """The browser at hand is spared, the others are signed out."""
    here, *others = (begin(ira, now) for _ in range(3))
    mine = sessions.find(here, now)
    assert mine

    assert sessions.end_all(ira.id, now, but=mine.id) == 2

    assert sessions.of(ira.id, now) == [mine]
    assert [sessions.find(key, now) for key in others] == [None, None]


def test_a_new_sign_in_replaces_the_browsers_old_one(ira: User, now: datetime) -> None:
    """Signing in over a session ends it, so that no forgotten key stays alive."""
    old = begin(ira, now)

    new = sessions.begin(ira, address="", user_agent="", now=now, instead_of=old)

    assert sessions.find(old, now) is None
    assert sessions.find(new, now)


@pytest.mark.parametrize("agent", ("x" * 4000, "Firefox\x00\r\nInjected: yes"))
def test_a_strange_browser_name_is_cut_to_fit(ira: User, now: datetime, agent: str) -> None:
    """What a browser calls itself can neither overflow the column nor carry control signs."""
    begin(ira, now, user_agent=agent)

    kept = db.session.scalars(select(UserSession.user_agent)).one()

    assert len(kept) <= 255
    assert kept.isprintable()


def _seen() -> datetime:
    return db.session.scalars(select(UserSession.seen_at)).one()

"""Numbers for the machine room: counted once in a while, and only what still matters."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import clock
from portal.billing import notices
from portal.database import transaction
from portal.models import Channel, Notification, User
from portal.web import health
from tests.desk import Desk


@pytest.fixture(autouse=True)
def nothing_kept(desk: Desk) -> None:
    """Numbers of an earlier test are forgotten."""
    desk.app.extensions.pop("portal_metrics", None)


def _write_letter(desk: Desk, name: str, age: timedelta) -> None:
    with desk.app.app_context(), transaction() as session:
        user = session.query(User).first()
        assert user
        then = clock.now() - age
        session.add(
            Notification(
                user_id=user.id,
                kind="payment_failed",
                channel=Channel.EMAIL,
                dedupe_key=name,
                facts={},
                created_at=then,
                next_attempt_at=then,
                attempts=1,
            )
        )


def _letters(desk: Desk) -> float:
    lines = desk.browser().get("/metrics").text.splitlines()
    (line,) = [line for line in lines if line.startswith("portal_letters_waiting ")]
    return float(line.split()[1])


def test_letters_that_were_given_up_do_not_wait(desk: Desk) -> None:
    """An alarm on waiting letters ends when nobody tries to send them any more."""
    desk.customer()
    before = _letters(desk)
    desk.app.extensions.pop("portal_metrics")
    _write_letter(desk, "old", notices.GIVE_UP_AFTER + timedelta(minutes=1))
    _write_letter(desk, "young", timedelta(minutes=1))

    assert _letters(desk) == before + 1


def test_a_crowd_is_answered_from_one_count(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within some seconds nothing is counted again; after them it is."""
    desk.customer()
    before = _letters(desk)
    _write_letter(desk, "young", timedelta(minutes=1))
    assert _letters(desk) == before

    monkeypatch.setattr(health, "KEEP_SECONDS", 0.0)
    assert _letters(desk) == before + 1

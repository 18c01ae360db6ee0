"""The record of acts: kept with the act, changed by nobody; a change past the portal is told."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from portal.billing import audit
from portal.billing.audit import BEGINNING, COMMAND_LINE, Subject
from portal.database import db, transaction
from portal.models import RefundStatus

NOW = datetime(2026, 11, 20, 9, 30, 15, 123456, tzinfo=UTC)


def act(number: int, **more: object) -> None:
    with transaction():
        audit.note(COMMAND_LINE, "try", Subject("thing", number), NOW, after={"number": number, **more})


def past_the_portal(statement: str) -> None:
    """What somebody with the database's own password does."""
    with db.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))


def command(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["audit", "verify", *words])


def test_what_is_kept_fits(context: Flask) -> None:
    """Sums, moments and states are read back as they were sealed; each entry hangs on the one before."""
    act(1, amount=Decimal("990.00"), at=NOW, status=RefundStatus.FAILED, name="Ёлка «…»", parts=["a", None])
    act(2)

    (entry,) = audit.of(Subject("thing", 1))
    assert entry.after["amount"] == "990.00"
    assert entry.previous_hash == BEGINNING
    (second,) = audit.of(Subject("thing", 2))
    assert second.previous_hash == entry.hash
    assert audit.verify() == audit.Verdict(2, second.hash, None, has_head=True)


def test_an_act_that_is_undone_is_not_told(context: Flask) -> None:
    """The record and the act are one transaction."""

    def fails() -> None:
        with transaction():
            audit.note(COMMAND_LINE, "try", Subject("thing", 1), NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert audit.verify().entries == 0


@pytest.mark.parametrize(
    "statement",
    ("UPDATE audit_entries SET reason = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"),
)
def test_the_database_itself_refuses_a_change(context: Flask, statement: str) -> None:
    """A fault in the portal, or its own database user, changes no entry."""
    act(1)
    with pytest.raises(DBAPIError, match="only grows"), db.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    (
        "UPDATE audit_entries SET reason = 'честно' WHERE subject_id = '2'",
        "UPDATE audit_entries SET actor = 'somebody' WHERE subject_id = '2'",
        "UPDATE audit_entries SET at = at + interval '1 second' WHERE subject_id = '2'",
        """UPDATE audit_entries SET after = '{"number": 3}' WHERE subject_id = '2'""",
        "DELETE FROM audit_entries WHERE subject_id = '2'",
    ),
)
def test_a_planted_change_is_told(context: Flask, app: Flask, statement: str) -> None:
    """Whatever was changed or taken out past the portal, the command says where and ends with 1."""
    for number in (1, 2, 3):
        act(number)
    assert command(app).exit_code == 0
    past_the_portal(statement)
    told = command(app)
    assert told.exit_code == 1
    assert "was changed, or one before it was taken out" in told.output


def test_a_cut_at_the_end_is_told_to_whoever_noted_the_seal(context: Flask, app: Flask) -> None:
    """The chain alone cannot know what followed; a seal noted elsewhere does."""
    act(1)
    act(2)
    head = audit.verify().head
    past_the_portal("DELETE FROM audit_entries WHERE subject_id = '2'")
    assert command(app).exit_code == 0
    told = command(app, "--head", head)
    assert told.exit_code == 1
    assert "cut off" in told.output


def test_many_acts_at_once_make_one_chain(context: Flask, app: Flask) -> None:
    """Eight people act at the same moment; every entry hangs on another one."""
    start = threading.Barrier(8)

    def one(number: int) -> None:
        with app.app_context():
            start.wait(10)
            act(number)
            db.session.remove()

    people = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join(20)
    found = audit.verify()
    assert (found.entries, found.broken_at) == (8, None)

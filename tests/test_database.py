from __future__ import annotations

import logging
from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, delete, select, text, update
from sqlalchemy.exc import DataError, IntegrityError, NotSupportedError

from portal import clock, database
from portal.billing import doors
from portal.database import (
    CallInsideTransaction,
    after_commit,
    changed,
    db,
    exclusive,
    glance,
    planned_anew,
    release,
    transaction,
)
from portal.models import Plan, User


def people() -> list[str]:
    """Who is committed, by a connection of its own."""
    with db.engine.connect() as connection:
        return list(connection.execute(select(User.email).order_by(User.id)).scalars())


def add(email: str) -> None:
    """Somebody, not yet committed."""
    db.session().add(User(email=email, password_hash="x", created_at=clock.now()))
    db.session().flush()


def asked_often(connection: Connection, name: str) -> int:
    """How many statements of this name are prepared after it was asked by requests that only read."""
    for number in range(8):
        asked = text(f"SELECT CAST(:number AS integer) AS {name}")
        assert connection.execute(asked, {"number": number}).scalar_one() == number
        connection.rollback()
    kept = text("SELECT count(*) FROM pg_prepared_statements WHERE strpos(statement, :name) > 0")
    return int(connection.execute(kept, {"name": name}).scalar_one())


class TroubleError(Exception):
    """Anything that goes wrong inside a block."""


def _add_and_fail(email: str, follow_up: Callable[[], None] = lambda: None) -> None:
    with transaction():
        add(email)
        after_commit(follow_up)
        raise TroubleError


def test_a_transaction_keeps_all_or_nothing(context: Flask) -> None:
    """What a block wrote is there after it, and not before; when it raises, none of it is."""
    with transaction():
        add("ira@example.com")
        assert people() == []
    assert people() == ["ira@example.com"]

    with pytest.raises(TroubleError):
        _add_and_fail("oleg@example.com")
    assert people() == ["ira@example.com"]


def test_what_was_prepared_stays_prepared_after_a_rollback(context: Flask) -> None:
    """A request that only reads ends by a rollback; the next one's statements need not be read anew."""
    with db.engine.connect() as connection:
        assert asked_often(connection, "asked_by_a_page") == 1


@pytest.mark.parametrize("reading", ("a read", "a glance"))
def test_a_migration_beside_a_running_portal_costs_one_answer(context: Flask, reading: str) -> None:
    """What was prepared for a column's old type is refused once, not for as long as the portal runs."""

    def number() -> object:
        with glance() if reading == "a glance" else db.engine.connect() as connection:
            return connection.scalar(text("SELECT number FROM scratch"))

    with db.engine.connect() as operator:
        operator.execute(text("DROP TABLE IF EXISTS scratch"))
        operator.execute(text("CREATE TABLE scratch AS SELECT 1 AS number"))
        operator.commit()
        assert [number() for _ in range(8)] == [1] * 8
        operator.execute(text("ALTER TABLE scratch ALTER number TYPE text"))
        operator.commit()
        with pytest.raises(NotSupportedError, match="cached plan"):
            number()
        assert number() == "1"
        operator.execute(text("DROP TABLE scratch"))
        operator.commit()


def test_what_is_to_be_planned_anew_is_not_prepared(context: Flask) -> None:
    """Numbers of a day and of all the past have no plan in common; then all is as it was."""
    with db.engine.connect() as connection:
        with planned_anew(connection):
            assert asked_often(connection, "asked_for_numbers") == 0
        assert asked_often(connection, "asked_after_that") == 1


def test_a_rollback_takes_back_what_a_refused_statement_left(context: Flask) -> None:
    """A transaction that the server gave up is ended like any other."""
    with db.engine.connect() as connection:
        connection.execute(text("UPDATE plans SET title = 'lost'"))
        with pytest.raises(DataError):
            connection.execute(text("SELECT 1 / 0"))
        connection.rollback()
        assert connection.scalar(text("SELECT count(*) FROM plans WHERE title = 'lost'")) == 0


def test_a_block_inside_another_joins_it(context: Flask) -> None:
    """Only the outermost block commits; what fails after the inner one takes that back, too."""

    def fails_after_an_inner_block() -> None:
        with transaction():
            with transaction():
                add("ira@example.com")
            assert people() == []
            raise TroubleError

    with pytest.raises(TroubleError):
        fails_after_an_inner_block()
    assert people() == []

    with transaction():
        with transaction(), transaction():
            add("ira@example.com")
        add("oleg@example.com")
    assert people() == ["ira@example.com", "oleg@example.com"]


def test_after_a_failure_the_next_transaction_works(context: Flask) -> None:
    """A refused row leaves no broken session behind."""
    with transaction():
        add("ira@example.com")
    with pytest.raises(IntegrityError), transaction():
        add("ira@example.com")
    with transaction():
        add("oleg@example.com")
    assert people() == ["ira@example.com", "oleg@example.com"]


def test_what_follows_a_commit_comes_after_it(context: Flask) -> None:
    """Follow-ups run in their order once all is committed, also those asked for in an inner block."""
    seen: list[tuple[str, list[str]]] = []
    with transaction():
        after_commit(lambda: seen.append(("first", people())))
        with transaction():
            add("ira@example.com")
            after_commit(lambda: seen.append(("second", people())))
        assert seen == []
    assert seen == [("first", ["ira@example.com"]), ("second", ["ira@example.com"])]


def test_a_rollback_drops_what_would_have_followed(context: Flask) -> None:
    """A job or letter of a transaction that failed never leaves, nor does it follow the next one."""
    seen: list[str] = []
    with pytest.raises(TroubleError):
        _add_and_fail("oleg@example.com", lambda: seen.append("never"))
    with transaction():
        add("ira@example.com")
    assert seen == []


def test_a_commit_that_fails_drops_it_as_well(context: Flask) -> None:
    """A row that is refused at the commit itself lets nothing follow."""
    seen: list[str] = []

    def commit_what_is_refused() -> None:
        with transaction() as session:
            after_commit(lambda: seen.append("never"))
            session.add(User(email="NOT LOWER", password_hash="x", created_at=clock.now()))

    with pytest.raises(IntegrityError):
        commit_what_is_refused()
    assert seen == []


def test_outside_a_transaction_it_follows_at_once(context: Flask) -> None:
    """With nothing to wait for nothing is waited for; also inside another follow-up."""
    seen: list[str] = []
    after_commit(lambda: seen.append("now"))
    with transaction():
        after_commit(lambda: after_commit(lambda: seen.append("nested")))
    assert seen == ["now", "nested"]


def test_a_follow_up_that_fails_undoes_nothing(context: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """The money is committed: the failure is logged and the next follow-up still runs."""
    seen: list[str] = []

    def fails() -> None:
        raise ConnectionError("no Redis")

    with caplog.at_level(logging.ERROR), transaction():
        add("ira@example.com")
        after_commit(fails)
        after_commit(lambda: seen.append("still"))
    assert (people(), seen) == (["ira@example.com"], ["still"])
    assert "follow-up" in caplog.text


@pytest.mark.parametrize("call", (release, doors.cloudpayments, doors.yookassa))
def test_no_gateway_inside_a_transaction(context: Flask, call: Callable[[], object]) -> None:
    """A gateway is not even handed out while a block is open, in the outer nor in the inner one (law 1)."""
    with transaction():
        with pytest.raises(CallInsideTransaction):
            call()
        with transaction(), pytest.raises(CallInsideTransaction):
            call()
    call()


def test_no_gateway_over_unwritten_changes(context: Flask) -> None:
    """What is added, changed or deleted and not committed would be in doubt during the call."""
    db.session().add(User(email="ira@example.com", password_hash="x", created_at=clock.now()))
    with pytest.raises(CallInsideTransaction):
        release()
    db.session().rollback()
    plan = db.session().scalars(select(Plan)).first()
    assert plan is not None
    plan.title = "another"
    with pytest.raises(CallInsideTransaction):
        release()
    db.session().rollback()
    db.session().delete(plan)
    with pytest.raises(CallInsideTransaction):
        release()
    db.session().rollback()
    release()


def test_release_ends_a_read(context: Flask) -> None:
    """A read that is still open holds a transaction open; release ends it and keeps what was read."""
    plan = db.session().scalars(select(Plan)).first()
    assert db.session().in_transaction()
    release()
    assert not db.session().in_transaction()
    assert plan is not None
    assert plan.title
    assert not db.session().in_transaction()


def test_an_update_tells_whether_it_found_its_row(context: Flask) -> None:
    """The guarded update says who was first; a question never does."""
    with transaction() as session:
        assert changed(session.execute(update(Plan).where(Plan.code == "PRO_MONTHLY").values(position=7)))
        assert not changed(session.execute(update(Plan).where(Plan.code == "NONE").values(position=7)))
        assert not changed(session.execute(delete(Plan).where(Plan.code == "NONE")))


def test_one_holder_of_a_name_at_a_time(context: Flask) -> None:
    """While one transaction holds a name another cannot have it, but may have any other name."""
    with transaction() as session, db.engine.connect() as other:
        exclusive(session, "plans")
        tried = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
        assert other.execute(tried, {"name": "plans"}).scalar() is False
        assert other.execute(tried, {"name": "else"}).scalar() is True
    with db.engine.connect() as other:
        assert other.execute(tried, {"name": "plans"}).scalar() is True


def test_an_error_shows_no_parameters(context: Flask) -> None:
    """A database error's text goes into the log, so it holds the statement and not what was written."""

    def write_twice() -> None:
        with transaction() as session:
            for _ in range(2):
                session.add(User(email="a@b.example", password_hash="canary-hash", created_at=clock.now()))
                session.flush()

    with pytest.raises(IntegrityError) as error:
        write_twice()
    assert "canary-hash" not in str(error.value)
    assert "INSERT INTO users" in str(error.value)


def test_sessions_speak_utc_and_do_not_wait_for_ever(context: Flask) -> None:
    """Each connection reads times in UTC and has bounds for locks, statements and idle transactions."""
    names = ("timezone", "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    with db.engine.connect() as connection:
        said = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names}
    assert said == {
        "timezone": "UTC",
        "lock_timeout": "8s",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
    }


def _server_side() -> int:
    """The server's number of the connection that a session is given now."""
    with db.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def _hang_up(app: Flask) -> None:
    """The server ends every connection of this application, as one that is started anew."""
    url = str(app.config["SQLALCHEMY_DATABASE_URI"]).replace("+psycopg", "")
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
    with psycopg.connect(url, autocommit=True) as boss:
        boss.execute(f"{ended} AND pid <> pg_backend_pid()")


def test_a_connection_whose_server_has_gone_is_not_handed_out(context: Flask) -> None:
    """Also when it was used a moment ago, and though several lie in the pool."""
    with db.engine.connect(), db.engine.connect():
        before = _server_side()
    _hang_up(context)
    assert [_server_side() != before for _ in range(3)] == [True] * 3


def test_a_connection_that_rested_is_asked(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line may be dead and silent: after a while the server has to answer, before that nobody asks it."""
    asked: list[int] = []
    ask = database._ask
    monkeypatch.setattr(database, "_ask", lambda connection: asked.append(1) or ask(connection))
    before = _server_side()
    assert (_server_side(), asked) == (before, [])

    monkeypatch.setattr(database, "ASKED_AFTER", 0)
    assert (_server_side(), asked) == (before, [1])

    def unanswered(_connection: object) -> None:
        raise psycopg.OperationalError("the line is dead")

    monkeypatch.setattr(database, "_ask", unanswered)
    assert _server_side() != before


def test_a_glance_opens_no_transaction(context: Flask) -> None:
    """Each of its statements stands alone, and the connection serves a transaction again afterwards."""
    with glance() as connection:
        assert connection.execute(select(Plan.code)).first()
        assert connection.connection.driver_connection.info.transaction_status is TransactionStatus.IDLE
    with pytest.raises(TroubleError):
        _add_and_fail("oleg@example.com")
    assert people() == []

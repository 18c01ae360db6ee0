"""Redis away, the database away, a fault of ours: what is acknowledged is not lost, whatever is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from portal import clock
from portal.billing import settlement
from portal.database import db
from tests.desk import Desk
from tests.stories.test_notifications_yookassa import bell, ring
from tests.stories.till import State, Till

Tills = Callable[..., Till]
Away = Callable[[], AbstractContextManager[None]]


@contextmanager
def no_redis(app: Flask) -> Iterator[None]:
    """Redis's address answers nobody."""
    kept = app.extensions["portal_queue"]
    dead = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=1)
    app.extensions["portal_queue"] = Queue("portal", connection=dead, serializer=JSONSerializer)
    try:
        yield
    finally:
        app.extensions["portal_queue"] = kept


def test_cloudpayments_without_redis(till: Tills) -> None:
    """A Pay needs no Redis: the plan is there when it is answered."""
    order = till()
    with no_redis(order.app):
        assert order.tell("pay").code == 0
        assert order.state() == State("succeeded", 1, inbox=("pay handled",))


def test_yookassa_without_redis(desk: Desk, till: Tills) -> None:
    """A bell is kept and answered without Redis; the sweep does the worker's work."""
    desk.sandbox.control("settings", webhooks="drop")
    order = till(gateway="yookassa")
    theirs = desk.sandbox.pay("yookassa", order.transaction_id)["id"]
    with no_redis(desk.app):
        answer = ring(order, bell("payment.succeeded", theirs))
        assert (answer.status, answer.body) == (200, b"")
        order.sweep()
        assert order.state() == State("succeeded", 1, inbox=("payment.succeeded handled",))


def test_cloudpayments_without_a_database(till: Tills, no_database: Away) -> None:
    """While the database is away a Pay is answered 500 and never 0; repeated afterwards it gives the plan."""
    order = till()
    with no_database():
        away = [order.tell(kind) for kind in ("pay", "check", "fail", "refund")]
    assert [(answer.status, answer.code) for answer in away] == [(500, None)] * 4
    assert order.state() == State("pending")

    assert order.tell("pay").code == 0

    assert order.state().moved == ("succeeded", 1, "0.00")


def test_yookassa_without_a_database(desk: Desk, till: Tills, no_database: Away) -> None:
    """A bell that cannot be kept is answered 500, so that YooKassa rings again."""
    order = till(gateway="yookassa")
    theirs = desk.sandbox.ledger()["payments"][-1]["id"]
    with no_database():
        assert ring(order, bell("payment.succeeded", theirs)).status == 500
    assert order.state() == State("pending")
    assert ring(order, bell("payment.succeeded", theirs)).status == 200


def test_a_commit_that_fails_is_not_acknowledged(till: Tills) -> None:
    """When the commit itself fails, the answer is 500 and nothing is there; the repeat does it all."""
    order = till()
    with order.app.app_context():
        engine = db.engine

    def fail(_connection: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("the disk is full"))

    event.listen(engine, "commit", fail)
    try:
        assert order.tell("pay").status == 500
    finally:
        event.remove(engine, "commit", fail)
    assert order.state() == State("pending")

    assert order.tell("pay").code == 0
    assert order.state() == State("succeeded", 1, inbox=("pay handled",))


def test_a_fault_of_ours_keeps_the_news(till: Tills, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in carrying out a signed Pay does not lose it: kept, and done by the sweep once it is mended."""
    order = till()
    with monkeypatch.context() as broken:
        broken.setattr(settlement, "settle", lambda *_: 1 / 0)
        assert order.tell("pay").code == 0
    assert order.state() == State("pending", inbox=("pay received",))
    assert order.tell("pay").code == 0  # the repeat finds it kept

    clock.set_to(clock.now() + timedelta(minutes=2))
    order.sweep()

    assert order.state() == State("succeeded", 1, inbox=("pay handled",))


def test_a_lock_that_is_not_given_is_no_answer(till: Tills) -> None:
    """While somebody sits on the payment's row for too long the gateway is told 500 and comes again."""
    order = till()
    with order.app.app_context(), db.engine.connect() as sitting:
        sitting.exec_driver_sql("SELECT * FROM payments FOR UPDATE")
        with _short_locks(order.app):
            assert order.tell("pay").status == 500
    assert order.state() == State("pending")
    assert order.tell("pay").code == 0


@contextmanager
def _short_locks(app: Flask) -> Iterator[None]:
    """Wait for a lock a twentieth of a second instead of eight."""
    with app.app_context():
        engine = db.engine

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")

    event.listen(engine, "begin", begin)
    try:
        yield
    finally:
        event.remove(engine, "begin", begin)

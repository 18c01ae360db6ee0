"""Renewals in real processes: killed in the middle of a charge, crowded, and in a storm.

``RENEWALS=2000`` in the environment makes the crowd that large and prints how long it took.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq.registry import StartedJobRegistry
from sqlalchemy import event, text

from portal import clock
from portal.billing import methods, renewals, tending
from portal.database import db
from portal.gateways.base import SavedMethod
from tests import laws, lists
from tests.desk import LiveSandbox
from tests.stories import books, crowd, cycle
from tests.stories.herd import SWEEPS_EVERY, Herd

MANY = int(os.environ.get("RENEWALS", "16"))
#: Seconds that a crowd may take on a busy machine.
PATIENCE = 60 + MANY
ANSWER_LIMIT = timedelta(minutes=7)

Wait = Callable[..., Any]
Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def herd(app: Flask, sandbox: LiveSandbox, recurring: None) -> Iterator[Herd]:
    """Processes that end with the test, whatever becomes of it."""
    cycle.wait_for_gateways(app, 30.0)
    with app.app_context():
        lists.leave_alone()
    found = Herd(app)
    yield found
    found.end()


def succeeded(app: Flask) -> int:
    """How many renewals are paid by our own books."""
    paid = "SELECT count(*) AS paid FROM payments WHERE purpose = 'renewal' AND status = 'succeeded'"
    return int(books.rows(app, paid)[0].paid)


def is_idle(app: Flask) -> bool:
    """Whether no worker has, or is to have, anything to do."""
    with app.app_context():
        queue = app.extensions["portal_queue"]
        return not queue.count and not StartedJobRegistry(queue=queue).count


def each_once(app: Flask, sandbox: LiveSandbox, subscriptions: list[int]) -> None:
    """Every subscription was charged once by its gateway's books and once by ours, and no law is broken."""
    rows = books.rows(
        app,
        "SELECT transaction_id, subscription_id FROM payments"
        " WHERE purpose = 'renewal' AND status = 'succeeded'",
    )
    assert sorted(row.subscription_id for row in rows) == sorted(subscriptions)
    charged = Counter(crowd.taken(sandbox))
    assert charged == Counter(row.transaction_id for row in rows)
    with app.app_context():
        assert laws.violations(clock.now()) == []


@pytest.mark.parametrize(("gateway", "fault"), (("cloudpayments", "hang_after_commit"), ("yookassa", "hang")))
def test_a_worker_killed_in_the_middle_of_a_charge(
    herd: Herd, sandbox: LiveSandbox, wait_until: Wait, gateway: str, fault: str
) -> None:
    """Kill -9 while the gateway keeps the worker waiting, with the money taken or not: after the gateway's
    own answer limit the sweep finds out, and in the end the money was taken once.
    """
    eve = cycle.begin(herd.app, sandbox, gateway)
    cycle.wait_for_gateways(herd.app, 30.0)
    eve.announce()
    operation = "tokens_charge" if gateway == "cloudpayments" else "create_payment"
    eve.spoil(operation, fault)
    worker = herd.worker()
    with eve.app.app_context():
        assert renewals.hand_out(clock.now()) == [eve.subscription_id]
        db.session.remove()
    wait_until(lambda: eve.charges and not sandbox.world.faults.all(), PATIENCE)
    taken = int(fault == "hang_after_commit")
    wait_until(lambda: eve.captured == taken)

    herd.kill(worker)
    assert eve.outcomes == ["pending"]
    eve.until(lambda: "succeeded" in eve.outcomes)

    assert eve.outcomes == (["succeeded"] if taken else ["failed not_created", "succeeded"])
    assert eve.captured == 1
    eve.agree()


def test_two_schedulers_four_workers(
    herd: Herd, sandbox: LiveSandbox, wait_until: Wait, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two schedulers and four workers at once, many subscriptions due: as many charges, each once."""
    subscriptions = crowd.due_now(herd.app, MANY, clock.now())
    begun = time.monotonic()
    for _ in range(2):
        herd.scheduler()
    for _ in range(4):
        herd.worker()
    wait_until(lambda: succeeded(herd.app) == MANY, PATIENCE)
    seconds = time.monotonic() - begun
    herd.end()
    each_once(herd.app, sandbox, subscriptions)
    assert books.count(herd.app, "cases") == 0
    with capsys.disabled():
        print(f"\n{MANY} renewals by 4 workers in {seconds:.1f} s", end=" ")  # noqa: T201 - part of the result


def test_a_storm(
    herd: Herd,
    sandbox: LiveSandbox,
    wait_until: Wait,
    no_database: Away,
    redis_connection: Redis,
) -> None:
    """Workers and the scheduler killed, the database gone and back, Redis emptied, in the middle of it all:
    every subscription is charged once afterwards.
    """
    subscriptions = crowd.due_now(herd.app, MANY, clock.now())
    herd.scheduler()
    for _ in range(2):
        herd.worker()
    wait_until(lambda: succeeded(herd.app) >= MANY // 8, PATIENCE)
    with no_database():
        time.sleep(0.2)  # the others must meet it, whatever they are at
    herd.end()
    redis_connection.flushdb()
    herd.scheduler()
    for _ in range(2):
        herd.worker()

    def done() -> bool:
        if is_idle(herd.app):  # what is left was lost with somebody: it is looked at again by its row
            moved = clock.now() + ANSWER_LIMIT
            sandbox.world.clock.move_to(moved)
            clock.set_to(moved)
            time.sleep(3 * SWEEPS_EVERY)  # so that the scheduler sees to it before time moves on
        return succeeded(herd.app) == MANY

    wait_until(done, PATIENCE)
    herd.end()
    each_once(herd.app, sandbox, subscriptions)


@pytest.mark.parametrize("gateway", cycle.GATEWAYS)
def test_a_gateway_that_is_down_for_two_days(
    app: Flask, sandbox: LiveSandbox, recurring: None, gateway: str
) -> None:
    """Two days without the gateway: the attempt that was on its way stays open, nothing else is charged, an
    operator is shown it after a day, and once the gateway is back the renewal is made, once.
    """
    eve = cycle.begin(app, sandbox, gateway)
    eve.announce()
    eve.spoil("any", "http_500", times=100_000)
    back = clock.now() + timedelta(days=2)
    eve.charge()
    eve.walk(back)
    assert (eve.outcomes, eve.captured) == (["unknown"], 0)
    assert [kind.value for kind in books.case_kinds(app)] == ["unknown_too_old"]
    sandbox.world.faults.clear()
    eve.until(lambda: "succeeded" in eve.outcomes)
    assert (eve.outcomes, eve.captured) == (["failed not_created", "succeeded"], 1)
    assert clock.now() < back + timedelta(hours=7)
    eve.agree()


def plan_of(query: str) -> Any:
    """How PostgreSQL means to answer."""
    with db.engine.connect() as connection:
        told = connection.execute(text(f"EXPLAIN (FORMAT JSON) {query}")).scalar_one()
        return json.loads(told) if isinstance(told, str) else told


@contextmanager
def listening() -> Iterator[list[str]]:
    """What is asked of the database meanwhile, with its values; it is undone."""
    asked: list[str] = []

    def listen(_connection: Any, statement: Any, *_more: Any) -> None:
        asked.append(
            str(statement.compile(db.engine, compile_kwargs={"literal_binds": True}))
            if hasattr(statement, "compile")
            else ""
        )

    event.listen(db.engine, "before_execute", listen)
    try:
        yield asked
    finally:
        event.remove(db.engine, "before_execute", listen)
        db.session.rollback()


def test_the_schedulers_questions_use_their_indexes(context: Flask) -> None:
    """With 100,000 subscriptions of which few are due, the cost is that of the few."""
    now = clock.now()
    with db.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no customers beside them
        connection.execute(
            text(
                "INSERT INTO subscriptions (user_id, plan_id, status, current_period_start,"
                " current_period_end, auto_renew, charge_due_at, charge_look_at, look_at, created_at)"
                " SELECT n, 1, 'active', :now, due, true, due, due, due, :now"
                " FROM (SELECT n, :now + n * interval '1 hour' AS due FROM generate_series(1, 100000) n) s"
            ),
            {"now": now},
        )
        connection.execute(text("ANALYZE subscriptions"))
    moment = now + timedelta(hours=20)
    with listening() as asked:
        assert len(tending.due(moment)) == 20
        with db.session.begin_nested():
            assert len(renewals.take(db.session(), moment)) == 20
    for index, query in (
        ("ix_subscriptions_look_at", asked[0]),
        ("ix_subscriptions_charge_look_at", next(one for one in asked if "SKIP LOCKED" in one)),
    ):
        assert index in (told := json.dumps(plan_of(query))), query
        assert "Seq Scan" not in told


def test_whether_a_method_was_unlinked_is_asked_of_an_index(context: Flask) -> None:
    """Every captured payment that saves a method asks it, under the customer's lock."""
    with db.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no customers beside them
        connection.execute(
            text(
                "INSERT INTO payment_methods (user_id, gateway, fingerprint, kind, title, created_at,"
                " preferred_at, detached_at) SELECT n, 'yookassa', n, 'sbp', '', :now, :now, :now"
                " FROM generate_series(1, 20000) n"
            ),
            {"now": clock.now()},
        )
        connection.execute(text("ANALYZE payment_methods"))
    with listening() as asked:
        saved = SavedMethod("tk_1", "bank_card", "Visa •• 4242")
        assert not methods.was_unlinked(db.session(), 7, saved, clock.now())
    methods_asked = [query for query in asked if "payment_methods" in query]
    assert methods_asked  # whether the account was closed is asked by its own number before
    for query in methods_asked:
        assert "Seq Scan" not in json.dumps(plan_of(query))

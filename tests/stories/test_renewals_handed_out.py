"""Handing charges to workers: what nobody can take stays where it is, and what comes too late is not sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from portal import clock, jobs
from portal.billing import renewals
from portal.database import db
from tests.desk import LiveSandbox, run_jobs
from tests.stories.cycle import Cycle, begin

HOUR = timedelta(hours=1)


@pytest.fixture
def eve(app: Flask, sandbox: LiveSandbox, recurring: None) -> Cycle:
    """An announced renewal at CloudPayments, at the moment of its charge."""
    cycle = begin(app, sandbox, "cloudpayments")
    cycle.announce()
    app.extensions["portal_queue"].empty()
    return cycle


def handed_out(cycle: Cycle) -> list[int]:
    """What the scheduler hands out at the present moment."""
    with cycle.app.app_context():
        found = renewals.hand_out(clock.now())
        db.session.remove()
        return found


@contextmanager
def redis_away(app: Flask) -> Iterator[list[str]]:
    """Redis's address answers nobody; the list says how often somebody tried to enqueue."""
    kept, tried = app.extensions["portal_queue"], []
    dead = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=1)

    class Dead(Queue):
        def enqueue(self, *words: Any, **more: Any) -> Any:
            tried.append(str(words))
            return super().enqueue(*words, **more)

    app.extensions["portal_queue"] = Dead("portal", connection=dead, serializer=JSONSerializer)
    try:
        yield tried
    finally:
        app.extensions["portal_queue"] = kept


def test_redis_away_for_an_hour(eve: Cycle) -> None:
    """Nothing is handed out while Redis is away, and no row is put off by it: the moment Redis is back the
    charge is made, once.
    """
    with redis_away(eve.app) as tried:
        for _ in range(6):
            eve.go_to(clock.now() + timedelta(minutes=10))
            assert handed_out(eve) == []
    assert tried == []
    assert handed_out(eve) == [eve.subscription_id]
    assert handed_out(eve) == []
    run_jobs(eve.app)
    assert (eve.outcomes, eve.captured) == (["succeeded"], 1)


def test_redis_that_dies_in_the_middle(eve: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """When Redis dies between two jobs the rest is not tried in vain; all are handed out again later."""
    monkeypatch.setattr(jobs, "have_room", lambda: True)
    with eve.app.app_context(), redis_away(eve.app) as tried:
        jobs.enqueue_each(renewals.renew, [1, 2, 3])
        assert len(tried) == 1
        assert handed_out(eve) == [eve.subscription_id]
    eve.go_to(clock.now() + timedelta(minutes=6))
    assert handed_out(eve) == [eve.subscription_id]


def test_a_queue_that_nobody_works_does_not_grow(eve: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers away for two days: what is due stays in its row instead of filling Redis every five minutes."""
    monkeypatch.setattr(jobs, "PLENTY", 3)
    queue = eve.app.extensions["portal_queue"]
    for _ in range(12):
        handed_out(eve)
        eve.go_to(clock.now() + 4 * HOUR)
    assert queue.count == 3
    run_jobs(eve.app)
    assert (queue.count, eve.outcomes, eve.captured) == (0, ["succeeded"], 1)


def test_renew_due_hands_out_everything(eve: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """``flask renew-due`` takes as many bites as there are."""
    monkeypatch.setattr(renewals, "_AT_ONCE", 1)
    second = begin(eve.app, eve.sandbox, "yookassa", email="oleg@example.com")
    eve.run("UPDATE subscriptions SET charge_due_at = :now, charge_look_at = :now", now=clock.now())
    said = eve.app.test_cli_runner().invoke(args=["renew-due"]).output
    assert said == "Renewals handed out: 2.\n"
    assert second.row.charge_look_at > clock.now()


@pytest.mark.parametrize("which", ("monotonic", "wall"))
def test_a_worker_that_slept_sends_nothing(eve: Cycle, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    """A machine that slept between writing the attempt down and sending it sends nothing: others may have
    looked already and found that it was never sent. It is then made anew, once.
    """
    freeze = renewals._freeze

    def slow(*words: Any) -> Any:
        begun = freeze(*words)
        if which == "wall":
            eve.go_to(clock.now() + timedelta(seconds=30))
        else:
            ahead = renewals.time.monotonic() + 30
            monkeypatch.setattr(renewals.time, "monotonic", lambda: ahead)
        return begun

    with monkeypatch.context() as asleep:
        asleep.setattr(renewals, "_freeze", slow)
        assert not eve.charge()
    monkeypatch.undo()
    assert eve.outcomes == ["pending"]

    eve.until(lambda: "succeeded" in eve.outcomes)

    assert (eve.outcomes, eve.captured) == (["failed not_created", "succeeded"], 1)
    eve.agree()


def test_charges_that_never_arrive_come_more_and_more_seldom(eve: Cycle) -> None:
    """A gateway that drops every charge and answers every question is not stormed for days."""
    eve.spoil("tokens_charge", "drop_before_commit", times=1000)
    eve.walk(clock.now() + 2 * 24 * HOUR)
    assert 4 <= len(eve.charges) <= 12
    assert set(eve.outcomes) <= {"failed not_created", "unknown"}
    eve.sandbox.world.faults.clear()
    eve.until(lambda: "succeeded" in eve.outcomes)
    assert eve.captured == 1

"""The clock moves from due moment to due moment, with a portal beside the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request

from tests.sandbox.conftest import Merchant, Sandbox, Shop, serve


@dataclass
class FakePortal:
    """Answers as a portal does: due once at a given moment, when it charges a saved method."""

    url: str = ""
    told: list[datetime] = field(default_factory=list)
    due: datetime | None = None
    work: Callable[[], Any] | None = None
    hooks: list[str] = field(default_factory=list)
    answer: Any = None


@pytest.fixture
def portal() -> Iterator[FakePortal]:
    app, fake = Flask("portal"), FakePortal()

    @app.post("/billing/sandbox/clock")
    def clock() -> Response:
        now = datetime.fromisoformat(request.get_json()["now"])
        fake.told.append(now)
        if fake.answer is not None:
            return jsonify(fake.answer)
        if fake.due and now >= fake.due:
            fake.due = None
            if fake.work:
                fake.work()
        return jsonify(next_due=fake.due.isoformat() if fake.due else None)

    @app.post("/billing/webhook/<gateway>/")
    def hook(gateway: str) -> Response:
        fake.hooks.append(f"{gateway} {request.get_json()['event']}")
        return Response(status=200)

    server = serve(app)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    yield fake
    server.shutdown()
    server.server_close()


def test_the_portal_is_told_of_its_due_moment_and_its_webhooks_arrive_on_the_way(
    start_sandbox: Callable[..., Sandbox], portal: FakePortal
) -> None:
    """A renewal that falls due on day 10 happens on day 10, and is notified before the end."""
    sandbox = start_sandbox(portal=portal.url)
    shop = Shop(f"{sandbox.url}/yookassa/v3")
    first = shop.pay(save_payment_method=True)
    sandbox.control("pay", gateway="yookassa", transaction_id=first["id"], card="5555555555554444")
    begun = sandbox.world.clock.now()
    portal.due = begun + timedelta(days=10)
    made: list[Any] = []
    portal.work = lambda: made.append(shop.pay("renewal", payment_method_id=first["id"]))
    answer = sandbox.control("clock", advance="27d")
    assert answer["portal"] == "moved"
    assert answer["steps"] >= 2
    created = datetime.fromisoformat(made[0]["created_at"])
    assert abs(created - begun - timedelta(days=10)) < timedelta(minutes=1)
    assert portal.hooks.count("yookassa payment.succeeded") == 2
    assert portal.told == sorted(portal.told)
    assert abs(portal.told[-1] - begun - timedelta(days=27)) < timedelta(minutes=1)


def test_the_portal_is_told_the_time_to_the_microsecond(
    start_sandbox: Callable[..., Sandbox], portal: FakePortal
) -> None:
    """A moment rounded down would find nothing due, and the work would be done at the next stop only."""
    sandbox = start_sandbox(portal=portal.url)
    moment = datetime(2027, 1, 1, 12, 0, 0, 999_999, tzinfo=UTC)
    portal.due = moment
    assert sandbox.world.portal.move_clock(moment) is None
    assert portal.told == [moment]


def test_what_is_due_happens_in_order(sandbox: Sandbox, shop: Shop, merchant: Merchant) -> None:
    """An expiry after one hour is dated after one hour, though the clock was asked to jump a month."""
    payment = shop.pay()
    sandbox.control("clock", advance="30d")
    assert merchant.events() == ["payment.canceled"]
    tried = sandbox.ledger()["notifications"][0]["attempts"][0]["at"]
    lag = datetime.fromisoformat(tried) - datetime.fromisoformat(payment["created_at"])
    assert timedelta(hours=1) <= lag < timedelta(hours=1, minutes=1)


def test_an_unreachable_portal_does_not_stop_the_sandbox(
    start_sandbox: Callable[..., Sandbox],
) -> None:
    """The time passes, and the answer says that the portal did not hear of it."""
    sandbox = start_sandbox(portal="http://127.0.0.1:9")
    before = sandbox.world.clock.now()
    answer = sandbox.control("clock", advance="3d")
    assert answer["portal"] == "unreachable"
    assert "portal_error" in answer
    assert sandbox.world.clock.now() - before >= timedelta(days=3)


@pytest.mark.parametrize("answer", ({"next_due": "2000-01-01T00:00:00Z"}, {"next_due": 5}, ["no"], {}))
def test_a_portal_that_answers_nonsense_cannot_stop_the_clock(
    start_sandbox: Callable[..., Sandbox], portal: FakePortal, answer: Any
) -> None:
    """A due moment in the past, or none, still lets the clock arrive."""
    portal.answer = answer
    sandbox = start_sandbox(portal=portal.url)
    before = sandbox.world.clock.now()
    sandbox.control("clock", advance="2d")
    assert sandbox.world.clock.now() - before >= timedelta(days=2)


def test_the_clock_can_be_sent_to_a_moment_and_back(sandbox: Sandbox) -> None:
    """``to`` names the target, ``reset`` returns to the system's time."""
    target = sandbox.world.clock.now() + timedelta(days=5)
    answer = sandbox.control("clock", to=target.isoformat())
    assert abs(datetime.fromisoformat(answer["now"]) - target) < timedelta(minutes=1)
    sandbox.control("clock", reset=True)
    assert abs(sandbox.world.clock.offset) < timedelta(seconds=1)

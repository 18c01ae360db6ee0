"""Unlinking while a worker charges: law 10, on a real PostgreSQL, with threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from portal import clock
from portal.billing import doors, methods, renewals, retries, tending
from portal.database import db, transaction
from portal.gateways.base import Outcome, PaymentOrder, PaymentSnapshot
from portal.models import Payment, PaymentPurpose
from tests.billing.rows import numbers
from tests.billing.subscribers import DAY, Subscriber, a_subscriber
from tests.billing.threads import at_the_same_time, in_context

ROUNDS = 16


class Till:
    """A gateway that takes every charge, and remembers when it was asked; it may be made to wait."""

    def __init__(self) -> None:
        self.charged: list[str] = []
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def charge_saved(self, order: PaymentOrder, token: str) -> PaymentSnapshot:
        self.charged.append(token)
        self.asked.set()
        assert self.go_on.wait(20)
        return PaymentSnapshot(
            str(next(numbers)), Outcome.SUCCEEDED, order.amount, "RUB", order.transaction_id, True
        )


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, context: Flask) -> Iterator[Till]:
    """The only gateway; the customers of these tests were told of their charge long ago."""
    found = Till()
    monkeypatch.setattr(doors, "gateway", lambda _name: found)
    monkeypatch.setattr(tending, "announced_at", lambda _session, one: one.current_period_start)
    yield found
    found.go_on.set()


def due(now: datetime) -> Subscriber:
    """Somebody whose card is to be charged now."""
    ira = a_subscriber(now - 27 * DAY)
    with transaction():
        retries.at_once(ira.subscription, now)
    return ira


def renewals_of(ira: Subscriber) -> list[Payment]:
    """What was frozen to be charged."""
    mine = db.session.query(Payment).filter_by(user_id=ira.user.id, purpose=PaymentPurpose.RENEWAL)
    return list(mine.populate_existing())


def nothing_is_charged_any_more(ira: Subscriber, gateway: Till) -> None:
    """Though somebody said that a charge is due, and a job of before comes late."""
    before = len(gateway.charged)
    with transaction():
        retries.at_once(ira.subscription, clock.now())
    assert renewals.renew(ira.subscription.id) is False
    assert len(gateway.charged) == before
    assert not ira.subscription.auto_renew
    assert all(one.withdrawn_because == "unlinked" for one in ira.agreements)


def test_whatever_comes_first_nothing_is_frozen_after_an_unlink(
    app: Flask, gateway: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many rounds of both at once: a charge is frozen before the unlink is over, or never; one at most, and
    none later.
    """
    frozen: dict[int, float] = {}
    freeze = renewals._freeze

    def noted(*words: Any, **more: Any) -> Any:
        begun = freeze(*words, **more)
        frozen[begun.user.id] = time.monotonic()
        return begun

    monkeypatch.setattr(renewals, "_freeze", noted)
    for number in range(ROUNDS):
        ira, unlinked = due(clock.now()), []
        subscription_id, card, user_id = ira.subscription.id, ira.method.id, ira.user.id

        def unlink(user_id: int = user_id, card: int = card, unlinked: list[float] = unlinked) -> None:
            methods.unlink(user_id, card, clock.now())
            unlinked.append(time.monotonic())

        acts = [unlink, *[lambda one=subscription_id: renewals.renew(one)] * 2]
        at_the_same_time(app, *(acts if number % 2 else reversed(acts)))

        made = renewals_of(ira)
        assert len(made) <= 1
        assert len(made) == (user_id in frozen)
        assert frozen.get(user_id, 0) < unlinked[0]
        nothing_is_charged_any_more(ira, gateway)
    assert len(gateway.charged) == len(frozen)


def test_an_unlink_that_is_not_committed_yet_is_waited_for(app: Flask, gateway: Till) -> None:
    """The worker that begins meanwhile reads what the customer decided, and charges nothing."""
    ira = due(clock.now())
    subscription_id = ira.subscription.id
    with transaction():
        methods.unlink(ira.user.id, ira.method.id, clock.now())
        worker = threading.Thread(target=in_context, args=(app, lambda: renewals.renew(subscription_id)))
        worker.start()
        worker.join(0.3)
        assert worker.is_alive(), "the worker did not wait for the customer's lock"
    worker.join(20)
    assert (gateway.charged, renewals_of(ira)) == ([], [])
    nothing_is_charged_any_more(ira, gateway)


def test_a_charge_that_is_under_way_ends_and_nothing_follows_it(app: Flask, gateway: Till) -> None:
    """Unlinking waits for no gateway; what was frozen before it is settled as ever, and is the last."""
    ira = due(clock.now())
    subscription_id = ira.subscription.id
    gateway.go_on.clear()
    worker = threading.Thread(target=in_context, args=(app, lambda: renewals.renew(subscription_id)))
    worker.start()
    assert gateway.asked.wait(10)
    methods.unlink(ira.user.id, ira.method.id, clock.now())
    gateway.go_on.set()
    worker.join(20)

    assert [one.amount for one in renewals_of(ira)] == [Decimal("990.00")]
    assert len(gateway.charged) == 1
    subscription = ira.subscription
    assert (subscription.auto_renew, subscription.charge_due_at) == (False, None)
    nothing_is_charged_any_more(ira, gateway)

"""Cancels and refunds in the same moment as everything else: threads at one barrier, a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests.adapters
from flask import Flask
from sqlalchemy import select, update

from portal import clock
from portal.billing import cancellation, lookback, methods, refunds, sending_back
from portal.database import db, transaction
from portal.errors import InvalidRequest
from portal.models import GatewayName, Payment, Refund, RefundSource
from tests import laws
from tests.desk import LiveSandbox
from tests.stories.cycle import GATEWAYS, Cycle, begin
from tests.stories.test_notifications_races import at_once


@pytest.fixture(params=GATEWAYS)
def cycle(request: pytest.FixtureRequest, app: Flask, sandbox: LiveSandbox, recurring: None) -> Cycle:
    """A plan that was just bought and is renewed, at either gateway."""
    return begin(app, sandbox, request.param)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that the gateways get from this process."""
    seen: list[str] = []
    send = requests.adapters.HTTPAdapter.send

    def watched(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(f"{request.method} {request.path_url}")
        return send(self, request, *arguments, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", watched)
    return seen


def inside(cycle: Cycle, verb: Callable[[], Any]) -> Callable[[], Any]:
    """A verb as a thread of its own runs it."""

    def run() -> Any:
        with cycle.app.app_context():
            return verb()

    return run


def cancel(cycle: Cycle) -> Callable[[], Any]:
    """The customer's click."""
    return inside(cycle, lambda: cancellation.cancel(cycle.user_id, clock.now()))


def no_faults(results: list[Any]) -> None:
    """Nobody waited in a circle, nobody met a broken row."""
    assert not [found for found in results if isinstance(found, Exception)], results


def in_order(cycle: Cycle) -> None:
    """After some hours nothing is left open, no law is broken, and both books are the same."""
    cycle.sweep()
    for hours in (1, 3):
        cycle.later(timedelta(hours=hours))
    with cycle.app.app_context():
        assert (broken := laws.violations(clock.now())) == [], broken
    cycle.agree()
    assert {status for _, status in refunded(cycle)} <= {"succeeded", "failed"}


def refunded(cycle: Cycle) -> list[tuple[str, str]]:
    """Our refunds: sum and status."""
    with cycle.app.app_context():
        rows = db.session.execute(select(Refund.amount, Refund.status).order_by(Refund.id)).all()
        return [(str(amount), status.value) for amount, status in rows]


def first_payment(cycle: Cycle) -> Payment:
    """What the plan was bought with."""
    with cycle.app.app_context():
        return db.session.scalars(select(Payment).order_by(Payment.id).limit(1)).one()


def test_eight_clicks_are_one_cancel(cycle: Cycle) -> None:
    """Eight tabs at once: one of them ends the plan, one refund is ordered, the customer is told once."""
    results = at_once(*[cancel(cycle)] * 8)
    no_faults(results)
    assert [found is not None for found in results].count(True) == 1
    in_order(cycle)
    assert refunded(cycle) == [("990.00", "succeeded")]
    told = "SELECT count(*) FROM notifications WHERE kind = 'plan_canceled' AND channel = 'email'"
    assert cycle.ask(told)[0][0] == 1


def test_ten_operators_at_once(cycle: Cycle) -> None:
    """Ten refunds of 300 roubles in one moment: three fit into 990, seven are refused in a sentence."""
    payment = first_payment(cycle)

    def give() -> Any:
        amount = Decimal("300.00")
        try:
            return refunds.give_back(payment.id, amount, RefundSource.OPERATOR, "", clock.now())
        except InvalidRequest as error:
            return error.message

    results = at_once(*[inside(cycle, give)] * 10)
    no_faults(results)
    assert len([found for found in results if isinstance(found, int)]) == 3
    assert {found for found in results if isinstance(found, str)} == {
        "Вернуть можно от 1 копейки до 90\xa0₽."
    }
    in_order(cycle)
    assert refunded(cycle) == [("300.00", "succeeded")] * 3


def test_eight_workers_make_one_call(cycle: Cycle, calls: list[str]) -> None:
    """One refund handed to eight workers is called once; and once it is over, nobody calls again."""
    with cycle.app.app_context():
        payment = first_payment(cycle)
        amount = Decimal("340.50")
        refund_id = refunds.give_back(payment.id, amount, RefundSource.OPERATOR, "", clock.now())
    carry = inside(cycle, lambda: sending_back.carry_on(refund_id))
    for moment in (clock.now(), clock.now() + timedelta(hours=2)):
        clock.set_to(moment)
        results = at_once(*[carry] * 8)
        no_faults(results)
    assert len([call for call in calls if call.startswith("POST") and "refund" in call]) == 1
    assert refunded(cycle) == [("340.50", "succeeded")]
    in_order(cycle)


def test_a_refund_given_up_or_lost_to_another_is_not_called(cycle: Cycle, calls: list[str]) -> None:
    """A refund that has ended, or that another worker has, is left alone even where somebody hands it out."""
    with cycle.app.app_context():
        payment = first_payment(cycle)
        refund_id = refunds.give_back(payment.id, Decimal("1.00"), RefundSource.OPERATOR, "", clock.now())
        for status, later in (("failed", timedelta(0)), ("pending", timedelta(minutes=1))):
            with transaction() as session:
                row = update(Refund).values(status=status, next_check_at=clock.now() + later)
                session.execute(row.execution_options(synchronize_session=False))
            before = len(calls)
            assert sending_back.carry_on(refund_id) is False
            assert len(calls) == before


def test_a_cancel_and_the_cabinet(cycle: Cycle) -> None:
    """The customer cancels, the operator has given everything back in the cabinet, the news of it is read and
    our own refund is called, all in one moment: 990 roubles go back, not a kopeck more.
    """
    simulator: Any = cycle.sandbox.world.simulators[cycle.gateway]
    simulator.refund(first_payment(cycle).transaction_id, {"amount": "990.00"})
    now = clock.now()

    def look() -> None:
        lookback.compare(GatewayName(cycle.gateway), now - timedelta(hours=1), now + timedelta(hours=1))

    results = at_once(cancel(cycle), inside(cycle, look), cancel(cycle), cycle.sweep)
    no_faults(results)
    in_order(cycle)
    assert sum(Decimal(amount) for amount, status in refunded(cycle) if status == "succeeded") == 990
    assert first_payment(cycle).refunded_amount == 990


def test_a_cancel_and_an_unlinked_card(cycle: Cycle) -> None:
    """Both buttons in one moment: the plan is canceled, the card is gone, the money goes back once."""
    method_id = cycle.row.payment_method_id or 0
    unlink = inside(cycle, lambda: methods.unlink(cycle.user_id, method_id, clock.now()))
    no_faults(at_once(cancel(cycle), unlink, cancel(cycle), unlink))
    in_order(cycle)
    assert refunded(cycle) == [("990.00", "succeeded")]
    row = cycle.row
    assert (row.status.value, row.auto_renew, row.charge_due_at) == ("canceled", False, None)


def test_a_cancel_and_the_renewal(cycle: Cycle) -> None:
    """The plan is canceled while a worker charges for the next period. Either the charge is not made, or its
    money goes back in full by itself; either way nothing runs and nothing is charged any more.
    """
    cycle.put("refund_window_days", "60")
    cycle.announce()

    no_faults(at_once(cancel(cycle), cycle.charge, cycle.charge, cancel(cycle)))

    in_order(cycle)
    paid = len([charge for charge in cycle.charges if charge.status.value == "succeeded"])
    assert cycle.captured == paid <= 1
    assert refunded(cycle) == [("990.00", "succeeded")] * (1 + paid)
    assert cycle.row.status.value == "canceled"
    cycle.later(timedelta(days=40))
    assert cycle.captured == paid


def test_a_renewal_that_is_decided_after_the_cancel(cycle: Cycle) -> None:
    """The answer to a charge is lost, the plan is canceled meanwhile: what the gateway took is found, makes
    its period by law 3, and goes back whole. The present period's money goes back by the rule.
    """
    cycle.put("refund_window_days", "60")
    cycle.announce()
    cycle.spoil(
        "tokens_charge" if cycle.gateway == "cloudpayments" else "create_payment", "drop_after_commit"
    )
    cycle.charge()
    assert cycle.outcomes == ["unknown"]
    with cycle.app.app_context():
        seen = cancellation.preview(cycle.user_id, clock.now())
        assert seen is not None
        assert seen.charge_is_open
    cancel(cycle)()

    in_order(cycle)

    assert (cycle.outcomes, cycle.captured) == (["succeeded"], 1)
    assert refunded(cycle) == [("990.00", "succeeded")] * 2
    live = "SELECT count(*) FROM subscriptions WHERE status IN ('active', 'past_due')"
    assert cycle.ask(live)[0][0] == 0

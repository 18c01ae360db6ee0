"""Changes of plan in the same moment as everything else: threads at one barrier, a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.billing import cancellation, changing, checkout, lookback, payments, quota
from portal.database import db
from portal.models import GatewayName, Payment, PaymentPurpose, PurchasedPlan, Refund, User
from tests import laws
from tests.desk import LiveSandbox
from tests.stories.cycle import BROWSER, CARD, GATEWAYS, Cycle, begin
from tests.stories.test_notifications_races import at_once

DAY = timedelta(days=1)


@pytest.fixture(params=GATEWAYS)
def cycle(request: pytest.FixtureRequest, app: Flask, sandbox: LiveSandbox, recurring: None) -> Cycle:
    """A plan that was just bought and is renewed, at either gateway."""
    return begin(app, sandbox, request.param)


def inside(cycle: Cycle, verb: Callable[[], Any]) -> Callable[[], Any]:
    """A verb as a thread of its own runs it."""

    def run() -> Any:
        with cycle.app.app_context():
            return verb()

    return run


def order(cycle: Cycle, plan: str = "BUSINESS_MONTHLY") -> Callable[[], Any]:
    """The customer's click: the order's public id, or the sentence that refuses it."""

    def click() -> Any:
        user = db.session.get_one(User, cycle.user_id)
        try:
            done = changing.change(
                user, plan, cycle.gateway, accept_recurring=False, client=BROWSER, now=clock.now()
            )
        except changing.ChangeMustWait as error:
            return error
        assert done.order
        return done.order.payment.transaction_id

    return inside(cycle, click)


def pay(cycle: Cycle, transaction_id: str) -> Callable[[], Any]:
    """Pay at the gateway now; what is returned fetches the news of it."""
    with cycle.app.app_context():
        payment = db.session.scalars(select(Payment).where(Payment.transaction_id == transaction_id)).one()
        user = db.session.get_one(User, cycle.user_id)
        widget = {"widget": checkout.widget(payment, user)} if cycle.gateway == "cloudpayments" else {}
        simulator: Any = cycle.sandbox.world.simulators[cycle.gateway]
        simulator.pay(transaction_id, CARD, widget)
    return inside(cycle, lambda: payments.refresh(payment.id, clock.now()))


def paid(cycle: Cycle) -> dict[str, Decimal]:
    """What was captured, by purpose: sum of it that is not on its way back."""
    with cycle.app.app_context():
        left: dict[str, Decimal] = {}
        for payment in db.session.scalars(select(Payment).where(Payment.status == "succeeded")):
            gone = db.session.scalars(
                select(Refund.amount).where(Refund.payment_id == payment.id, Refund.status != "failed")
            )
            purpose = payment.purpose.value
            left[purpose] = left.get(purpose, Decimal(0)) + payment.amount - sum(gone, Decimal(0))
        return left


def counting(cycle: Cycle) -> list[str]:
    """The plans that count, in order."""
    row = "SELECT plan_code FROM purchased_plans WHERE revoked_at IS NULL ORDER BY starts_at"
    return [one.plan_code for one in cycle.ask(row)]


def no_faults(results: list[Any]) -> None:
    """Nobody waited in a circle, nobody met a broken row."""
    faults = [found for found in results if isinstance(found, Exception)]
    assert not [found for found in faults if not isinstance(found, changing.ChangeMustWait)], results


def in_order(cycle: Cycle) -> None:
    """After some hours nothing is left open, no law is broken, and both books are the same."""
    cycle.sweep()
    for hours in (1, 3):
        cycle.later(timedelta(hours=hours))
    with cycle.app.app_context():
        assert (broken := laws.violations(clock.now())) == [], broken
    cycle.agree()


@pytest.mark.parametrize("cycle", GATEWAYS[:1], indirect=True)
def test_eight_clicks_are_one_order(cycle: Cycle) -> None:
    """Eight tabs at once lead to one order with one credit."""
    results = at_once(*[order(cycle)] * 8)
    no_faults(results)
    assert len(set(results)) == 1
    in_order(cycle)


def test_an_order_and_the_renewal(cycle: Cycle) -> None:
    """A click in the moment of the charge: whoever is first makes the other wait; each is paid for once, and
    what was paid by the renewal follows the new plan.
    """
    cycle.announce()
    results = at_once(order(cycle), cycle.charge, order(cycle), cycle.charge)
    no_faults(results)
    ordered = {found for found in (results[0], results[2]) if isinstance(found, str)}
    assert len(ordered) <= 1
    renewed = len(cycle.charges)
    assert ordered or renewed
    for transaction_id in ordered:
        no_faults(at_once(pay(cycle, transaction_id), cycle.charge))

    in_order(cycle)

    assert cycle.captured == len(cycle.charges) <= 1
    renewal = ["PRO_MONTHLY"] * len(cycle.charges)
    assert counting(cycle) == (["BUSINESS_MONTHLY", *renewal] if ordered else ["PRO_MONTHLY", *renewal])


def test_two_upgrades_are_captured_at_once(cycle: Cycle) -> None:
    """One of them takes the plan's place, the money of the other goes back whole."""
    cycle.later(DAY)
    orders = [order(cycle, plan)() for plan in ("BUSINESS_MONTHLY", "PRO_YEARLY")]
    if cycle.gateway == "cloudpayments":
        # Its widget is refused a card once another change was ordered: let the first one be paid before.
        cycle.run("UPDATE payments SET superseded_at = NULL WHERE superseded_at IS NOT NULL")
    news = [pay(cycle, transaction_id) for transaction_id in orders]

    no_faults(at_once(*news, *news))

    in_order(cycle)
    assert len(counting(cycle)) == 1
    price = {"BUSINESS_MONTHLY": Decimal(2990), "PRO_YEARLY": Decimal(9900)}[counting(cycle)[0]]
    assert price - 990 <= paid(cycle)["change"] < price


def test_an_upgrade_and_the_cabinet(cycle: Cycle) -> None:
    """The base is refunded in the cabinet while its change is captured: either the change's money goes back
    as well, or it runs on what it was paid with; the credit is not given twice.
    """
    cycle.later(DAY)
    with cycle.app.app_context():
        bought = db.session.scalars(select(Payment).where(Payment.purpose == PaymentPurpose.PURCHASE)).one()
    news = pay(cycle, order(cycle)())
    simulator: Any = cycle.sandbox.world.simulators[cycle.gateway]
    simulator.refund(bought.transaction_id, {"amount": "990.00"})
    now = clock.now()

    def look() -> None:
        lookback.compare(GatewayName(cycle.gateway), now - 2 * DAY, now + timedelta(hours=1))

    no_faults(at_once(news, inside(cycle, look), news, inside(cycle, look)))

    in_order(cycle)
    left = paid(cycle)
    assert left["purchase"] == 0
    assert counting(cycle) == (["BUSINESS_MONTHLY"] if left["change"] else [])


def test_an_upgrade_and_a_cancel(cycle: Cycle) -> None:
    """The plan is canceled while its change is captured: in either order nothing runs and all money goes
    back, but what was used up of the base before the change.
    """
    cycle.later(DAY)
    transaction_id = order(cycle)()
    news = pay(cycle, transaction_id)
    cancel = inside(cycle, lambda: cancellation.cancel(cycle.user_id, clock.now()))

    no_faults(at_once(news, cancel, news))
    cancel()

    in_order(cycle)
    left = paid(cycle)
    assert counting(cycle) == []
    assert left["change"] == 0
    assert left["purchase"] in {Decimal(0), Decimal(990) - credit(cycle, transaction_id)}


def credit(cycle: Cycle, transaction_id: str) -> Decimal:
    """What an order credited."""
    with cycle.app.app_context():
        wanted = select(Payment.credit).where(Payment.transaction_id == transaction_id)
        return db.session.scalars(wanted).one()


@pytest.mark.parametrize("cycle", GATEWAYS[:1], indirect=True)
def test_an_order_and_e_mails(cycle: Cycle) -> None:
    """What is sent while a change is ordered and paid counts once: in the credit, or against the new plan."""

    def send(key: str) -> Callable[[], Any]:
        return inside(cycle, lambda: quota.use("ira@example.com", 1_000, key, clock.now()))

    first = at_once(order(cycle), *[send(f"a{number}") for number in range(6)])
    no_faults(first)
    no_faults(at_once(pay(cycle, first[0]), *[send(f"b{number}") for number in range(6)]))

    in_order(cycle)
    with cycle.app.app_context():
        change = db.session.scalars(select(Payment).where(Payment.transaction_id == first[0])).one()
        used = {period.payment_id: period.emails_used for period in db.session.scalars(select(PurchasedPlan))}
        assert used[change.id] == 12_000 - change.replaced_emails_used
        assert change.credit == min(
            change.credit, Decimal(990) * (50_000 - change.replaced_emails_used) / 50_000
        )

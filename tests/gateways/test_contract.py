"""Every promise of portal/gateways/base.py, for both gateways, against the sandbox over real HTTP."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from portal.gateways import declines
from portal.gateways.base import (
    BillingMode,
    GatewayRejected,
    Outcome,
    RefundSnapshot,
)
from tests.gateways.contract_stage import (
    BLOCKED_CARD,
    POOR_CARD,
    RUB,
    SHOPS,
    Side,
    a_fresh_order,
)


def test_start_moves_no_money_and_may_be_repeated(side: Side) -> None:
    """The customer is told where to go, the same again on a repeat, and nothing is paid."""
    order, gateway = a_fresh_order(), side.gateway()

    first, again = gateway.start(order), gateway.start(order)

    assert (first.confirmation_url is None) != (first.widget is None)
    assert (first.confirmation_url, first.widget) == (again.confirmation_url, again.widget)
    assert len(side.payments(order)) <= 1
    assert all(entry["captured"] == "0.00" for entry in side.payments(order))
    snapshot = gateway.fetch(order)
    assert snapshot is None or snapshot.outcome is Outcome.PENDING


def test_fetch_knows_nothing_of_an_order_that_never_began(side: Side) -> None:
    """None, and no error, and no trace in the books."""
    order = a_fresh_order()

    assert side.gateway().fetch(order) is None
    assert side.payments(order) == []


def test_fetch_tells_everything_about_a_success_with_and_without_the_id(side: Side) -> None:
    """Money, reference, shop, account, test flag and card are there to be checked by whoever books it."""
    order, snapshot = side.buy(amount=Decimal("990.10"))
    gateway = side.gateway()

    by_id = gateway.fetch(replace(order, gateway_payment_id=snapshot.gateway_payment_id))

    assert by_id == snapshot
    assert gateway.fetch_by_id(snapshot.gateway_payment_id) == snapshot
    assert snapshot.outcome is Outcome.SUCCEEDED
    assert (snapshot.amount, snapshot.currency) == (Decimal("990.10"), RUB)
    assert snapshot.reference == order.transaction_id
    assert snapshot.test is True
    assert snapshot.shop == SHOPS[side.name][0]
    assert snapshot.account == (order.account if side.name == "cloudpayments" else order.user_id)
    assert snapshot.method_title == "Mastercard •• 4444"
    assert snapshot.saved_method is None
    assert snapshot.failure_code is None
    assert snapshot.happened_at is not None
    assert abs(snapshot.happened_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_fetch_changes_nothing(side: Side) -> None:
    """The books are the same before and after."""
    order, _snapshot = side.buy()
    before = side.payments(order)

    side.gateway().fetch(order)

    assert side.payments(order) == before


@pytest.mark.parametrize("card", (POOR_CARD, BLOCKED_CARD))
def test_a_declined_card_is_a_snapshot_with_a_reason_that_can_be_explained(side: Side, card: str) -> None:
    """A refusal is no error, and its code has a sentence for the customer."""
    order, gateway = a_fresh_order(), side.gateway()
    side.customer_pays(order, gateway.start(order), card)

    snapshot = gateway.fetch(order)

    assert snapshot is not None
    assert snapshot.outcome is Outcome.FAILED
    assert snapshot.saved_method is None
    assert declines.explain(side.name, snapshot.failure_code).known
    assert all(entry["captured"] == "0.00" for entry in side.payments(order))


def test_a_method_is_saved_only_with_consent(side: Side) -> None:
    """Without save_method nothing can be charged again; with it the token can."""
    _order, once = side.buy()
    _order, kept = side.buy(billing_mode=BillingMode.RECURRING, save_method=True)

    assert once.saved_method is None
    assert kept.saved_method is not None
    assert (kept.saved_method.kind, kept.saved_method.last4) == ("bank_card", "4444")
    assert kept.saved_method.token not in repr(kept.saved_method)


def test_a_saved_method_is_charged_once_per_transaction_id(side: Side) -> None:
    """A repeat of the same order answers the same payment; another order is another payment."""
    token, gateway = side.a_token(), side.gateway()
    order, other = (a_fresh_order(billing_mode=BillingMode.RECURRING) for _ in range(2))

    first, again, another = (gateway.charge_saved(each, token) for each in (order, order, other))

    assert first.outcome is Outcome.SUCCEEDED
    assert (first.amount, first.currency, first.reference) == (order.amount, RUB, order.transaction_id)
    assert again.gateway_payment_id == first.gateway_payment_id
    assert another.gateway_payment_id != first.gateway_payment_id
    assert len(side.payments(order)) == 1
    found = gateway.fetch(order)
    assert found is not None
    assert found.gateway_payment_id == first.gateway_payment_id


def test_a_refused_charge_is_a_snapshot(side: Side) -> None:
    """No money on the card is no error of the call."""
    token, order = side.a_token(), a_fresh_order(billing_mode=BillingMode.RECURRING)
    outcome = "5051" if side.name == "cloudpayments" else "insufficient_funds"
    side.sandbox.control("cards", token=token, outcome=outcome, times=1)

    snapshot = side.gateway().charge_saved(order, token)

    assert (snapshot.outcome, snapshot.failure_code) == (Outcome.FAILED, outcome)
    assert declines.explain(side.name, outcome).action is declines.Action.RETRY_LATER


def test_a_method_that_nobody_saved_cannot_be_charged(side: Side) -> None:
    """An unknown token is refused or declined; nothing is captured."""
    order = a_fresh_order(billing_mode=BillingMode.RECURRING)
    try:
        snapshot = side.gateway().charge_saved(order, str(uuid.uuid4()))
    except GatewayRejected:
        pass
    else:
        assert snapshot.outcome is Outcome.FAILED
    assert all(entry["captured"] == "0.00" for entry in side.payments(order))


def test_money_goes_back_in_parts_and_once_per_key(side: Side) -> None:
    """Each key is one refund, the parts add up, and what is left is all that is left."""
    order, paid = side.buy()
    gateway = side.gateway()

    def refund(key: str, amount: str) -> RefundSnapshot:
        told: RefundSnapshot = gateway.refund(
            key, paid.gateway_payment_id, Decimal(amount), RUB, "по просьбе"
        )
        return told

    first, again, second = refund("key-1", "100.10"), refund("key-1", "100.10"), refund("key-2", "889.90")

    assert again.gateway_refund_id == first.gateway_refund_id != second.gateway_refund_id
    assert {first.outcome, second.outcome} <= {Outcome.SUCCEEDED, Outcome.PENDING}
    assert (first.amount, first.currency, first.gateway_payment_id) == (
        Decimal("100.10"),
        RUB,
        paid.gateway_payment_id,
    )
    with pytest.raises(GatewayRejected):
        refund("key-3", "0.01")
    assert [entry["refunded"] for entry in side.payments(order)] == ["990.00"]
    assert len(side.sandbox.books(side.name, "refunds")) == 2
    still = gateway.fetch(order)
    assert still is not None
    assert (still.outcome, still.gateway_payment_id) == (Outcome.SUCCEEDED, paid.gateway_payment_id)
    told = gateway.fetch_refund(first.gateway_refund_id)
    assert told is not None
    assert (told.outcome, told.amount) == (Outcome.SUCCEEDED, Decimal("100.10"))
    assert told.gateway_payment_id == paid.gateway_payment_id


def test_a_payment_of_nobody_cannot_be_refunded(side: Side) -> None:
    """An unknown id is refused, and no refund is in the books."""
    unknown = "999" if side.name == "cloudpayments" else "22e18a2f-000f-5000-a000-1db6312b7767"

    with pytest.raises(GatewayRejected):
        side.gateway().refund("key", unknown, Decimal("1.00"), RUB, "")

    assert side.sandbox.books(side.name, "refunds") == []


def test_reconciliation_sees_payments_and_foreign_refunds(side: Side) -> None:
    """Lists hold what was paid and what was sent back in the gateway's cabinet."""
    orders = [side.buy()[0] for _ in range(3)]
    side.sandbox.control("refund", gateway=side.name, transaction_id=orders[1].transaction_id, amount="5.00")
    gateway, now = side.gateway(), datetime.now(UTC)
    window = (now - timedelta(hours=1), now + timedelta(hours=1))

    payments, refunds = list(gateway.list_payments(*window)), list(gateway.list_refunds(*window))

    assert {payment.reference for payment in payments} == {order.transaction_id for order in orders}
    assert [refund.amount for refund in refunds] == [Decimal("5.00")]
    again = gateway.fetch(orders[1])
    assert again is not None
    assert refunds[0].gateway_payment_id == again.gateway_payment_id
    earlier = (now - timedelta(days=2), now - timedelta(days=1))
    assert list(gateway.list_payments(*earlier)) == list(gateway.list_refunds(*earlier)) == []


def test_the_refunds_of_one_payment_are_found(side: Side) -> None:
    """Whoever made them; those of other payments, and of other days, are not among them."""
    mine, others = side.buy(), side.buy()
    gateway, now = side.gateway(), datetime.now(UTC)
    for (order, _paid), amount in ((mine, "5.00"), (others, "7.00"), (mine, "6.00")):
        words = {"gateway": side.name, "transaction_id": order.transaction_id, "amount": amount}
        side.sandbox.control("refund", **words)

    def found(since: datetime) -> set[tuple[str, Outcome]]:
        order, paid = mine
        until = since + timedelta(hours=2)
        told = gateway.refunds_of(paid.gateway_payment_id, order.transaction_id, since, until)
        return {(str(one.amount), one.outcome) for one in told}

    assert found(now - timedelta(hours=1)) == {("5.00", Outcome.SUCCEEDED), ("6.00", Outcome.SUCCEEDED)}
    assert ("5.00", Outcome.SUCCEEDED) not in found(now - timedelta(days=1))

"""Every promise of portal/gateways/base.py, for both gateways, against the sandbox over real HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from portal.gateways import declines
from portal.gateways.base import (
    BillingMode,
    Credentials,
    Gateway,
    GatewayError,
    GatewayForbidden,
    GatewayRejected,
    GatewayThrottled,
    GatewayUnknown,
    NextStep,
    Outcome,
    PaymentOrder,
    PaymentSnapshot,
    RefundSnapshot,
    Timeouts,
)
from portal.gateways.cloudpayments import CloudPayments
from portal.gateways.yookassa import YooKassa
from tests.gateways.stage import Sandbox, an_order

GOOD_CARD, POOR_CARD, BLOCKED_CARD = "5555555555554444", "4444444444444444", "4000000000000002"
SHOPS = {
    "cloudpayments": ("test_api_00000000000000000000002", "sandbox-api-secret", "/cloudpayments"),
    "yookassa": ("100500", "test_sandbox-secret-key", "/yookassa/v3"),
}
CHARGE = {"cloudpayments": "tokens_charge", "yookassa": "create_payment"}
LOST, HELD = Timeouts(connect=2, read=0.4), Timeouts(connect=2, read=10)
RUB = "RUB"


@dataclass
class Side:
    """One gateway, and what its customers do."""

    name: str
    sandbox: Sandbox

    def gateway(self, *, secret: str | None = None, timeouts: Timeouts = HELD) -> Any:
        """The gateway as billing has it."""
        shop, key, path = SHOPS[self.name]
        credentials = Credentials(shop, secret or key, api_url=self.sandbox.url + path, timeouts=timeouts)
        found: Gateway = CloudPayments(credentials) if self.name == "cloudpayments" else YooKassa(credentials)
        return found

    def customer_pays(self, order: PaymentOrder, step: NextStep, card: str = GOOD_CARD) -> str:
        """Pay on the gateway's page, 3-D Secure included; the gateway's own id of the payment."""
        more = {"widget": dict(step.widget)} if step.widget else {}
        paid = self.sandbox.control(
            "pay", gateway=self.name, transaction_id=order.transaction_id, card=card, **more
        )
        return str(paid["id"])

    def buy(self, **changes: Any) -> tuple[PaymentOrder, PaymentSnapshot]:
        """An order paid with a good card, and what the gateway says of it."""
        order = a_fresh_order(**changes)
        self.customer_pays(order, self.gateway().start(order))
        snapshot = self.gateway().fetch(order)
        assert snapshot is not None
        return order, snapshot

    def a_token(self) -> str:
        """A method that a customer agreed to save."""
        _order, snapshot = self.buy(billing_mode=BillingMode.RECURRING, save_method=True)
        assert snapshot.saved_method is not None
        return snapshot.saved_method.token

    def payments(self, order: PaymentOrder) -> list[dict[str, Any]]:
        """The payments of an order in the gateway's books."""
        books = self.sandbox.books(self.name, "payments")
        return [entry for entry in books if entry["transaction_id"] == order.transaction_id]

    def fault(self, operation: str, fault: str) -> None:
        """Let the next call of an operation fail."""
        self.sandbox.control("faults", gateway=self.name, operation=operation, fault=fault, times=1)


def a_fresh_order(**changes: Any) -> PaymentOrder:
    return an_order(**{"transaction_id": str(uuid.uuid4()), "created_at": datetime.now(UTC), **changes})


@pytest.fixture(params=sorted(SHOPS))
def side(request: pytest.FixtureRequest, sandbox: Sandbox) -> Side:
    """Each gateway in turn."""
    sandbox.control("settings", yookassa_decline_cancels=True)
    return Side(request.param, sandbox)


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
    assert [told.outcome for told in (first, second)] == [Outcome.SUCCEEDED] * 2
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


# What a fault of the sandbox means, and whether the charge was made all the same.
FAULTS = [
    ("http_429", GatewayThrottled, False),
    ("http_500", GatewayUnknown, False),
    ("drop_before_commit", GatewayUnknown, False),
    ("garbage_502", GatewayUnknown, False),
    ("hang", GatewayUnknown, False),
    ("http_500_after_commit", GatewayUnknown, True),
    ("drop_after_commit", GatewayUnknown, True),
    ("malformed_200", GatewayUnknown, True),
    ("http_202", GatewayUnknown, True),
]


@pytest.mark.parametrize(("fault", "expected", "done"), FAULTS)
def test_after_any_fault_a_charge_can_be_asked_about_and_repeated_once(
    side: Side, fault: str, expected: type[GatewayError], done: bool
) -> None:
    """The kind of error is told truly; fetch knows what happened; the same key never charges twice."""
    token, order = side.a_token(), a_fresh_order(billing_mode=BillingMode.RECURRING)
    side.fault(CHARGE[side.name], fault)

    with pytest.raises(GatewayError) as caught:
        side.gateway(timeouts=LOST if fault == "hang" else HELD).charge_saved(order, token)
    asked = side.gateway().fetch(order)
    again = side.gateway().charge_saved(order, token)

    assert type(caught.value) is expected
    assert (asked is not None) is done
    assert again.outcome is Outcome.SUCCEEDED
    assert asked is None or asked.gateway_payment_id == again.gateway_payment_id
    assert [entry["captured"] for entry in side.payments(order)] == ["990.00"]


@pytest.mark.parametrize(("fault", "expected", "done"), FAULTS)
def test_after_any_fault_a_refund_can_be_repeated_once(
    side: Side, fault: str, expected: type[GatewayError], done: bool
) -> None:
    """The same key never sends the money back twice."""
    _order, paid = side.buy()
    side.fault("refund", fault)

    def refund(timeouts: Timeouts) -> RefundSnapshot:
        gateway = side.gateway(timeouts=timeouts)
        told: RefundSnapshot = gateway.refund("key-1", paid.gateway_payment_id, Decimal("400.00"), RUB, "")
        return told

    with pytest.raises(GatewayError) as caught:
        refund(LOST if fault == "hang" else HELD)
    made = len(side.sandbox.books(side.name, "refunds"))
    again = refund(HELD)

    assert type(caught.value) is expected
    assert made == (1 if done else 0)
    assert again.outcome is Outcome.SUCCEEDED
    assert [entry["amount"] for entry in side.sandbox.books(side.name, "refunds")] == ["400.00"]


@pytest.mark.parametrize("fault", ("http_500", "garbage_502", "drop_before_commit", "malformed_200", "hang"))
def test_a_fault_while_asking_is_never_taken_for_absence(side: Side, fault: str) -> None:
    """Whoever cannot read the answer does not say that there is no payment."""
    order, _paid = side.buy()
    side.fault("*", fault)

    with pytest.raises(GatewayUnknown):
        side.gateway(timeouts=LOST).fetch(order)


ASKING: list[Callable[[Any, PaymentOrder], object]] = [
    lambda gateway, order: gateway.fetch(order),
    lambda gateway, order: gateway.charge_saved(order, str(uuid.uuid4())),
    lambda gateway, order: gateway.check() if isinstance(gateway, YooKassa) else gateway.test(),
]


@pytest.mark.parametrize("ask", ASKING, ids=["fetch", "charge_saved", "check"])
def test_wrong_credentials_are_a_refusal(side: Side, ask: Callable[[Any, PaymentOrder], object]) -> None:
    """Nothing happened, and it is not the right to recurring payments that is missing."""
    with pytest.raises(GatewayRejected) as caught:
        ask(side.gateway(secret="test_wrong"), a_fresh_order())

    assert not isinstance(caught.value, GatewayForbidden)


def test_right_credentials_pass_their_check(side: Side) -> None:
    """The operator's button says yes."""
    gateway = side.gateway()
    assert gateway.check().shop == "100500" if isinstance(gateway, YooKassa) else gateway.test()


def test_yookassa_without_recurring_payments_forbids_and_creates_nothing(sandbox: Sandbox) -> None:
    """403 is the seed's error; the same customer can pay once, under another order."""
    sandbox.control("settings", yookassa_recurring=False)
    side = Side("yookassa", sandbox)
    order = a_fresh_order(billing_mode=BillingMode.RECURRING, save_method=True)

    with pytest.raises(GatewayForbidden) as caught:
        side.gateway().start(order)

    assert caught.value.code == "YOOKASSA_FORBIDDEN"
    assert side.payments(order) == []
    _order, paid = side.buy()
    assert paid.outcome is Outcome.SUCCEEDED

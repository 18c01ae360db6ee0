"""What base.py promises about errors, for both gateways, against the sandbox's faults."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from portal.gateways.base import (
    BillingMode,
    GatewayError,
    GatewayForbidden,
    GatewayRejected,
    GatewayThrottled,
    GatewayUnknown,
    Outcome,
    PaymentOrder,
    RefundSnapshot,
    Timeouts,
)
from portal.gateways.yookassa import YooKassa
from tests.gateways.contract_stage import (
    CHARGE,
    HELD,
    LOST,
    RUB,
    Side,
    a_fresh_order,
)
from tests.gateways.stage import Sandbox

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
    ended = side.gateway().fetch_refund(again.gateway_refund_id)
    assert ended is not None
    assert ended.outcome is Outcome.SUCCEEDED
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

"""What gateways say of the shop, and what receipts they are sent, against the sandbox over real HTTP."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portal.gateways.base import BillingMode, GatewayForbidden, GatewayRejected, GatewayUnknown, Outcome
from portal.gateways.shop import ReceiptTerms
from tests.gateways.contract_stage import RUB, SHOPS, Side, a_fresh_order
from tests.gateways.stage import Sandbox


def test_a_probe_describes_the_shop_and_leaves_no_trace_in_the_books(side: Side) -> None:
    """The operator's button: whose shop it is, play money or not, and nothing paid, saved or refunded."""
    report = side.gateway().probe()

    assert report.shop == SHOPS[side.name][0]
    assert report.test is True
    for book in ("payments", "refunds"):
        assert side.sandbox.books(side.name, book) == []


def test_a_probe_with_wrong_credentials_is_refused(side: Side) -> None:
    """And never for the right to recurring payments."""
    with pytest.raises(GatewayRejected) as caught:
        side.gateway(secret="test_wrong").probe()

    assert not isinstance(caught.value, GatewayForbidden)


@pytest.mark.parametrize("allowed", (True, False))
def test_a_probe_asks_yookassa_for_the_right_to_recurring_payments(sandbox: Sandbox, allowed: bool) -> None:
    """403 says no; a binding that nobody confirms says yes. Receipts are told of, too."""
    sandbox.control("settings", yookassa_recurring=allowed, yookassa_fiscalization=allowed)

    report = Side("yookassa", sandbox).gateway().probe()

    assert (report.recurring, report.receipts, report.enabled) == (allowed, allowed, True)


def test_a_probe_tells_where_the_cabinet_sends_its_notifications(sandbox: Sandbox) -> None:
    """What CloudPayments cannot be asked without money stays open, and is not guessed."""
    report = Side("cloudpayments", sandbox).gateway().probe()

    assert report.addresses is not None
    assert set(report.addresses) == {"check", "pay", "fail", "confirm", "refund", "recurrent", "cancel"}
    assert (report.recurring, report.receipts) == (None, None)


RECEIPT = ReceiptTerms("ira@example.com", "Тариф «Про», 30 дн.", 11, 2, "service", "full_payment")


def test_a_receipt_goes_with_a_payment_a_renewal_and_a_part_that_goes_back(side: Side) -> None:
    """A shop that must send receipts can: they are complete, and their sum is the payment's or refund's."""
    side.sandbox.control("settings", yookassa_fiscalization=True)
    token_order, kept = side.buy(receipt=RECEIPT, billing_mode=BillingMode.RECURRING, save_method=True)
    assert kept.saved_method is not None
    gateway = side.gateway()

    order = a_fresh_order(receipt=RECEIPT, billing_mode=BillingMode.RECURRING)
    charged = gateway.charge_saved(order, kept.saved_method.token)
    part = gateway.refund(
        "part", charged.gateway_payment_id, Decimal("10.00"), RUB, "", receipt=RECEIPT, whole=False
    )
    whole = gateway.refund("whole", kept.gateway_payment_id, token_order.amount, RUB, "", receipt=RECEIPT)

    assert charged.outcome is Outcome.SUCCEEDED
    assert {part.outcome, whole.outcome} <= {Outcome.PENDING, Outcome.SUCCEEDED}


def test_an_exchange_is_heard_as_good_or_bad(side: Side) -> None:
    """No answer and the gateway's own errors are bad; a refusal is a good answer."""
    heard: list[bool] = []

    def note(good: bool, _does: bool) -> None:
        heard.append(good)

    gateway = side.gateway(heard=note)

    gateway.probe()
    assert set(heard) == {True}
    heard.clear()
    with pytest.raises(GatewayRejected):
        side.gateway(secret="test_wrong", heard=note).probe()
    assert heard == [True]
    heard.clear()
    side.fault("*", "http_500")
    with pytest.raises(GatewayUnknown):
        gateway.probe()
    assert heard == [False]


def test_to_do_and_to_tell_are_heard_apart(side: Side) -> None:
    """Money that is to move is something to do; how it stands is something to tell."""
    order, paid = side.buy()
    heard: list[tuple[bool, bool]] = []
    gateway = side.gateway(heard=lambda good, does: heard.append((good, does)))

    gateway.fetch(order)
    assert set(heard) == {(True, False)}
    heard.clear()
    side.fault("*", "http_500")
    with pytest.raises(GatewayUnknown):
        gateway.refund("undone", paid.gateway_payment_id, Decimal("1.00"), RUB, "", whole=False)
    assert heard == [(False, True)]

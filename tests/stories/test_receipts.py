"""A shop that must send receipts: they go with each payment, each renewal and each part that goes back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal import clock
from portal.billing import refunds, settings
from portal.database import db
from portal.models import (
    Payment,
    PaymentPurpose,
    PaymentStatus,
    Refund,
    RefundSource,
    RefundStatus,
    Subscription,
)
from tests.desk import Desk


@pytest.fixture
def fiscal(desk: Desk, recurring: None) -> Desk:
    """YooKassa demands receipts, and the shop's settings send them: 22 %, УСН."""
    desk.sandbox.control("settings", yookassa_fiscalization=True)
    told = {"yookassa_receipts": "true", "cloudpayments_receipts": "true", "receipt_vat_code": "11"}
    with desk.app.app_context():
        for name, text in {**told, "receipt_tax_system": "2"}.items():
            settings.put(name, text, clock.now())
    return desk


def asked(desk: Desk, gateway: str) -> list[Any]:
    """The requests behind a gateway's payments, as they were received."""
    books = desk.sandbox.ledger()["payments"]
    return [entry["request"] for entry in books if entry["gateway"] == gateway]


def paid(desk: Desk, gateway: str) -> Payment:
    ira = desk.customer()
    order = ira.order(gateway, recurring=True)
    desk.sandbox.pay(gateway, order["transaction_id"])
    desk.settle()
    with desk.app.app_context():
        found = db.session.scalars(select(Payment)).one()
        assert found.status is PaymentStatus.SUCCEEDED
    return found


@pytest.mark.parametrize("gateway", ("cloudpayments", "yookassa"))
def test_a_receipt_goes_with_payment_renewal_and_part_refund(fiscal: Desk, gateway: str) -> None:
    """The gateway takes all three; the setting that changed meanwhile does not reach what was frozen."""
    payment = paid(fiscal, gateway)
    with fiscal.app.app_context():
        settings.put("receipt_vat_code", "1", clock.now())
        assert payment.receipt is not None
        assert (payment.receipt["vat_code"], payment.receipt["email"]) == (11, "ira@example.com")
        subscription = db.session.scalars(select(Subscription)).one()
        due = subscription.charge_due_at
        assert due is not None
    days = (due - clock.now()).days + 1
    fiscal.sandbox.control("clock", advance=f"{days}d")
    fiscal.settle()
    with fiscal.app.app_context():
        renewed = db.session.scalars(select(Payment).where(Payment.purpose == PaymentPurpose.RENEWAL)).all()
        assert [one.status for one in renewed] == [PaymentStatus.SUCCEEDED]
        assert renewed[0].receipt is not None
        assert renewed[0].receipt["vat_code"] == 1
        part = Decimal("10.00")
        refunds.give_back(payment.id, part, RefundSource.OPERATOR, "part", clock.now())
    fiscal.settle()
    fiscal.sweep()
    with fiscal.app.app_context():
        assert db.session.scalars(select(Refund)).one().status is RefundStatus.SUCCEEDED
    told = [one for one in asked(fiscal, gateway) if one]
    assert len(told) == 2
    assert all("eceipt" in str(one) for one in told)


def test_without_the_setting_no_receipt_is_sent(desk: Desk) -> None:
    """What a shop did not ask for is not in the request: a register that is not there would refuse it."""
    order = desk.customer().order("yookassa")
    assert order["status"] == "pending"
    assert all("receipt" not in one for one in asked(desk, "yookassa"))
    with desk.app.app_context():
        assert db.session.scalars(select(Payment)).one().receipt is None

"""Whether a gateway's word about a payment fits our order: what does not fit moves nothing (law 5)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session

from portal.billing import doors
from portal.gateways.base import PaymentSnapshot
from portal.models import CaseKind, Payment, PaymentPurpose, PaymentStatus

_payments: Any = Payment.__table__


def mismatch(payment: Row[Any], told: PaymentSnapshot) -> CaseKind | None:
    """What the gateway says that does not fit our order, if anything. Exact: a kopeck is a mismatch."""
    if told.currency != payment.currency:
        return CaseKind.CURRENCY_MISMATCH
    if told.amount != payment.amount:
        return CaseKind.AMOUNT_MISMATCH
    if told.account is not None and told.account != payment.payer:
        return CaseKind.ACCOUNT_MISMATCH
    if told.shop is not None and told.shop != doors.expected_shop(payment.gateway):
        return CaseKind.SHOP_MISMATCH
    if told.test is not payment.test_mode:
        return CaseKind.TEST_MODE_MISMATCH
    return None


def belongs_to_another(session: Session, payment: Row[Any], told: PaymentSnapshot) -> bool:
    """One capture at a gateway pays for one order of ours."""
    if payment.gateway_payment_id == told.gateway_payment_id:
        return False
    taken = exists().where(
        _payments.c.gateway == payment.gateway,
        _payments.c.gateway_payment_id == told.gateway_payment_id,
        _payments.c.id != payment.id,
    )
    return bool(session.scalar(select(taken)))


def is_paid_by_another(session: Session, payment: Row[Any]) -> bool:
    """Whether another attempt has paid for the period that this renewal is about (law 2)."""
    if payment.purpose is not PaymentPurpose.RENEWAL:
        return False
    paid = exists().where(
        _payments.c.subscription_id == payment.subscription_id,
        _payments.c.period_start == payment.period_start,
        _payments.c.purpose == PaymentPurpose.RENEWAL,
        _payments.c.status == PaymentStatus.SUCCEEDED,
        _payments.c.refunded_amount < _payments.c.amount,
    )
    return bool(session.scalar(select(paid)))

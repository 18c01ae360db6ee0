"""Booking refunds that a gateway reports. "Refunded" is a sum over rows, kept on the payment."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.billing import cases, notices, settlement, subscriptions
from portal.billing.settlement import Settlement, Verdict
from portal.gateways.base import RefundSnapshot
from portal.models import CaseKind, GatewayName, Payment, PaymentStatus, Refund, RefundSource, RefundStatus
from portal.money import to_wire

_refunds: Any = Refund.__table__
_payments: Any = Payment.__table__


def heard(session: Session, gateway: GatewayName, told: RefundSnapshot, now: datetime) -> Settlement:
    """Book a refund by the payment that the gateway names; in the caller's transaction.

    One of money that is no order's is shown to the operator, unless that money is a case already.
    """
    payment_id = session.execute(
        select(_payments.c.id).where(
            _payments.c.gateway == gateway, _payments.c.gateway_payment_id == told.gateway_payment_id
        )
    ).scalar()
    payment = settlement.locked(session, payment_id=payment_id) if payment_id is not None else None
    if payment is not None:
        return book(session, payment, told, now)
    if cases.speaks_of(session, gateway, told.gateway_payment_id):
        return Settlement(Verdict.IGNORED, "refund of money that is a case")
    kind = CaseKind.UNKNOWN_REFUND
    key = f"{gateway.value}:{kind.value}:{told.gateway_refund_id}"
    money, facts = (told.amount, told.currency), {"refund": told.gateway_refund_id}
    cases.open_case(session, kind, key, gateway, told.gateway_payment_id, None, money, facts, now)
    return Settlement(Verdict.CASE, kind.value)


def book(session: Session, payment: Row[Any], told: RefundSnapshot, now: datetime) -> Settlement:
    """Write down a refund that the gateway made, under the lock of its payment; in the caller's transaction.

    It waits while the payment's own success has not been heard of. A refund of the whole sum takes the period
    back; a partial one leaves it.
    """
    if payment.status is not PaymentStatus.SUCCEEDED:
        if cases.speaks_of(session, payment.gateway, told.gateway_payment_id):
            # That money never was this order's, so no success of it will follow.
            return Settlement(Verdict.IGNORED, "refund of money that is a case", payment.id)
        return Settlement(Verdict.WAITS, "refund before its payment", payment.id)
    if _is_booked(session, payment, told):
        return Settlement(Verdict.NOTHING_NEW, "refund already booked", payment.id)
    total = payment.refunded_amount + told.amount
    if told.amount <= 0 or told.currency != payment.currency or total > payment.amount:
        _open_case(session, payment, told, now)
        return Settlement(Verdict.CASE, "refund above the captured sum", payment.id)
    _write(session, payment, told, now)
    session.execute(update(_payments).where(_payments.c.id == payment.id).values(refunded_amount=total))
    if total == payment.amount:
        subscriptions.revoke(session, payment, now)
    _tell(session, payment, told, whole=total == payment.amount, now=now)
    return Settlement(Verdict.MOVED, "refund booked", payment.id)


def _is_booked(session: Session, payment: Row[Any], told: RefundSnapshot) -> bool:
    known = select(_refunds.c.id).where(
        _refunds.c.gateway == payment.gateway, _refunds.c.gateway_refund_id == told.gateway_refund_id
    )
    return session.execute(known).scalar() is not None


def _write(session: Session, payment: Row[Any], told: RefundSnapshot, now: datetime) -> None:
    session.execute(
        insert(_refunds).values(
            payment_id=payment.id,
            gateway=payment.gateway,
            gateway_refund_id=told.gateway_refund_id,
            key=str(uuid.uuid4()),
            amount=told.amount,
            currency=payment.currency,
            status=RefundStatus.SUCCEEDED,
            source=RefundSource.GATEWAY,
            reason="",
            created_at=now,
            finished_at=now,
        )
    )


def _open_case(session: Session, payment: Row[Any], told: RefundSnapshot, now: datetime) -> None:
    """More went back than was taken, or in another currency: the operator has to see it."""
    kind = CaseKind.REFUND_ABOVE_CAPTURE
    key = f"{payment.gateway.value}:{kind.value}:{told.gateway_refund_id}"
    money = (told.amount, told.currency)
    facts = {
        "refund": told.gateway_refund_id,
        "captured": to_wire(payment.amount),
        "refunded": to_wire(payment.refunded_amount),
    }
    gateway_payment_id = payment.gateway_payment_id
    cases.open_case(session, kind, key, payment.gateway, gateway_payment_id, payment.id, money, facts, now)


def _tell(session: Session, payment: Row[Any], told: RefundSnapshot, *, whole: bool, now: datetime) -> None:
    facts = {
        "transaction_id": payment.transaction_id,
        "plan_title": payment.plan_title,
        "amount": to_wire(told.amount),
        "currency": payment.currency,
        "whole": whole,
    }
    key = f"refunded:{payment.gateway.value}:{told.gateway_refund_id}"
    notices.announce(session, payment.user_id, "refunded", key, facts, now)

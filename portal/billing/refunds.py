"""Booking refunds that a gateway reports. "Refunded" is a sum over rows, kept on the payment."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.billing import cases, notices, subscriptions
from portal.billing.settlement import Settlement, Verdict
from portal.gateways.base import RefundSnapshot
from portal.models import CaseKind, Payment, PaymentStatus, Refund, RefundSource, RefundStatus
from portal.money import to_wire

_refunds: Any = Refund.__table__
_payments: Any = Payment.__table__


def book(
    session: Session,
    payment: Row[Any],
    told: RefundSnapshot,
    now: datetime,
) -> Settlement:
    """Write down a refund that the gateway made, under the lock of its payment; in the caller's transaction.

    It waits while the payment's own success has not been heard of. A refund of the whole sum takes the period
    back; a partial one leaves it.
    """
    amount, gateway_refund_id = told.amount, told.gateway_refund_id
    if payment.status is not PaymentStatus.SUCCEEDED:
        if cases.speaks_of(session, payment.gateway, told.gateway_payment_id):
            # That money never was this order's, so no success of it will follow.
            return Settlement(Verdict.IGNORED, "refund of money that is a case", payment.id)
        return Settlement(Verdict.WAITS, "refund before its payment", payment.id)
    known = session.execute(
        select(_refunds.c.id).where(
            _refunds.c.gateway == payment.gateway, _refunds.c.gateway_refund_id == gateway_refund_id
        )
    ).scalar()
    if known is not None:
        return Settlement(Verdict.NOTHING_NEW, "refund already booked", payment.id)
    if amount <= 0 or told.currency != payment.currency or payment.refunded_amount + amount > payment.amount:
        facts = {
            "refund": gateway_refund_id,
            "captured": to_wire(payment.amount),
            "refunded": to_wire(payment.refunded_amount),
        }
        key = f"{payment.gateway.value}:{CaseKind.REFUND_ABOVE_CAPTURE.value}:{gateway_refund_id}"
        money = (amount, told.currency)
        cases.open_case(
            session,
            CaseKind.REFUND_ABOVE_CAPTURE,
            key,
            payment.gateway,
            payment.gateway_payment_id,
            payment.id,
            money,
            facts,
            now,
        )
        return Settlement(Verdict.CASE, "refund above the captured sum", payment.id)
    session.execute(
        insert(_refunds).values(
            payment_id=payment.id,
            gateway=payment.gateway,
            gateway_refund_id=gateway_refund_id,
            key=str(uuid.uuid4()),
            amount=amount,
            currency=payment.currency,
            status=RefundStatus.SUCCEEDED,
            source=RefundSource.GATEWAY,
            reason="",
            created_at=now,
            finished_at=now,
        )
    )
    total = payment.refunded_amount + amount
    session.execute(update(_payments).where(_payments.c.id == payment.id).values(refunded_amount=total))
    if total == payment.amount:
        subscriptions.revoke(session, payment, now)
    facts = {
        "transaction_id": payment.transaction_id,
        "plan_title": payment.plan_title,
        "amount": to_wire(amount),
        "currency": payment.currency,
        "whole": total == payment.amount,
    }
    notices.announce(session, payment.user_id, "refunded", f"refunded:{gateway_refund_id}", facts, now)
    return Settlement(Verdict.MOVED, "refund booked", payment.id)

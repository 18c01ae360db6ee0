"""A refund that a gateway reports, by a notification or in its list: ours or one made in its cabinet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from portal.billing import cases, locks, refund_outcomes
from portal.billing.refund_outcomes import Came
from portal.billing.settlement import Settlement, Verdict
from portal.gateways.base import RefundSnapshot
from portal.models import CaseKind, GatewayName, Payment, PaymentStatus

_payments: Any = Payment.__table__

_SAYS = {
    Came.MOVED: (Verdict.MOVED, "refund booked"),
    Came.NOTHING_NEW: (Verdict.NOTHING_NEW, "refund already booked"),
    Came.CASE: (Verdict.CASE, "refund above the captured sum"),
}


def heard(session: Session, gateway: GatewayName, told: RefundSnapshot, now: datetime) -> Settlement:
    """Book a refund by the payment that the gateway names; in the caller's transaction.

    One of money that is no order's is shown to the operator, unless that money is a case already.
    """
    payment_id = session.execute(
        select(_payments.c.id).where(
            _payments.c.gateway == gateway, _payments.c.gateway_payment_id == told.gateway_payment_id
        )
    ).scalar()
    payment = locks.locked(session, payment_id=payment_id) if payment_id is not None else None
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

    It waits while the payment's own success has not been heard of.
    """
    if payment.status is not PaymentStatus.SUCCEEDED:
        if cases.speaks_of(session, payment.gateway, told.gateway_payment_id):
            # That money never was this order's, so no success of it will follow.
            return Settlement(Verdict.IGNORED, "refund of money that is a case", payment.id)
        return Settlement(Verdict.WAITS, "refund before its payment", payment.id)
    verdict, why = _SAYS[refund_outcomes.write_down(session, payment, told, now)]
    return Settlement(verdict, why, payment.id)

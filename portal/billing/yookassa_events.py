"""What a YooKassa notification means: it names an object, which is read back from the API (law 6)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.billing import bindings, calls, cases, doors, refund_news, settlement
from portal.billing.settlement import Settlement, Verdict
from portal.database import transaction
from portal.gateways.base import Outcome, PaymentSnapshot
from portal.models import CaseKind, GatewayName, Operation


def carry_out(event: str, object_id: str, now: datetime) -> Settlement:
    """Ask YooKassa about the object a notification named, and carry out what is true.

    Raises GatewayError without an answer.
    """
    if event.startswith("payment_method."):
        return bindings.heard(object_id, now)
    if event.startswith("refund."):
        return _refund(object_id, now)
    if event.startswith("payment."):
        return payment(object_id, now)
    return Settlement(Verdict.IGNORED, f"event {event} is not ours"[:200])


def payment(gateway_payment_id: str, now: datetime) -> Settlement:
    """Read one payment at YooKassa and settle it."""
    told = doors.yookassa().fetch_by_id(gateway_payment_id)
    if told is None:
        return Settlement(Verdict.IGNORED, "YooKassa knows no such payment")
    with transaction() as session:
        row = settlement.locked(session, transaction_id=told.reference[:64]) if told.reference else None
        if row is None:
            return _unknown(session, told, now)
        if row.gateway is not GatewayName.YOOKASSA:
            if told.outcome is Outcome.SUCCEEDED:
                cases.open_for_payment(
                    session, CaseKind.GATEWAY_MISMATCH, GatewayName.YOOKASSA, told, row.id, now
                )
                return Settlement(Verdict.CASE, CaseKind.GATEWAY_MISMATCH.value, row.id)
            return Settlement(Verdict.IGNORED, "our order is at another gateway", row.id)
        calls.note(session, Operation.ASK, told.outcome.value, now, payment_id=row.id)
        return settlement.settle(session, row, told, now)


def _unknown(session: Any, told: PaymentSnapshot, now: datetime) -> Settlement:
    """Money without an order of ours is shown to the operator; anything else is none of our business."""
    if told.outcome is not Outcome.SUCCEEDED:
        return Settlement(Verdict.IGNORED, "not an order of ours")
    cases.open_for_payment(session, CaseKind.UNKNOWN_PAYMENT, GatewayName.YOOKASSA, told, None, now)
    return Settlement(Verdict.CASE, CaseKind.UNKNOWN_PAYMENT.value)


def _refund(gateway_refund_id: str, now: datetime) -> Settlement:
    """Read one refund at YooKassa and book it.

    One made in the shop's cabinet has an id we have never seen (yookassa.md 4).
    """
    told = doors.yookassa().fetch_refund(gateway_refund_id)
    if told is None or told.outcome is not Outcome.SUCCEEDED:
        return Settlement(Verdict.IGNORED, "no such successful refund at YooKassa")
    with transaction() as session:
        return refund_news.heard(session, GatewayName.YOOKASSA, told, now)

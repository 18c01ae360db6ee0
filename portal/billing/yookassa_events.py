"""What a YooKassa notification means: it names an object, which is read back from the API (law 6)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from portal.billing import bindings, calls, cases, doors, refund_news, settlement
from portal.billing.settlement import Settlement, Verdict
from portal.database import transaction
from portal.gateways.base import BindingSnapshot, Outcome, PaymentSnapshot, RefundSnapshot
from portal.models import CaseKind, GatewayName, Operation

#: What is true about the object that a notification named; ``None`` where YooKassa knows of none.
Told = PaymentSnapshot | RefundSnapshot | BindingSnapshot | None


def carry_out(event: str, object_id: str, now: datetime) -> Settlement:
    """Ask YooKassa about the object a notification named, and carry out what is true.

    Raises GatewayError without an answer.
    """
    told = read(event, object_id)
    with transaction() as session:
        return apply(session, event, told, now)


def read(event: str, object_id: str) -> Told:
    """Read the object back; an event that is none of ours names nothing. Raises GatewayError."""
    if event.startswith("payment_method."):
        return doors.yookassa().fetch_binding(object_id)
    if event.startswith("refund."):
        return doors.yookassa().fetch_refund(object_id)
    if event.startswith("payment."):
        return doors.yookassa().fetch_by_id(object_id)
    return None


def apply(session: Session, event: str, told: Told, now: datetime) -> Settlement:
    """Carry out what was read, in the caller's transaction."""
    if event.startswith("payment_method."):
        return bindings.heard(told if isinstance(told, BindingSnapshot) else None, now)
    if event.startswith("refund."):
        if not isinstance(told, RefundSnapshot) or told.outcome is not Outcome.SUCCEEDED:
            return Settlement(Verdict.IGNORED, "no such successful refund at YooKassa")
        # One made in the shop's cabinet has an id we have never seen (yookassa.md 4).
        return refund_news.heard(session, GatewayName.YOOKASSA, told, now)
    if event.startswith("payment."):
        return _payment(session, told if isinstance(told, PaymentSnapshot) else None, now)
    return Settlement(Verdict.IGNORED, f"event {event} is not ours"[:200])


def _payment(session: Session, told: PaymentSnapshot | None, now: datetime) -> Settlement:
    """Settle a payment that was read."""
    if told is None:
        return Settlement(Verdict.IGNORED, "YooKassa knows no such payment")
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


def _unknown(session: Session, told: PaymentSnapshot, now: datetime) -> Settlement:
    """Money without an order of ours is shown to the operator; anything else is none of our business."""
    if told.outcome is not Outcome.SUCCEEDED:
        return Settlement(Verdict.IGNORED, "not an order of ours")
    cases.open_for_payment(session, CaseKind.UNKNOWN_PAYMENT, GatewayName.YOOKASSA, told, None, now)
    return Settlement(Verdict.CASE, CaseKind.UNKNOWN_PAYMENT.value)

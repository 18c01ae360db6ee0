"""What each signed CloudPayments notification means for our rows, and the answer to Check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.billing import cases, late_money, locks, refund_news, settlement
from portal.billing.settlement import Settlement, Verdict
from portal.gateways.base import Outcome, PaymentSnapshot, RefundSnapshot
from portal.gateways.cloudpayments.notifications import CAPTURED, CloudPaymentsNotification, Kind
from portal.gateways.cloudpayments.reading import fee_of
from portal.models import CaseKind, GatewayName, Payment, PaymentStatus, PurchasedPlan, Receipt, User
from portal.money import ZERO

_payments: Any = Payment.__table__

# Answers to Check (cloudpayments.md 3.3).
GO_ON, NO_SUCH_ORDER, WRONG_ACCOUNT, WRONG_AMOUNT, NOT_ACCEPTED, TOO_LATE = 0, 10, 11, 12, 13, 20

_PAYMENT = "Payment"
_NOT_HELD = frozenset({PaymentStatus.PENDING, PaymentStatus.UNKNOWN, PaymentStatus.FAILED})
_PAID = {"Completed": Outcome.SUCCEEDED, "Authorized": Outcome.AUTHORIZED}


def check(session: Session, told: CloudPaymentsNotification, now: datetime) -> int:
    """Answer the question whether a payment may go on.

    Reads only: nothing may follow, should the payer walk away.
    """
    found = session.execute(
        select(
            _payments,
            User.public_id.label("payer"),
            User.disabled_at,
            User.closed_at.label("payer_closed_at"),
            locks.IS_CLOSED.label("payer_is_closed"),
        )
        .join(User, User.id == _payments.c.user_id)
        .where(
            _payments.c.transaction_id == (told.reference or ""),
            _payments.c.gateway == GatewayName.CLOUDPAYMENTS,
        )
    ).one_or_none()
    if found is None:
        return NO_SUCH_ORDER
    if told.account is not None and told.account != found.payer:
        return WRONG_ACCOUNT
    if told.amount != found.amount or told.currency != found.currency:
        return WRONG_AMOUNT
    if told.test is not found.test_mode or found.disabled_at is not None:
        return NOT_ACCEPTED
    if found.status in {PaymentStatus.SUCCEEDED, PaymentStatus.AUTHORIZED}:
        return NOT_ACCEPTED
    over = found.superseded_at is not None or now >= found.expires_at
    # No card is let through for what would go back at once.
    goes_back = late_money.is_of_closed(found) or _has_nothing_to_replace(session, found)
    return TOO_LATE if over or goes_back else GO_ON


def _has_nothing_to_replace(session: Session, payment: Row[Any]) -> bool:
    """Whether the order is a change of a plan that does not count any more: its money would go back."""
    revoked = exists().where(
        PurchasedPlan.payment_id == payment.replaces_payment_id, PurchasedPlan.revoked_at.is_not(None)
    )
    return payment.replaces_payment_id is not None and bool(session.scalar(select(revoked)))


def apply(session: Session, told: CloudPaymentsNotification, now: datetime) -> Settlement:
    """Carry out one notification in the caller's transaction."""
    return _HANDLERS[told.kind](session, told, now)


def _pay(session: Session, told: CloudPaymentsNotification, now: datetime) -> Settlement:
    outcome = _PAID.get(told.status or "")
    if told.fields.get("OperationType", _PAYMENT) != _PAYMENT:
        # Money that goes the other way: a payout or a refund buys nothing.
        return Settlement(Verdict.IGNORED, f"pay that is a {told.fields['OperationType']}"[:200])
    if outcome is None:
        return Settlement(Verdict.IGNORED, f"pay with status {told.status or 'missing'}")
    return _settle(session, told, outcome, now)


def _confirm(session: Session, told: CloudPaymentsNotification, now: datetime) -> Settlement:
    if told.status != "Completed":
        return Settlement(Verdict.IGNORED, f"confirm with status {told.status or 'missing'}")
    payment = _find(session, told)
    if payment is not None and payment.status in _NOT_HELD and not told.fields.keys() & CAPTURED:
        # Only its address tells a confirm from a check, and no signature covers that: without a hold that we
        # have heard of, the gateway itself is asked.
        session.execute(update(_payments).where(_payments.c.id == payment.id).values(next_check_at=now))
        return Settlement(Verdict.WAITS, "confirm before its hold", payment.id)
    return _settle(session, told, Outcome.SUCCEEDED, now)


def _fail(session: Session, told: CloudPaymentsNotification, now: datetime) -> Settlement:
    return _settle(session, told, Outcome.FAILED, now)


def _cancel(session: Session, told: CloudPaymentsNotification, now: datetime) -> Settlement:
    """A hold was released. Only a held payment has one, and only that very attempt."""
    payment = _find(session, told)
    if payment is None or payment.gateway is not GatewayName.CLOUDPAYMENTS:
        return Settlement(Verdict.IGNORED, "cancel of an unknown payment")
    if payment.status is PaymentStatus.PENDING:
        # It overtook its own hold; the hold will follow, and then this can be carried out.
        return Settlement(Verdict.WAITS, "cancel before its hold", payment.id)
    if (
        payment.status is not PaymentStatus.AUTHORIZED
        or payment.gateway_payment_id != told.gateway_payment_id
    ):
        return Settlement(Verdict.IGNORED, f"cancel while it {payment.status.value}", payment.id)
    return settlement.settle(session, payment, _snapshot(told, Outcome.FAILED, failure_code="canceled"), now)


def _refund(session: Session, told: CloudPaymentsNotification, now: datetime) -> Settlement:
    payment = _find(session, told)
    if (
        payment is None
        or payment.gateway is not GatewayName.CLOUDPAYMENTS
        or told.amount is None
        or told.gateway_payment_id is None
        or told.gateway_refund_id is None
    ):
        return _unknown_refund(session, told, now)
    if payment.status is PaymentStatus.SUCCEEDED and payment.gateway_payment_id != told.gateway_payment_id:
        # The other one of two captures went back: ours stays.
        return Settlement(Verdict.IGNORED, "refund of another capture", payment.id)
    snapshot = RefundSnapshot(
        told.gateway_refund_id,
        told.gateway_payment_id,
        Outcome.SUCCEEDED,
        told.amount,
        told.currency
        or payment.currency,  # a Refund carries none: it is the payment's (cloudpayments.md 3.5)
    )
    return refund_news.book(session, payment, snapshot, now)


def _unknown_refund(session: Session, told: CloudPaymentsNotification, now: datetime) -> Settlement:
    """Money went back for something that is no order of ours, or in a sum that nobody can read."""
    gateway = GatewayName.CLOUDPAYMENTS
    if cases.speaks_of(session, gateway, told.gateway_payment_id):
        return Settlement(Verdict.IGNORED, "refund of money that is a case")
    facts = {"refund": told.gateway_refund_id, "reference": told.reference}
    key = f"{gateway.value}:{CaseKind.UNKNOWN_REFUND.value}:{told.gateway_refund_id}"
    money = (told.amount, told.currency)
    cases.open_case(
        session, CaseKind.UNKNOWN_REFUND, key, gateway, told.gateway_payment_id, None, money, facts, now
    )
    return Settlement(Verdict.CASE, "refund of an unknown payment")


def _recurrent(_session: Session, told: CloudPaymentsNotification, _now: datetime) -> Settlement:
    """A subscription at CloudPayments changed.

    We make none (the portal owns the clock), so there is nothing of ours to move.
    """
    return Settlement(Verdict.IGNORED, f"CloudPayments' own subscription is {told.status or 'unnamed'}"[:200])


def _receipt(session: Session, told: CloudPaymentsNotification, now: datetime) -> Settlement:
    payment = _find(session, told)
    facts = {name: value for name, value in told.fields.items() if name not in {"Receipt", "Email", "Phone"}}
    written = insert(Receipt).values(
        payment_id=payment.id if payment is not None else None,
        gateway=GatewayName.CLOUDPAYMENTS,
        gateway_receipt_id=(told.fields.get("Id") or told.fields.get("FiscalSign", ""))[:64],
        kind=told.fields.get("Type", "")[:20],
        url=told.fields.get("Url", "")[:1024],
        facts=facts,
        created_at=now,
    )
    session.execute(written.on_conflict_do_nothing(index_elements=["gateway_receipt_id"]))
    return Settlement(Verdict.NOTHING_NEW, "receipt kept", payment.id if payment is not None else None)


def _settle(session: Session, told: CloudPaymentsNotification, outcome: Outcome, now: datetime) -> Settlement:
    payment = _find(session, told)
    snapshot = _snapshot(told, outcome)
    if payment is None:
        if outcome is Outcome.FAILED:
            return Settlement(Verdict.IGNORED, "a refusal of an unknown order")
        cases.open_for_payment(
            session, CaseKind.UNKNOWN_PAYMENT, GatewayName.CLOUDPAYMENTS, snapshot, None, now
        )
        return Settlement(Verdict.CASE, CaseKind.UNKNOWN_PAYMENT.value)
    if payment.gateway is not GatewayName.CLOUDPAYMENTS:
        if outcome is Outcome.FAILED:
            return Settlement(Verdict.IGNORED, "a refusal of an order at another gateway", payment.id)
        cases.open_for_payment(
            session, CaseKind.GATEWAY_MISMATCH, GatewayName.CLOUDPAYMENTS, snapshot, payment.id, now
        )
        return Settlement(Verdict.CASE, CaseKind.GATEWAY_MISMATCH.value, payment.id)
    return settlement.settle(session, payment, snapshot, now)


def _find(session: Session, told: CloudPaymentsNotification) -> Row[Any] | None:
    """Our payment, locked: by our own id, or by theirs where the notification carries no InvoiceId."""
    if told.reference:
        return settlement.locked(session, transaction_id=told.reference[:64])
    if not told.gateway_payment_id:
        return None
    found = session.execute(
        select(_payments.c.id).where(
            _payments.c.gateway == GatewayName.CLOUDPAYMENTS,
            _payments.c.gateway_payment_id == told.gateway_payment_id,
        )
    ).scalar()
    return settlement.locked(session, payment_id=found) if found is not None else None


def _snapshot(
    told: CloudPaymentsNotification,
    outcome: Outcome,
    *,
    failure_code: str | None = None,
) -> PaymentSnapshot:
    """The notification in the words of the contract. The signature itself proves whose shop it is."""
    return PaymentSnapshot(
        gateway_payment_id=told.gateway_payment_id or "",
        outcome=outcome,
        amount=told.amount if told.amount is not None else ZERO,
        currency=told.currency or "",
        reference=told.reference,
        test=told.test,
        account=told.account,
        method_title=told.method_title,
        saved_method=told.saved_method,
        failure_code=failure_code or told.failure_code,
        happened_at=told.happened_at,
        retry_after=told.retry_after,
        fee=fee_of(told.fields) if outcome is Outcome.SUCCEEDED else None,
    )


_HANDLERS: dict[Kind, Callable[[Session, CloudPaymentsNotification, datetime], Settlement]] = {
    Kind.PAY: _pay,
    Kind.CONFIRM: _confirm,
    Kind.FAIL: _fail,
    Kind.CANCEL: _cancel,
    Kind.REFUND: _refund,
    Kind.RECURRENT: _recurrent,
    Kind.RECEIPT: _receipt,
}

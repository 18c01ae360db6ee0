"""A payment's whole story in time, out of every table that tells of it; one line per thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from portal.billing import extending
from portal.database import Base, db
from portal.models import (
    AuditEntry,
    Case,
    Consent,
    GatewayCall,
    Notification,
    Payment,
    PaymentMove,
    PaymentPurpose,
    PaymentStatus,
    PurchasedPlan,
    Receipt,
    Refund,
    WebhookEvent,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: its moment, what it was, and the row that tells of it."""

    at: datetime
    what: str
    row: Any
    #: A second fact where the row alone does not say it.
    more: Any = None


def of(payment: Payment) -> list[Line]:
    """Everything that is known of a payment, oldest first; of one moment in the order of cause and effect."""
    session = db.session()
    refunds = _all(session, Refund, Refund.payment_id == payment.id)
    found = [
        *_beginning(session, payment),
        *_attempts(session, payment),
        *_of(session, WebhookEvent, "event", WebhookEvent.payment_id == payment.id, "received_at"),
        *_of(session, GatewayCall, "call", GatewayCall.payment_id == payment.id, "at"),
        *_moves(session, payment),
        *_periods(session, payment),
        *_refunds(refunds),
        *_of(session, Receipt, "receipt", Receipt.payment_id == payment.id, "created_at"),
        *_cases(session, payment),
        *_acts(session, payment, refunds),
        *_words(session, payment),
    ]
    return sorted(found, key=lambda line: line.at)


def _beginning(session: Session, payment: Payment) -> Iterator[Line]:
    yield Line(payment.created_at, "created", payment)
    yield from _of(session, Consent, "consent", Consent.payment_id == payment.id, "given_at")
    if payment.replaces_payment_id is not None:
        yield Line(payment.created_at, "credit", session.get(Payment, payment.replaces_payment_id))
    if payment.superseded_at is not None:
        yield Line(payment.superseded_at, "superseded", payment)


def _attempts(session: Session, payment: Payment) -> Iterator[Line]:
    """Other attempts at the same renewal, and the changes that took this one's place."""
    others = [and_(Payment.replaces_payment_id == payment.id, Payment.status == PaymentStatus.SUCCEEDED)]
    if payment.purpose is PaymentPurpose.RENEWAL:
        others.append(
            and_(
                Payment.subscription_id == payment.subscription_id,
                Payment.period_start == payment.period_start,
                Payment.purpose == PaymentPurpose.RENEWAL,
                Payment.id != payment.id,
            )
        )
    # All of them are this customer's: that is what an index finds them by.
    for one in _all(session, Payment, and_(Payment.user_id == payment.user_id, or_(*others))):
        if one.replaces_payment_id == payment.id:
            yield Line(one.paid_at or one.created_at, "replaced", one)
        else:
            yield Line(one.created_at, "attempt", one)


def _moves(session: Session, payment: Payment) -> Iterator[Line]:
    """As they were written down; of payments that are older than that, what their columns say."""
    kept = list(_of(session, PaymentMove, "move", PaymentMove.payment_id == payment.id, "at"))
    yield from kept
    if not kept:
        for name, after in (("failed_at", PaymentStatus.FAILED), ("paid_at", PaymentStatus.SUCCEEDED)):
            if (at := getattr(payment, name)) is not None:
                yield Line(at, "move", PaymentMove(after=after, code=payment.failure_code))


def _periods(session: Session, payment: Payment) -> Iterator[Line]:
    for period in _all(session, PurchasedPlan, PurchasedPlan.payment_id == payment.id):
        yield Line(period.created_at, "period", period)
        for given in extending.of_periods([period.id]):
            yield Line(given.created_at, "extended", given)
        if period.revoked_at is not None:
            yield Line(period.revoked_at, "revoked", period)


def _refunds(refunds: Iterable[Refund]) -> Iterator[Line]:
    for refund in refunds:
        yield Line(refund.created_at, "refund", refund)
        if refund.finished_at is not None:
            yield Line(refund.finished_at, "refund_ended", refund)


def _cases(session: Session, payment: Payment) -> Iterator[Line]:
    theirs = and_(
        Case.gateway == payment.gateway,
        Case.gateway_payment_id.is_not(None),
        Case.gateway_payment_id == payment.gateway_payment_id,
    )
    for case in _all(session, Case, or_(Case.payment_id == payment.id, theirs)):
        yield Line(case.opened_at, "case", case)
        if case.resolved_at is not None:
            yield Line(case.resolved_at, "case_closed", case)


def _acts(session: Session, payment: Payment, refunds: Iterable[Refund]) -> Iterator[Line]:
    """What operators did to the payment itself or to its refunds."""
    subjects = [("payment", [str(payment.id)]), ("refund", [str(refund.id) for refund in refunds])]
    touched = or_(
        *(
            and_(AuditEntry.subject_type == kind, AuditEntry.subject_id.in_(ids))
            for kind, ids in subjects
            if ids
        )
    )
    yield from _of(session, AuditEntry, "act", touched, "at")


def _words(session: Session, payment: Payment) -> Iterator[Line]:
    """What the customer was told of it, in the portal and by letters."""
    about = [Notification.facts["transaction_id"].astext == payment.transaction_id]
    if payment.purpose is PaymentPurpose.RENEWAL and payment.period_start is not None:
        coming = f"renewal_coming:{payment.subscription_id}:{payment.period_start:%Y%m%dT%H%M%S}:"
        about.append(Notification.dedupe_key.startswith(coming, autoescape=True))
    told = and_(Notification.user_id == payment.user_id, or_(*about))
    yield from _of(session, Notification, "told", told, "created_at")


def _of(session: Session, kind: type[Base], what: str, condition: Any, moment: str) -> Iterator[Line]:
    for row in _all(session, kind, condition):
        yield Line(getattr(row, moment), what, row)


def _all(session: Session, kind: Any, condition: Any) -> list[Any]:
    asked = select(kind).where(condition).order_by(kind.id)
    return list(session.scalars(asked.execution_options(populate_existing=True)))

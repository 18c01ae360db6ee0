"""Giving the replaced plan back when the money of a change has gone back: for the rest of its own time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.orm import Session

from portal.billing import notices
from portal.billing.stopping import Because, stop_charging
from portal.models import (
    Consent,
    Payment,
    PaymentPurpose,
    PurchasedPlan,
    Revocation,
    Subscription,
    UsageRecord,
)
from portal.models.usage_record import CARRIED, GIVEN_BACK

_payments: Any = Payment.__table__
_records: Any = UsageRecord.__table__


def carried_key(transaction_id: str) -> str:
    """The key under which a change takes along what was used of the old plan after it was ordered."""
    return f"{CARRIED}{transaction_id}"


def restore(session: Session, ended: PurchasedPlan, payment: Row[Any], now: datetime) -> PurchasedPlan | None:
    """Let what the change *payment* replaced count again; ``None`` where there is nothing to give back.

    *ended* is the change's own period, just revoked. Called under the customer's lock. Nothing comes back
    once either period is over, nor where the replaced payment went back as well or was canceled. What was
    used meanwhile was used of the old plan, as far as it goes.
    """
    if payment.purpose is not PaymentPurpose.CHANGE or not ended.starts_at <= now < ended.ends_at:
        return None
    since = _used_beyond(session, ended, payment)
    replaced, paid_with = _period_of(session, payment.replaces_payment_id)
    while paid_with.refunded_amount == paid_with.amount and paid_with.purpose is PaymentPurpose.CHANGE:
        # That one's money is with the customer too: what it had replaced takes its place.
        replaced.revoked_because = Revocation.REFUNDED
        since += _used_beyond(session, replaced, paid_with)
        replaced, paid_with = _period_of(session, paid_with.replaces_payment_id)
    gone = paid_with.refunded_amount == paid_with.amount
    if gone or replaced.revoked_because is not Revocation.REPLACED or replaced.ends_at <= now:
        return None
    replaced.revoked_at = replaced.revoked_because = None
    replaced.subscription_id = ended.subscription_id
    _count(session, replaced, payment, min(since, replaced.emails_left), now)
    _end_its_agreement(session, ended, replaced, payment, now)
    _tell(session, replaced, payment, now)
    return replaced


def _period_of(session: Session, payment_id: int) -> tuple[PurchasedPlan, Row[Any]]:
    period = session.scalars(
        select(PurchasedPlan)
        .where(PurchasedPlan.payment_id == payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    return period, session.execute(select(_payments).where(_payments.c.id == payment_id)).one()


def _used_beyond(session: Session, period: PurchasedPlan, payment: Row[Any]) -> int:
    """What was used of a change's period apart from what it took along, which the old one counts already."""
    carried = session.execute(
        select(_records.c.quantity).where(
            _records.c.user_id == payment.user_id,
            _records.c.idempotency_key == carried_key(payment.transaction_id),
        )
    ).scalar()
    return max(0, period.emails_used - (carried or 0))


def _count(session: Session, period: PurchasedPlan, payment: Row[Any], used: int, now: datetime) -> None:
    if used <= 0:
        return
    period.emails_used += used
    session.execute(
        insert(_records).values(
            user_id=period.user_id,
            purchased_plan_id=period.id,
            quantity=used,
            idempotency_key=f"{GIVEN_BACK}{payment.transaction_id}",
            emails_left=period.emails_left,
            created_at=now,
        )
    )


def _end_its_agreement(
    session: Session, ended: PurchasedPlan, replaced: PurchasedPlan, payment: Row[Any], now: datetime
) -> None:
    """Renewals at the price of a plan that is undone are not charged; only the customer agrees to others.

    What was agreed to for the plan that comes back is what would be offered again.
    """
    given_with_it = (
        select(Subscription.id)
        .join(Consent, Consent.id == Subscription.consent_id)
        .where(Subscription.id == ended.subscription_id, Consent.payment_id == payment.id)
    )
    subscription_id = session.execute(given_with_it).scalar()
    if subscription_id is None:
        return
    stop_charging(session, subscription_id, Because.REFUNDED, now)
    before = select(func.max(Consent.id)).where(
        Consent.user_id == payment.user_id,
        Consent.plan_id == replaced.plan_id,
        Consent.withdrawn_because == Because.REPLACED.value,
    )
    put_back = update(Subscription).where(Subscription.id == subscription_id)
    session.execute(put_back.values(consent_id=before.scalar_subquery()))


def _tell(session: Session, period: PurchasedPlan, payment: Row[Any], now: datetime) -> None:
    facts = {
        "what": "restored",
        "plan_title": period.plan_title,
        "old_title": payment.plan_title,
        "ends_at": period.ends_at.isoformat(),
        "emails_left": period.emails_left,
    }
    key = f"plan_restored:{payment.transaction_id}"
    notices.announce(session, payment.user_id, "plan_changed", key, facts, now)

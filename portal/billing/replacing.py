"""A change of plan that was paid: the running period ends, the new one takes its place.

The new period begins when the change was ordered, which is when its credit was worked out: so nothing is
gained by paying late. What the old period gave since then counts against the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.orm import Session

from portal.billing import late_money, notices, periods, refunds, subscriptions
from portal.billing.restoring import carried_key
from portal.billing.stopping import Because, withdraw
from portal.billing.subscriptions import Agreed
from portal.models import (
    Consent,
    PurchasedPlan,
    RefundSource,
    Revocation,
    Subscription,
    SubscriptionStatus,
    UsageRecord,
)
from portal.models.subscription import LIVE
from portal.money import to_wire

_records: Any = UsageRecord.__table__
_consents: Any = Consent.__table__


def carry_out(
    session: Session, payment: Row[Any], agreed: Agreed | None, facts: Mapping[str, Any], now: datetime
) -> None:
    """Give what a captured change paid for, or order its money back where there is nothing left to change.

    Called once per payment, under the lock of payment and customer. *facts* are what notices say of every
    payment.
    """
    replaced = session.scalars(
        select(PurchasedPlan)
        .where(PurchasedPlan.payment_id == payment.replaces_payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if not _still_counts(replaced, payment, now):
        _send_back(session, replaced, payment, facts, now)
        return
    replaced.revoked_at, replaced.revoked_because = now, Revocation.REPLACED
    live = _subscription(session, payment, now)
    carried = min(max(0, replaced.emails_used - payment.replaced_emails_used), payment.email_quota)
    ends_at = payment.created_at + timedelta(days=payment.period_days)
    period_id = periods.write(
        session, payment, live.id, payment.created_at, ends_at, now, emails_used=carried
    )
    if carried:
        _carry(session, payment, period_id, carried, now)
    row = periods.lay_out(session, payment.user_id, payment.created_at, payment.created_at)
    last = [period for period in row if period.subscription_id == live.id][-1]
    live.status, live.plan_id, live.current_period_end = (
        SubscriptionStatus.ACTIVE,
        last.plan_id,
        last.ends_at,
    )
    _agree(session, live, payment, agreed, now)
    session.flush()
    subscriptions.replan(session, live, now)
    _tell(session, live, replaced, payment, {**facts, "ends_at": ends_at.isoformat()}, now)


def _still_counts(replaced: PurchasedPlan, payment: Row[Any], now: datetime) -> bool:
    """Whether the period that gave the credit is still there to be replaced.

    It need not run any more: it ran when the change was ordered. Of the new one something must be left.
    """
    ordered_at = payment.created_at
    return (
        replaced.revoked_at is None
        and replaced.starts_at <= ordered_at < replaced.ends_at
        and now < ordered_at + timedelta(days=payment.period_days)
        and not late_money.is_of_closed(payment)
    )


def _send_back(
    session: Session, replaced: PurchasedPlan, payment: Row[Any], facts: Mapping[str, Any], now: datetime
) -> None:
    """Law 3: the capture makes its period, which counts from no moment on; and the money goes back."""
    ends_at = payment.created_at + timedelta(days=payment.period_days)
    periods.write(
        session,
        payment,
        replaced.subscription_id,
        payment.created_at,
        ends_at,
        now,
        revoked_because=Revocation.REFUNDED,
    )
    withdraw(session, _consent_of(session, payment), Because.REPLACED, now)
    why = "The plan to be changed was not there any more."
    refunds.order(session, payment, payment.amount, RefundSource.CUSTOMER, why, now)
    key = f"change_returned:{payment.transaction_id}"
    notices.announce(session, payment.user_id, "change_returned", key, facts, now)


def _subscription(session: Session, payment: Row[Any], now: datetime) -> Subscription:
    """The live agreement, or a new one where the old period ended between the order and its money."""
    live = session.scalar(
        select(Subscription)
        .where(Subscription.user_id == payment.user_id, Subscription.status.in_(LIVE))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if live is None:
        live = Subscription(
            user_id=payment.user_id,
            plan_id=payment.plan_id,
            status=SubscriptionStatus.ACTIVE,
            current_period_start=payment.created_at,
            current_period_end=payment.created_at,
            auto_renew=False,
            created_at=now,
        )
        session.add(live)
        session.flush()
    return live


def _carry(session: Session, payment: Row[Any], period_id: int, carried: int, now: datetime) -> None:
    session.execute(
        insert(_records).values(
            user_id=payment.user_id,
            purchased_plan_id=period_id,
            quantity=carried,
            idempotency_key=carried_key(payment.transaction_id),
            emails_left=payment.email_quota - carried,
            created_at=now,
        )
    )


def _agree(
    session: Session, live: Subscription, payment: Row[Any], agreed: Agreed | None, now: datetime
) -> None:
    """Put the agreement in force that was given with the order.

    It switches renewal on only together with a method saved for it; where renewal is on, it replaces the
    agreement before it. One that was given after it, or taken back since, stands above it.
    """
    given = _consent_of(session, payment)
    if given is None:
        return
    newer = live.auto_renew and live.consent_id is not None and live.consent_id > given
    if newer or (agreed is None and not live.auto_renew):
        withdraw(session, given, Because.REPLACED if newer else Because.ENDED, now)
        return
    if live.auto_renew and live.consent_id != given:
        withdraw(session, live.consent_id, Because.REPLACED, now)
    live.auto_renew, live.consent_id = True, given
    if agreed is not None:
        live.payment_method_id = agreed.method_id


def _consent_of(session: Session, payment: Row[Any]) -> int | None:
    """The agreement that was given with this order and is not withdrawn."""
    given = select(_consents.c.id).where(
        _consents.c.payment_id == payment.id, _consents.c.withdrawn_at.is_(None)
    )
    found: int | None = session.execute(given.order_by(_consents.c.id.desc()).limit(1)).scalar()
    return found


def _tell(
    session: Session,
    live: Subscription,
    replaced: PurchasedPlan,
    payment: Row[Any],
    facts: Mapping[str, Any],
    now: datetime,
) -> None:
    consent = session.get(Consent, live.consent_id) if live.auto_renew and live.consent_id else None
    more = {
        "what": "now",
        "old_title": replaced.plan_title,
        "credit": to_wire(payment.credit),
        "emails": payment.email_quota,
        "renews_as": consent and consent.plan_title,
        "renews_for": consent and to_wire(consent.amount),
    }
    key = f"plan_changed:{payment.transaction_id}"
    notices.announce(session, payment.user_id, "plan_changed", key, {**facts, **more}, now)

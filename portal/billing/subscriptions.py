"""What a payment gives: a paid period, the subscription that holds it, and what a customer may use now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from portal.billing import agenda, periods, restoring
from portal.billing.stopping import Because, stop_charging, withdraw
from portal.database import db
from portal.models import (
    PaymentMethod,
    PaymentPurpose,
    PurchasedPlan,
    Revocation,
    Subscription,
    SubscriptionStatus,
)
from portal.models.subscription import LIVE, may_move

_subscriptions: Any = Subscription.__table__


@dataclass(frozen=True, slots=True)
class Agreed:
    """A method that was just saved, and the agreement to charge it."""

    method_id: int
    consent_id: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a customer has at one moment."""

    status: str  # active, past_due, canceled, expired, none
    current: PurchasedPlan | None
    upcoming: tuple[PurchasedPlan, ...]
    ends_at: datetime | None  # of all that is paid
    usable_until: datetime | None  # that, or the end of the grace after it
    days_left: int  # of all that is paid, begun days count
    auto_renew: bool
    method: PaymentMethod | None
    charge_due_at: datetime | None  # the next charge, where one is planned
    subscription: Subscription | None  # the live one


def activate(session: Session, payment: Row[Any], agreed: Agreed | None, now: datetime) -> datetime:
    """Give the period that *payment* paid for, and say when it ends.

    Called once per payment, under its lock.
    """
    live = session.execute(
        select(_subscriptions)
        .where(_subscriptions.c.user_id == payment.user_id, _subscriptions.c.status.in_(LIVE))
        .with_for_update()  # it may be expiring in this very moment; then there is none, and a new one begins
    ).one_or_none()
    assert live is None or may_move(live.status, SubscriptionStatus.ACTIVE)
    starts_at, goes_on = _starts_at(session, payment, live, now)
    ends_at = starts_at + timedelta(days=payment.period_days)
    renews = agreed is not None or (live is not None and live.auto_renew)
    plan = agenda.cycle(starts_at, ends_at, renews=renews)
    values = {
        "plan_id": payment.plan_id,
        "status": SubscriptionStatus.ACTIVE,
        "current_period_start": live.current_period_start if live is not None and goes_on else now,
        "current_period_end": ends_at,
        "charge_due_at": plan.charge_due_at,
        "charge_look_at": plan.charge_due_at,
        "grace_until": plan.grace_until,
        "held_since": None,
        "look_at": now,
    }
    if agreed is not None:
        method_id, consent_id = agreed.method_id, agreed.consent_id
        values |= {"auto_renew": True, "payment_method_id": method_id, "consent_id": consent_id}
        if live is not None and live.consent_id != agreed.consent_id:
            withdraw(session, live.consent_id, Because.REPLACED, now)
    if live is None:
        row = {"auto_renew": False, "user_id": payment.user_id, "created_at": now, **values}
        written = insert(_subscriptions).values(row).returning(_subscriptions.c.id)
        subscription_id = session.execute(written).scalar_one()
    else:
        subscription_id = live.id
        session.execute(update(_subscriptions).where(_subscriptions.c.id == live.id).values(values))
    periods.write(session, payment, subscription_id, starts_at, ends_at, now)
    return ends_at


def _starts_at(
    session: Session, payment: Row[Any], live: Row[Any] | None, now: datetime
) -> tuple[datetime, bool]:
    """Where the period begins, and whether it goes on from the one before.

    Now, or where the paid time ends: nothing that was paid for is lost. In the days of grace where the paid
    time ended, since it was used already; but what would be over by now is worth nothing and begins now.
    """
    starts_at = max(now, periods.paid_until(session, payment.user_id) or now)
    if live is None:
        return starts_at, False
    in_grace = live.grace_until is not None and live.grace_until > now >= live.current_period_end
    if in_grace and live.current_period_end + timedelta(days=payment.period_days) > now:
        return min(starts_at, live.current_period_end), True
    return starts_at, live.current_period_end > now


def record_unused(
    session: Session, payment: Row[Any], subscription_id: int, starts_at: datetime, now: datetime
) -> None:
    """Write the period of a payment whose money goes straight back: it never counts."""
    ends_at = starts_at + timedelta(days=payment.period_days)
    because = Revocation.CANCELED
    periods.write(session, payment, subscription_id, starts_at, ends_at, now, revoked_because=because)


def revoke(session: Session, payment: Row[Any], now: datetime) -> None:
    """Take back the period of a payment refunded in full; later ones move up, so no paid day is lost.

    Where it was a change, the plan that it replaced comes back for the rest of its time.
    A refunded renewal ends automatic charging; its customer may switch it on again.
    """
    period = session.scalar(
        select(PurchasedPlan)
        .where(PurchasedPlan.payment_id == payment.id, PurchasedPlan.revoked_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if period is None:
        return
    period.revoked_at, period.revoked_because = now, Revocation.REFUNDED
    session.flush()
    restoring.restore(session, period, payment, now)
    later = periods.lay_out(session, payment.user_id, max(now, period.starts_at), now)
    live = session.scalar(
        select(Subscription)
        .where(Subscription.user_id == payment.user_id, Subscription.status.in_(LIVE))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if live is None:
        return
    own = [one for one in later if one.subscription_id == live.id]
    if own:
        live.current_period_end, live.plan_id = own[-1].ends_at, own[-1].plan_id
        session.flush()
        replan(session, live, now)
        at_once = live.charge_due_at is not None and live.charge_due_at <= now
        if payment.purpose is PaymentPurpose.RENEWAL or at_once:  # not charged again unasked
            session.flush()
            stop_charging(session, live.id, Because.REFUNDED, now)
    elif live.id == period.subscription_id:
        live.current_period_end = max(now, live.current_period_start)
        live.status, live.ended_at = SubscriptionStatus.CANCELED, now
        stop_charging(session, live.id, Because.CANCELED, now)


def standing(user_id: int, now: datetime) -> Standing:
    """What the customer has at *now*. A period ends exactly at its end, whether or not a job has said so."""
    paid = db.session.scalars(
        select(PurchasedPlan)
        .where(
            PurchasedPlan.user_id == user_id, PurchasedPlan.ends_at > now, PurchasedPlan.revoked_at.is_(None)
        )
        .order_by(PurchasedPlan.starts_at)
    ).all()
    subscription = db.session.scalar(
        select(Subscription).where(Subscription.user_id == user_id).order_by(Subscription.id.desc()).limit(1)
    )
    live = subscription if subscription is not None and is_usable(subscription, now) else None
    method = _method(live)
    ends_at = max((period.ends_at for period in paid), default=None)
    current = next((period for period in paid if period.starts_at <= now), None)
    return Standing(
        status=_status(subscription, now),
        current=current if current or paid or live is None else _in_grace(live),
        upcoming=tuple(period for period in paid if period.starts_at > now),
        ends_at=ends_at,
        usable_until=_usable_until(ends_at, live),
        days_left=ceil((ends_at - now) / timedelta(days=1)) if ends_at else 0,
        auto_renew=bool(live and live.auto_renew and method),
        method=method,
        charge_due_at=live.charge_due_at if live else None,
        subscription=live,
    )


def _usable_until(ends_at: datetime | None, live: Subscription | None) -> datetime | None:
    """The end of all that is paid, or of the grace where the paid time is over."""
    return ends_at or (live.grace_until if live is not None else None)


def is_usable(subscription: Subscription, now: datetime) -> bool:
    """Whether what was paid, or the grace after it, still lasts."""
    last = max(filter(None, (subscription.current_period_end, subscription.grace_until)))
    return subscription.status in LIVE and now < last


def _method(subscription: Subscription | None) -> PaymentMethod | None:
    """The method that a renewal would charge, unless it was unlinked."""
    if subscription is None or subscription.payment_method_id is None:
        return None
    method = db.session.get(PaymentMethod, subscription.payment_method_id)
    return method if method is not None and method.detached_at is None else None


def _in_grace(subscription: Subscription) -> PurchasedPlan | None:
    """The period that is over and may still be used while its renewal is being tried."""
    return db.session.scalar(
        select(PurchasedPlan).where(
            PurchasedPlan.subscription_id == subscription.id,
            PurchasedPlan.ends_at == subscription.current_period_end,
            PurchasedPlan.revoked_at.is_(None),
        )
    )


def _status(subscription: Subscription | None, now: datetime) -> str:
    if subscription is None:
        return "none"
    if subscription.status in LIVE and not is_usable(subscription, now):
        return SubscriptionStatus.EXPIRED.value
    if subscription.status in LIVE and subscription.current_period_end <= now:
        return SubscriptionStatus.PAST_DUE.value
    return subscription.status.value


def replan(session: Session, subscription: Subscription, now: datetime) -> None:
    """Work out anew when the live *subscription* is charged; in the caller's transaction, under its locks."""
    last = last_period(session, subscription.id)
    plan = agenda.cycle(last.starts_at, last.ends_at, renews=subscription.auto_renew)
    subscription.charge_due_at = subscription.charge_look_at = plan.charge_due_at
    subscription.grace_until, subscription.held_since, subscription.look_at = plan.grace_until, None, now


def last_period(session: Session, subscription_id: int) -> PurchasedPlan:
    """The paid period of a live subscription that ends last."""
    return session.scalars(
        select(PurchasedPlan)
        .where(PurchasedPlan.subscription_id == subscription_id, PurchasedPlan.revoked_at.is_(None))
        .order_by(PurchasedPlan.ends_at.desc())
        .limit(1)
    ).one()


def next_start(standing: Standing, now: datetime) -> datetime:
    """Where a period bought now would begin: see :func:`activate`."""
    if standing.ends_at is not None:
        return standing.ends_at
    live = standing.subscription
    return live.current_period_end if live is not None and standing.usable_until else now

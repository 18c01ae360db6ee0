"""Tending a subscription: the words that fall due are said, and the end is written down when it is there.

Access ends by itself (:func:`portal.billing.subscriptions.standing`); what happens here only tells about it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from portal import clock
from portal.billing import agenda, notices, retries, settings, settlement
from portal.billing.stopping import Because, stop_charging, withdraw
from portal.billing.subscriptions import last_period
from portal.database import db, transaction
from portal.models import (
    Channel,
    Consent,
    Notification,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    Plan,
    Subscription,
    SubscriptionStatus,
    User,
)
from portal.models.payment import OPEN
from portal.models.subscription import LIVE
from portal.money import to_wire

_HOUR = timedelta(hours=1)


def due(now: datetime, limit: int = 200) -> list[int]:
    """Subscriptions for which something falls due by *now*, through the index."""
    found = select(Subscription.id).where(Subscription.look_at <= now).order_by(Subscription.look_at)
    return list(db.session.scalars(found.limit(limit)))


def tend(subscription_id: int, now: datetime) -> bool:
    """Say what is due, end what is over, and write down when to look next. Safe to repeat.

    Tells whether the subscription ended.
    """
    owner = db.session.scalar(select(Subscription.user_id).where(Subscription.id == subscription_id))
    if owner is None:
        return False
    with transaction() as session:
        settlement.lock_customer(session, owner)
        subscription = session.get_one(
            Subscription, subscription_id, with_for_update=True, populate_existing=True
        )
        if subscription.status not in LIVE:
            subscription.look_at = subscription.charge_look_at = None
            return False
        closed = session.get_one(User, owner, populate_existing=True).disabled_at is not None
        if closed and subscription.auto_renew:
            # Nobody is charged whose account is closed, so no charge is announced either.
            stop_charging(session, subscription.id, Because.ENDED, now)
            session.refresh(subscription)
        if _is_over(session, subscription, now):
            _end(session, subscription, now, in_silence=closed)
            return True
        if closed:
            subscription.look_at = subscription.current_period_end
            return False
        subscription.look_at = _say_what_is_due(session, subscription, now)
        return False


def expire(now: datetime, limit: int = 500) -> int:
    """Write down the end of all subscriptions that are over; say how many. Each in its own transaction."""
    over = (
        select(Subscription.id)
        .where(
            Subscription.status.in_(LIVE),
            Subscription.current_period_end <= now,
            func.coalesce(Subscription.grace_until, Subscription.current_period_end) <= now,
        )
        .order_by(Subscription.current_period_end)
    )
    return sum([tend(found, now) for found in db.session.scalars(over.limit(limit)).all()])


def announced_at(session: Session, subscription: Subscription) -> datetime | None:
    """When the letter that announces the coming charge was accepted for delivery; ``None`` before that."""
    sent = select(func.min(Notification.sent_at)).where(*_announcements(subscription))
    found: datetime | None = session.scalar(sent.where(Notification.last_error.is_(None)))
    return found


def waiting_announcement(session: Session, subscription: Subscription) -> Notification | None:
    """The letter that announces the coming charge and has not left yet."""
    waiting = select(Notification).where(*_announcements(subscription), Notification.sent_at.is_(None))
    return session.scalar(
        waiting.order_by(Notification.next_attempt_at).limit(1).execution_options(populate_existing=True)
    )


def _announcements(subscription: Subscription) -> tuple[ColumnElement[bool], ...]:
    keys = [f"{_coming(subscription, before)}:{Channel.EMAIL.value}" for before in agenda.WORDS_BEFORE]
    return (Notification.dedupe_key.in_(keys),)


def earliest_charge(session: Session, subscription: Subscription, now: datetime) -> datetime:
    """The moment of the planned charge, which leaves the customer time to say no after its announcement; one
    that is not announced yet is by *now* at the earliest.
    """
    told_at = announced_at(session, subscription) or now
    return max(subscription.charge_due_at or now, told_at + time_to_say_no(session, subscription))


def time_to_say_no(session: Session, subscription: Subscription) -> timedelta:
    """How long the customer has between the announcement of a charge and the charge."""
    return agenda.time_to_say_no(
        last_period(session, subscription.id).starts_at, subscription.current_period_end
    )


def is_past(subscription: Subscription, now: datetime) -> bool:
    """Whether the paid time and any grace after it are over."""
    return now >= max(filter(None, (subscription.current_period_end, subscription.grace_until)))


def _is_over(session: Session, subscription: Subscription, now: datetime) -> bool:
    """Whether what may be used has come to its end; at the end of a period that is being renewed, not yet."""
    if now < subscription.current_period_end:
        return False
    if is_past(subscription, now):
        return True
    if subscription.status is SubscriptionStatus.PAST_DUE:
        return False
    if not _is_being_renewed(session, subscription) or not settings.current().auto_renewal_enabled:
        return True
    subscription.status = SubscriptionStatus.PAST_DUE
    return False


def _is_being_renewed(session: Session, subscription: Subscription) -> bool:
    open_charge = select(Payment.id).where(
        Payment.subscription_id == subscription.id,
        Payment.purpose == PaymentPurpose.RENEWAL,
        Payment.status.in_(OPEN),
    )
    return subscription.charge_due_at is not None or session.scalar(open_charge.limit(1)) is not None


def _end(session: Session, subscription: Subscription, now: datetime, *, in_silence: bool) -> None:
    subscription.status, subscription.ended_at = SubscriptionStatus.EXPIRED, now
    subscription.auto_renew = False
    subscription.charge_due_at = subscription.charge_look_at = subscription.look_at = None
    subscription.held_since = subscription.grace_until = None
    withdraw(session, subscription.consent_id, Because.ENDED, now)
    if in_silence:
        return
    period = last_period(session, subscription.id)
    facts = {
        "plan_title": period.plan_title,
        "plan_code": period.plan_code,
        "ended_at": period.ends_at.isoformat(),
    }
    key = f"plan_ended:{subscription.id}:{period.ends_at:%Y%m%dT%H%M%S}"
    notices.announce(session, subscription.user_id, "plan_ended", key, facts, now)


def _say_what_is_due(session: Session, subscription: Subscription, now: datetime) -> datetime:
    """Announce what the time has come for; gives the next moment to look."""
    end = subscription.current_period_end
    moments = [end, *([subscription.grace_until] if subscription.grace_until else [])]
    if is_renewed(session, subscription):
        moments += _words_of_a_renewal(session, subscription, now)
    else:
        moments += _words_of_an_end(session, subscription, now)
        if subscription.charge_due_at is not None:
            # Should it be charged after all by then, that is told in time.
            moments += [subscription.charge_due_at - before for before in agenda.WORDS_BEFORE]
    return min(moment for moment in moments if moment > now)


def is_renewed(session: Session, subscription: Subscription) -> bool:
    """Whether the next period is going to be charged, as far as anybody knows."""
    renews = subscription.auto_renew and settings.current().auto_renewal_enabled
    return renews and not _waits_for_another_method(session, subscription)


def _waits_for_another_method(session: Session, subscription: Subscription) -> bool:
    """Whether the paid time just runs out: the method was refused for good, and nobody gave another."""
    method = session.get_one(PaymentMethod, subscription.payment_method_id)
    return method.stopped_at is not None and subscription.status is SubscriptionStatus.ACTIVE


def _words_of_a_renewal(session: Session, subscription: Subscription, now: datetime) -> list[datetime]:
    moments: list[datetime] = []
    method = session.get_one(PaymentMethod, subscription.payment_method_id)
    charge = subscription.charge_due_at
    if charge is not None and retries.is_first_try(session, subscription):
        words = [charge - before for before in agenda.WORDS_BEFORE]
        moments += words
        said = [before for before, moment in zip(agenda.WORDS_BEFORE, words, strict=True) if moment <= now]
        if said:
            _announce_charge(session, subscription, method, min(said), now)
    runs_out = agenda.card_runs_out(method)
    if runs_out is not None and method.stopped_at is None and method.detached_at is None:
        warn_at = runs_out - agenda.CARD_WORDS_BEFORE
        moments.append(warn_at)
        if warn_at <= now:
            _announce_card(session, subscription, method, now)
    return moments


def _words_of_an_end(session: Session, subscription: Subscription, now: datetime) -> list[datetime]:
    end = subscription.current_period_end
    words = [end - before for before in agenda.WORDS_BEFORE]
    said = [before for before, moment in zip(agenda.WORDS_BEFORE, words, strict=True) if moment <= now < end]
    period = last_period(session, subscription.id)
    # Of a plan bought for a day nobody needs three days' notice.
    if said and period.starts_at < end - min(said):
        facts = {
            "plan_title": period.plan_title,
            "plan_code": period.plan_code,
            "ends_at": end.isoformat(),
            "ends_of": subscription.id,
            "on_sale": session.get_one(Plan, period.plan_id, populate_existing=True).on_sale,
        }
        key = f"plan_ends:{subscription.id}:{end:%Y%m%dT%H%M%S}:{min(said) // _HOUR}"
        notices.announce(session, subscription.user_id, "plan_ends", key, facts, now)
    return words


def _announce_charge(
    session: Session, subscription: Subscription, method: PaymentMethod, before: timedelta, now: datetime
) -> None:
    consent = session.get(Consent, subscription.consent_id or 0)
    if consent is None or subscription.charge_due_at is None:
        return
    facts = {
        "plan_title": consent.plan_title,
        "amount": to_wire(consent.amount),
        "currency": consent.currency,
        "charge_at": earliest_charge(session, subscription, now).isoformat(),
        "charge_of": subscription.id,
        "period_days": consent.period_days,
        "method": method.title,
        "renewal_link": subscription.id,
    }
    key = _coming(subscription, before)
    notices.announce(session, subscription.user_id, "renewal_coming", key, facts, now)


def _announce_card(
    session: Session, subscription: Subscription, method: PaymentMethod, now: datetime
) -> None:
    runs_out, charge = agenda.card_runs_out(method), subscription.charge_due_at
    facts = {
        "method": method.title,
        "month": f"{method.expiry_month:02d}/{method.expiry_year}",
        # What is charged before that needs no other card.
        "charge_at": charge.isoformat() if charge and runs_out and runs_out <= charge else None,
    }
    key = f"card_expires:{method.id}:{method.expiry_year}-{method.expiry_month}"
    notices.announce(session, subscription.user_id, "card_expires", key, facts, now)


def _coming(subscription: Subscription, before: timedelta) -> str:
    """The event's key: one announcement of each kind per period."""
    return f"{_of_this_cycle(subscription)}{before // _HOUR}"


def _of_this_cycle(subscription: Subscription) -> str:
    return f"renewal_coming:{subscription.id}:{subscription.current_period_end:%Y%m%dT%H%M%S}:"


def _is_still_coming(letter: Notification) -> bool:
    """Whether the charge that a letter announces is still planned, and was not made yet."""
    subscription = db.session.get(Subscription, letter.facts["charge_of"], populate_existing=True)
    return (
        subscription is not None
        and subscription.status in LIVE
        and subscription.charge_due_at is not None
        and letter.dedupe_key.startswith(_of_this_cycle(subscription))
        and retries.is_first_try(db.session(), subscription)
    )


def _charge_at(subscription_id: Any, _base_url: str) -> dict[str, str]:
    """The moment of the charge as it is when its letter leaves: a late letter makes for a later charge."""
    subscription = db.session.get_one(Subscription, subscription_id, populate_existing=True)
    return {"charge_at": earliest_charge(db.session(), subscription, clock.now()).isoformat()}


notices.made_at_sending("charge_of", _charge_at)
notices.something_waits_for("renewal_coming", _is_still_coming)

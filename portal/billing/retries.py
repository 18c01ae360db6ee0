"""What follows a refused renewal: another try, another card, or the end of trying.

The reason decides (``gateways.declines``), the schedule says when, and the card networks' caps stand above
both: at most :data:`MOST_TRIES` of one method in a period, none after a refusal that forbids it
(https://developers.cloudpayments.ru/, "Повторные списания"; Visa and Mastercard fine what goes beyond).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import Session

from portal.billing import cases, notices, settings
from portal.billing.settings import MOST_TRIES
from portal.gateways import declines
from portal.gateways.declines import Action
from portal.models import (
    CaseKind,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    Subscription,
    SubscriptionStatus,
)
from portal.models.subscription import LIVE
from portal.money import to_wire

#: The shop's own fault is looked at again so often: the customer's card is not to blame.
SHOPS_FAULT_AGAIN = timedelta(hours=24)
_SAME_MOMENT = timedelta(hours=1)
#: Codes of ours for what never reached a bank: no try of the card.
NOT_TRIED = frozenset({"not_created"})
#: After so long it is charged anew, the first, second … time.
LOST_AGAIN = tuple(timedelta(minutes=wait) for wait in (0, 10, 60, 360))

#: Of an attempt that is not decided yet nobody can say that it did not.
_REACHED_A_BANK = (Payment.status != PaymentStatus.FAILED) | func.coalesce(Payment.failure_code, "").not_in(
    NOT_TRIED
)


def after_refusal(
    session: Session, payment: Row[Any], code: str | None, retry_after: datetime | None, now: datetime
) -> None:
    """Say what comes after a renewal that was refused; in the caller's transaction, under its locks."""
    subscription = session.get(
        Subscription, payment.subscription_id, with_for_update=True, populate_existing=True
    )
    if (
        subscription is None
        or subscription.status not in LIVE
        or subscription.current_period_end != payment.period_start
    ):
        return  # that period was paid for otherwise, or nobody wants it any more
    method = session.get_one(
        PaymentMethod, payment.payment_method_id, with_for_update=True, populate_existing=True
    )
    decline = declines.explain(payment.gateway.value, code)
    if code in NOT_TRIED:
        again = now + _before_another(session, subscription)
        _plan(subscription, again if subscription.auto_renew else None, now)
        return
    if decline.action is Action.STOP and method.stopped_at is None:
        method.stopped_at, method.stop_code = now, code and code[:64]
    if decline.action is Action.OPERATOR:
        _open_case(session, payment, code, now)
    due = _next_try(session, subscription, payment, decline.action, retry_after, now)
    if subscription.payment_method_id != payment.payment_method_id:
        due = now  # the customer has chosen another method meanwhile
    _plan(subscription, due if subscription.auto_renew else None, now)
    if not subscription.auto_renew:
        return  # switched off meanwhile: nothing is due any more, and nobody needs to hear of it
    if subscription.status is SubscriptionStatus.ACTIVE:
        subscription.status = SubscriptionStatus.PAST_DUE
    if subscription.grace_until is None:
        subscription.grace_until = _grace(subscription)
    _tell(session, subscription, payment, method, code, now)


def wait_until(session: Session, payment: Row[Any], moment: datetime, now: datetime) -> None:
    """Obey a RetryAfter that came after the refusal itself; in the caller's transaction, under its locks."""
    subscription = session.get(
        Subscription, payment.subscription_id, with_for_update=True, populate_existing=True
    )
    if (
        subscription is None
        or subscription.charge_due_at is None
        or subscription.charge_due_at >= moment
        or subscription.payment_method_id != payment.payment_method_id
        or subscription.current_period_end != payment.period_start
        or payment.attempt != last_attempt(session, subscription)
    ):
        return
    _plan(subscription, _within_grace(subscription, moment), now)
    notices.correct(session, _event(payment), {"next_try_at": _iso(subscription.charge_due_at)})


def tries_left(session: Session, subscription: Subscription, method_id: int) -> int:
    """How often this method may still be charged for the period after the present one."""
    return max(0, MOST_TRIES - _tried(session, subscription, method_id))


def at_once(subscription: Subscription, now: datetime) -> None:
    """Let the charge be due now; in the caller's transaction, under its locks."""
    subscription.charge_due_at = subscription.charge_look_at = subscription.look_at = now


def grant_grace(subscription: Subscription, *, is_tried: bool) -> None:
    """Let the plan be used after its end only while its renewal is tried; in the caller's transaction.

    What nobody tries ends exactly at its end. What was refused keeps the days that its customer was told of.
    """
    if is_tried:
        subscription.grace_until = subscription.grace_until or _grace(subscription)
    elif subscription.status is SubscriptionStatus.ACTIVE:
        subscription.grace_until = None


def may_try_now(session: Session, subscription: Subscription, method: PaymentMethod, now: datetime) -> bool:
    """Whether the customer may have *method* charged at once for the coming period.

    Not what was refused for good, nor what only another card helps against, nor beyond the networks' cap, nor
    before the moment that the gateway named itself.
    """
    if method.detached_at is not None or method.stopped_at is not None:
        return False
    if not tries_left(session, subscription, method.id):
        return False
    refused = last_refusal(session, subscription, method.id)
    if refused is None:
        return True
    allowed = declines.explain(refused.gateway.value, refused.failure_code).action is Action.RETRY_LATER
    return allowed and now >= _told_to_wait_until(session, subscription, refused)


def last_refusal(
    session: Session, subscription: Subscription, method_id: int | None = None
) -> Payment | None:
    """The latest refused attempt at the coming period that reached a bank; of one method, or of all."""
    refused = select(Payment).where(
        *_of_this_cycle(subscription),
        Payment.status == PaymentStatus.FAILED,
        _REACHED_A_BANK,
    )
    if method_id is not None:
        refused = refused.where(Payment.payment_method_id == method_id)
    return session.scalar(refused.order_by(Payment.attempt.desc()).limit(1))


def last_attempt(session: Session, subscription: Subscription) -> int:
    """The number of the latest attempt at the period after the present one; 0 before the first."""
    latest = select(func.max(Payment.attempt)).where(*_of_this_cycle(subscription))
    return session.scalar(latest) or 0


def is_first_try(session: Session, subscription: Subscription) -> bool:
    """Whether no charge for the coming period has reached a bank yet."""
    return _tried(session, subscription, None) == 0


def _of_this_cycle(subscription: Subscription) -> tuple[ColumnElement[bool], ...]:
    return (
        Payment.subscription_id == subscription.id,
        Payment.period_start == subscription.current_period_end,
        Payment.purpose == PaymentPurpose.RENEWAL,
    )


def _tried(session: Session, subscription: Subscription, method_id: int | None) -> int:
    """How many tries of this cycle reached a bank; of one method, or of all."""
    tried = select(func.count()).where(*_of_this_cycle(subscription), _REACHED_A_BANK)
    if method_id is not None:
        tried = tried.where(Payment.payment_method_id == method_id)
    return session.scalar(tried) or 0


def _next_try(
    session: Session,
    subscription: Subscription,
    payment: Row[Any],
    action: Action,
    retry_after: datetime | None,
    now: datetime,
) -> datetime | None:
    """When the same method is charged again; ``None`` when only the customer can help."""
    if not tries_left(session, subscription, payment.payment_method_id):
        return None
    if action is Action.OPERATOR:
        return _within_grace(subscription, now + SHOPS_FAULT_AGAIN)
    again = _scheduled(session, subscription, now) if action is Action.RETRY_LATER else None
    return _within_grace(subscription, max(again, retry_after or now)) if again is not None else None


def _scheduled(session: Session, subscription: Subscription, after: datetime) -> datetime | None:
    """The schedule's next day that is still to come; what was missed is not made up for by two in a row."""
    days = settings.current().retry_days()
    tried = _tried(session, subscription, None)
    begun = session.scalar(
        select(func.min(Payment.created_at)).where(*_of_this_cycle(subscription), _REACHED_A_BANK)
    )
    moments = [(begun or after) + timedelta(days=day) for day in days[tried:MOST_TRIES]]
    return next((moment for moment in moments if moment > after), None)


def _within_grace(subscription: Subscription, moment: datetime) -> datetime | None:
    return moment if moment <= (subscription.grace_until or _grace(subscription)) else None


def _before_another(session: Session, subscription: Subscription) -> timedelta:
    """How long to wait after a charge that never reached a bank: longer each time in one cycle."""
    lost = session.scalar(select(func.count()).where(*_of_this_cycle(subscription), ~_REACHED_A_BANK)) or 1
    return LOST_AGAIN[min(lost, len(LOST_AGAIN)) - 1]


def _told_to_wait_until(session: Session, subscription: Subscription, refused: Payment) -> datetime:
    """The gateway's own RetryAfter: a next try that was planned later than the schedule would have it."""
    refused_at = refused.failed_at or refused.created_at
    due, scheduled = subscription.charge_due_at, _scheduled(session, subscription, refused_at)
    is_latest = refused.attempt == last_attempt(session, subscription)
    told_to_wait = is_latest and due is not None and scheduled is not None and due > scheduled + _SAME_MOMENT
    return due if due is not None and told_to_wait else refused_at


def _plan(subscription: Subscription, due: datetime | None, now: datetime) -> None:
    subscription.charge_due_at = subscription.charge_look_at = due
    subscription.look_at = now


def _grace(subscription: Subscription) -> datetime:
    return subscription.current_period_end + timedelta(days=settings.current().grace_days)


def _open_case(session: Session, payment: Row[Any], code: str | None, now: datetime) -> None:
    """The shop may not take such a payment: only the operator can help."""
    kind = CaseKind.RENEWAL_REFUSED
    key = f"{payment.gateway.value}:{kind.value}:{payment.subscription_id}:{payment.period_start:%Y%m%d}"
    facts = {"transaction_id": payment.transaction_id, "code": code}
    money = (payment.amount, payment.currency)
    cases.open_case(session, kind, key, payment.gateway, None, payment.id, money, facts, now)


def _tell(
    session: Session,
    subscription: Subscription,
    payment: Row[Any],
    method: PaymentMethod,
    code: str | None,
    now: datetime,
) -> None:
    facts = {
        "transaction_id": payment.transaction_id,
        "gateway": payment.gateway.value,
        "plan_title": payment.plan_title,
        "amount": to_wire(payment.amount),
        "currency": payment.currency,
        "method": method.title,
        "failure_code": code,
        "next_try_at": _iso(subscription.charge_due_at),
        "paid_until": subscription.current_period_end.isoformat(),
        "access_until": (subscription.grace_until or subscription.current_period_end).isoformat(),
        "renewal_link": subscription.id,
    }
    notices.announce(session, subscription.user_id, "renewal_failed", _event(payment), facts, now)


def _event(payment: Row[Any]) -> str:
    return f"renewal_failed:{payment.transaction_id}"


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None

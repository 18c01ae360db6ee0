"""Ending a plan now: what goes back is told before the click, and the click does exactly that (law 4)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, exists, func, select, update
from sqlalchemy.orm import Session

from portal.billing import locks, notices, refunds, settings
from portal.billing.refund_rules import Rule, rule_of, share
from portal.billing.settings import ShopSettings
from portal.billing.stopping import Because, stop_charging
from portal.database import db, transaction
from portal.models import (
    Payment,
    PaymentPurpose,
    Plan,
    PurchasedPlan,
    RefundSource,
    Revocation,
    Subscription,
    SubscriptionStatus,
)
from portal.models.payment import OPEN
from portal.models.subscription import LIVE
from portal.money import ZERO, to_wire

log = logging.getLogger(__name__)

_purchased: Any = PurchasedPlan.__table__
_payments: Any = Payment.__table__
_subscriptions: Any = Subscription.__table__

REASON = "Отмена тарифа покупателем"


@dataclass(frozen=True, slots=True)
class Line:
    """What becomes of one payment."""

    payment_id: int
    transaction_id: str
    plan_title: str
    method: str | None
    #: What the rule is applied to: what was paid, or as much of it as was credited to the present plan.
    amount: Decimal
    currency: str
    credited: bool
    rule: Rule
    back: Decimal
    #: Until when the rule gives anything back for a period that has begun.
    window_ends_at: datetime
    starts_at: datetime
    ends_at: datetime
    emails_left: int
    email_quota: int
    #: All that was paid is with the customer already: a bank took it back.
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What ending the plan at one moment does."""

    #: The plan that ends, or several: each title once, the running one first.
    titles: tuple[str, ...]
    #: Until when the plan could be used otherwise; empty in the days of grace.
    ends_at: datetime | None
    lines: tuple[Line, ...]
    auto_renew: bool
    #: A charge for a renewal is being decided: should it go through, it goes back in full by itself.
    charge_is_open: bool
    window_days: int

    @property
    def falls(self) -> bool:
        """Whether the sum becomes less with time or use while the customer thinks it over."""
        return any(line.back and line.rule in {Rule.UNUSED_DAYS, Rule.UNUSED_QUOTA} for line in self.lines)

    @property
    def sums(self) -> list[tuple[Decimal, str]]:
        """What goes back in all, by currency."""
        found: dict[str, Decimal] = {}
        for line in self.lines:
            found[line.currency] = found.get(line.currency, ZERO) + line.back
        return [(amount, currency) for currency, amount in found.items() if amount]


def preview(user_id: int, now: datetime) -> Preview | None:
    """What :func:`cancel` would do at *now*; ``None`` when there is nothing to end."""
    session = db.session()
    return _look(session, session.execute(_counting(user_id, now)).all(), user_id, now)


def cancel(user_id: int, now: datetime) -> Preview | None:
    """End everything that is paid and runs or is to run, stop charging, and order the refunds; tell so.

    One transaction under the customer's lock, so two clicks end one plan. ``None`` when there is nothing to
    end any more.
    """
    with transaction() as session:
        locks.lock_customer(session, user_id)
        ended = end_here(session, user_id, now)
        if ended is None:
            return None
        seen, event = ended
        notices.announce(session, user_id, "plan_canceled", event, facts(seen), now)
    log.info("Plan canceled by user %s, %d payments go back", user_id, sum(bool(x.back) for x in seen.lines))
    return seen


def end_here(session: Session, user_id: int, now: datetime) -> tuple[Preview, str] | None:
    """The same in the caller's transaction, under the customer's lock, without a word to the customer.

    Gives what was done and the key of the event.
    """
    # Locked one by one as well: e-mails are counted without the customer's lock.
    periods = session.execute(_counting(user_id, now).with_for_update(of=_purchased)).all()
    seen = _look(session, periods, user_id, now)
    if seen is None:
        return None
    event = end_all(session, user_id, now)
    for line in seen.lines:
        if line.back:
            payment = locks.locked(session, payment_id=line.payment_id)
            assert payment is not None  # payments are never deleted
            refunds.order(session, payment, line.back, RefundSource.CUSTOMER, REASON, now)
    return seen, event


def _look(session: Session, periods: Sequence[Row[Any]], user_id: int, now: datetime) -> Preview | None:
    live = session.execute(
        select(_subscriptions, Plan.title)
        .join(Plan, Plan.id == _subscriptions.c.plan_id)
        .where(_subscriptions.c.user_id == user_id, _subscriptions.c.status.in_(LIVE))
    ).one_or_none()
    in_grace = live is not None and live.grace_until is not None and live.grace_until > now
    if not periods and not in_grace:
        return None
    shop = settings.current()
    open_charge = exists().where(
        _payments.c.user_id == user_id,
        _payments.c.purpose == PaymentPurpose.RENEWAL,
        _payments.c.status.in_(OPEN),
    )
    return Preview(
        titles=tuple(dict.fromkeys(period.plan_title for period in periods)) or (live.title if live else "",),
        ends_at=periods[-1].ends_at if periods else None,
        lines=tuple(_within_what_is_left(session, _lines(session, periods, shop, now))),
        auto_renew=bool(live is not None and live.auto_renew),
        charge_is_open=bool(session.scalar(select(open_charge))),
        window_days=shop.refund_window_days,
    )


def _counting(user_id: int, now: datetime) -> Any:
    """The paid periods that count, present and to come, each with its payment."""
    paid = (
        _payments.c.transaction_id,
        _payments.c.amount,
        _payments.c.currency,
        _payments.c.paid_at,
        _payments.c.method_title,
        _payments.c.credit,
        _payments.c.replaces_payment_id,
    )
    return (
        select(_purchased, *paid)
        .join(_payments, _payments.c.id == _purchased.c.payment_id)
        .where(_purchased.c.user_id == user_id, _purchased.c.revoked_at.is_(None), _purchased.c.ends_at > now)
        .order_by(_purchased.c.starts_at)
    )


def _lines(
    session: Session, periods: Sequence[Row[Any]], shop: ShopSettings, now: datetime
) -> Iterator[Line]:
    for period in periods:
        rule = rule_of(period, shop.refund_policy, _window_end(period.paid_at, shop), now)
        back = share(period.amount, rule, period, now)
        own = {"payment_id": period.payment_id, "amount": period.amount, "plan_title": period.plan_title}
        yield _line(period, period, shop, rule=rule, back=back, credited=False, **own)
        yield from _credit_lines(session, period, shop, now)


def _credit_lines(session: Session, period: Row[Any], shop: ShopSettings, now: datetime) -> Iterator[Line]:
    """What was credited to *period* goes back to the payments that it came from, the latest of them first.

    By the period's own rule, and only while each of them is inside its own window.
    """
    credit, replaced_id = period.credit, period.replaces_payment_id
    back: Decimal | None = None
    while replaced_id is not None and credit > 0:
        payment = session.execute(select(_payments).where(_payments.c.id == replaced_id)).one()
        rule = rule_of(period, shop.refund_policy, _window_end(payment.paid_at, shop), now)
        if back is None:
            back = share(credit, rule, period, now)
        amount, part = min(credit, payment.amount), min(back, payment.amount)
        if rule is Rule.TOO_LATE:
            part = back = ZERO  # what was paid still earlier is too late as well
        whose = {"payment_id": payment.id, "amount": amount, "plan_title": payment.plan_title}
        yield _line(payment, period, shop, rule=rule, back=part, credited=True, **whose)
        back -= part
        credit, replaced_id = min(credit - amount, payment.credit), payment.replaces_payment_id
        back = min(back, credit)


def _line(payment: Row[Any], period: Row[Any], shop: ShopSettings, **found: Any) -> Line:
    return Line(
        transaction_id=payment.transaction_id,
        method=payment.method_title,
        currency=payment.currency,
        window_ends_at=_window_end(payment.paid_at, shop),
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        emails_left=period.email_quota - period.emails_used,
        email_quota=period.email_quota,
        **found,
    )


def _within_what_is_left(session: Session, lines: Iterator[Line]) -> Iterator[Line]:
    """No more than is left of each payment: some of it may have gone back before."""
    room: dict[int, Decimal] = {}
    for line in lines:
        if line.payment_id not in room:
            room[line.payment_id] = refunds.left(session, line.payment_id)
        left = room[line.payment_id]
        back = min(line.back, left)
        room[line.payment_id] -= back
        yield replace(line, back=back, gone=not left and not line.credited)


def _window_end(paid_at: datetime, shop: ShopSettings) -> datetime:
    return paid_at + timedelta(days=shop.refund_window_days)


def end_all(session: Session, user_id: int, now: datetime) -> str:
    """Let nothing count any more and nothing be charged, as :func:`end_here`; gives the event's key."""
    ended = (
        update(_purchased)
        .where(_purchased.c.user_id == user_id, _purchased.c.revoked_at.is_(None), _purchased.c.ends_at > now)
        .values(revoked_at=now, revoked_because=Revocation.CANCELED)
        .returning(_purchased.c.id)
    )
    periods = session.execute(ended).scalars().all()
    canceled = (
        update(_subscriptions)
        .where(_subscriptions.c.user_id == user_id, _subscriptions.c.status.in_(LIVE))
        .values(
            status=SubscriptionStatus.CANCELED,
            ended_at=now,
            current_period_end=func.greatest(
                _subscriptions.c.current_period_start, func.least(_subscriptions.c.current_period_end, now)
            ),
        )
        .returning(_subscriptions.c.id)
    )
    subscription_id = session.execute(canceled).scalar()
    if subscription_id is not None:
        stop_charging(session, subscription_id, Because.CANCELED, now)
    return f"plan_canceled:{subscription_id}:{min(periods, default=0)}"


def facts(seen: Preview) -> dict[str, Any]:
    """What the notice and the letter say."""
    return {
        "plan_titles": seen.titles,
        "sums": [{"amount": to_wire(amount), "currency": currency} for amount, currency in seen.sums],
        "refunds": [
            {
                "plan_title": line.plan_title,
                "amount": to_wire(line.back),
                "currency": line.currency,
                "method": line.method,
            }
            for line in seen.lines
            if line.back
        ],
        "gone": any(line.gone for line in seen.lines),
    }

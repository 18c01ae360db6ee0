"""Paying for a renewal that failed: with the saved method once more, or in another way, on agreed terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from portal.billing import (
    agenda,
    agreements,
    checkout,
    choosing,
    consents,
    doors,
    locks,
    obstacles,
    orders,
    renewals,
    retries,
    settings,
    subscriptions,
)
from portal.billing.consents import AgreedPlan, Agreement, ClientInfo
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.errors import InvalidRequest
from portal.gateways import declines
from portal.models import (
    Consent,
    GatewayName,
    Payment,
    PaymentMethod,
    Subscription,
    SubscriptionStatus,
    User,
)
from portal.wording import marked


class NothingDue(InvalidRequest):
    """The renewal was paid meanwhile, is switched off, or has not been refused at all."""

    code = "NOTHING_DUE"
    message = marked("Сейчас платить не за что: долга нет, ничего не спишется.")


class MayNotTryNow(InvalidRequest):
    """The saved method may not be charged again now."""

    code = "MAY_NOT_TRY_NOW"
    message = marked("Сейчас отсюда списать нельзя, деньги не списаны. Выберите другой способ оплаты.")


class BeingCharged(InvalidRequest):
    """The saved method is being charged, or its bank has not answered yet."""

    code = "BEING_CHARGED"
    message = marked(
        "Прямо сейчас списываем с сохранённого способа. Дождитесь ответа банка, чтобы не заплатить дважды."
    )


@dataclass(frozen=True, slots=True)
class Overdue:
    """A renewal that failed: what is due, why it failed, and what the customer can do."""

    subscription_id: int
    plan: AgreedPlan
    amount: Decimal
    method: PaymentMethod
    reason: str  # why the last try failed, in a sentence
    starts_at: datetime  # of the period that is paid for now
    ends_at: datetime
    access_until: datetime
    next_try_at: datetime | None
    trying: bool  # the saved method is being charged, or will be within moments
    may_try_now: bool
    begun: Payment | None  # an order at a payment page, by which the saved method waits
    gateways: tuple[GatewayName, ...]
    agreement: Agreement | None  # offered beside another way, where saving is offered at all


def of_customer(user_id: int, now: datetime) -> Overdue | None:
    """What is overdue of this customer; ``None`` where nothing is."""
    live: Subscription | None = db.session.scalar(choosing.of_customer(user_id))
    return of_live(live, now) if live is not None else None


def of_live(live: Subscription, now: datetime) -> Overdue | None:
    """The same for a customer's live subscription that was read already."""
    return _overdue(db.session(), live, now)


def of_subscription(subscription_id: int, now: datetime) -> Overdue | None:
    """The same for whoever holds the link out of a letter."""
    session = db.session()
    one = session.get(Subscription, subscription_id)
    return _overdue(session, one, now) if one is not None else None


def try_now(subscription_id: int, now: datetime) -> None:
    """Let the saved method be charged at once. Twice is once: while it is being charged nothing is added.

    Raises NothingDue and MayNotTryNow.
    """
    owner = agreements.owner_of(subscription_id)
    with transaction() as session:
        locks.lock_customer(session, owner)
        live = choosing.live_subscription(session, owner)
        found = _overdue(session, live, now) if live is not None and live.id == subscription_id else None
        if live is None or found is None:
            raise NothingDue
        if found.trying:
            return
        if not found.may_try_now:
            raise MayNotTryNow
        renewals.try_now(live, now)


def order(
    subscription_id: int, gateway: str, *, accept_recurring: bool, client: ClientInfo, now: datetime
) -> checkout.Order:
    """An order of what is due, on the agreement's terms, for the subscription's owner; leads to the gateway.

    Raises NothingDue, BeingCharged, and what :func:`portal.billing.checkout.start` raises.
    """
    found = of_subscription(subscription_id, now)
    if found is None:
        raise NothingDue
    if found.trying:
        raise BeingCharged
    name = checkout.gateway_name(gateway)
    user = db.session.get_one(User, agreements.owner_of(subscription_id))
    agreed = found.agreement if accept_recurring else None
    mode = BillingMode.RECURRING if agreed is not None else BillingMode.ONE_TIME
    terms = orders.Terms(found.plan, name, found.amount, mode, agreed)
    return checkout.lead(orders.find_or_write(user, terms, client, now), user, now)


def _overdue(session: Session, live: Subscription, now: datetime) -> Overdue | None:
    is_over = not subscriptions.is_usable(live, now)
    if is_over or not live.auto_renew or live.status is not SubscriptionStatus.PAST_DUE:
        return None
    consent = session.get(Consent, live.consent_id or 0)
    method = session.get(PaymentMethod, live.payment_method_id or 0)
    refused = retries.last_refusal(session, live)
    if consent is None or method is None or refused is None:
        return None
    plan, ends_at = consents.plan_agreed_to(consent), live.current_period_end
    period = timedelta(days=plan.period_days)
    following = agenda.cycle(ends_at, ends_at + period, renews=True).charge_due_at or ends_at + period
    open_payment = session.scalar(obstacles.other_money(live.user_id, now))
    is_charged = choosing.is_being_charged(session, live)
    begun = open_payment if open_payment and not is_charged else None
    is_open = doors.are_open()
    # What the shop itself does not let through is not being tried, however long it has been due.
    free = open_payment is None and settings.current().auto_renewal_enabled and method.gateway in is_open
    return Overdue(
        subscription_id=live.id,
        plan=plan,
        amount=consent.amount,
        method=method,
        reason=declines.explain(refused.gateway.value, refused.failure_code).whole,
        starts_at=ends_at,
        ends_at=ends_at + period,
        access_until=live.grace_until or ends_at,
        next_try_at=live.charge_due_at,
        trying=is_charged or (free and _is_next(live, now)),
        may_try_now=free and retries.may_try_now(session, live, method, now),
        begun=begun,
        gateways=doors.offered(),
        agreement=consents.agreement(plan, consent.amount, following)
        if checkout.recurring_offered()
        else None,
    )


def _is_next(live: Subscription, now: datetime) -> bool:
    return live.charge_due_at is not None and live.charge_due_at <= now

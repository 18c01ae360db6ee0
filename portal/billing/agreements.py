"""The standing agreement in the customer's hands: stopped, resumed, given another method."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.billing import (
    agenda,
    choosing,
    consents,
    doors,
    locks,
    methods,
    price_notices,
    renewals,
    retries,
    subscriptions,
    tending,
)
from portal.billing.consents import AgreedPlan, Agreement, ClientInfo
from portal.billing.stopping import Because, stop_charging
from portal.database import db, transaction
from portal.errors import InvalidRequest
from portal.models import Consent, PaymentMethod, Plan, Subscription
from portal.wording import marked, say

#: A card that was tried in vain for the coming period rests so long when renewal is switched on again.
REST = timedelta(days=1)


class NothingToRenew(InvalidRequest):
    """There is no plan that could be renewed."""

    code = "NOTHING_TO_RENEW"
    message = marked("Тариф уже закончился, продлевать нечего. Выберите тариф заново.")


class NoMethod(InvalidRequest):
    """Renewal needs a saved method, and there is none that can be charged."""

    code = "NO_PAYMENT_METHOD"
    message = marked("Чтобы включить продление, сначала добавьте карту или другой способ оплаты.")


class NotSoldAnyMore(InvalidRequest):
    """The plan was bought without an agreement and is not on sale now."""

    code = "PLAN_NOT_ON_SALE"
    message = marked("Этот тариф больше не продаётся. Когда он закончится, выберите другой.")


@dataclass(frozen=True, slots=True)
class Offer:
    """What switching renewal on would mean, word by word."""

    agreement: Agreement
    method: PaymentMethod
    first_charge_at: datetime
    at_once: bool


def stop(user_id: int, now: datetime) -> bool:
    """End automatic charging at once; what is paid runs to its end. Says whether it was on."""
    with transaction() as session:
        locks.lock_customer(session, user_id)
        live = choosing.live_subscription(session, user_id)
        if live is None or not live.auto_renew:
            return False
        stop_charging(session, live.id, Because.STOPPED, now)
        return True


def stop_one(subscription_id: int, now: datetime) -> bool:
    """The same for whoever holds the link out of a letter about this subscription."""
    owner = owner_of(subscription_id)
    with transaction() as session:
        locks.lock_customer(session, owner)
        live = choosing.live_subscription(session, owner)
        if live is None or live.id != subscription_id or not live.auto_renew:
            return False
        stop_charging(session, live.id, Because.STOPPED, now)
        return True


def owner_of(subscription_id: int) -> int:
    """Whose subscription this is. Raises NothingToRenew for one that does not exist."""
    owner = db.session.scalar(select(Subscription.user_id).where(Subscription.id == subscription_id))
    if owner is None:
        raise NothingToRenew
    return owner


def offer(user_id: int, now: datetime) -> Offer:
    """What switching renewal on would mean now.

    Raises NothingToRenew, NoMethod and NotSoldAnyMore, each with a sentence for the customer.
    """
    session = db.session()
    live: Subscription | None = session.scalar(choosing.of_customer(user_id))
    if live is None or not subscriptions.is_usable(live, now):
        raise NothingToRenew
    return _offer(session, live, now)


def resume(user_id: int, client: ClientInfo, now: datetime) -> None:
    """Switch renewal on: a new agreement, kept as evidence, on the terms of :func:`offer`. On stays on.

    Raises what :func:`offer` raises. Needs no BILLING_RECURRING_ENABLED: that is about new methods.
    """
    with transaction() as session:
        locks.lock_customer(session, user_id)
        live = choosing.live_subscription(session, user_id)
        if live is None or not subscriptions.is_usable(live, now):
            raise NothingToRenew
        if live.auto_renew:
            return
        found = _offer(session, live, now)
        given = consents.record(session, user_id, None, found.agreement, client, now)
        session.flush()
        live.auto_renew, live.consent_id, live.payment_method_id = True, given.id, found.method.id
        session.flush()
        subscriptions.replan(session, live, now)
        # Later than the calendar says where the customer has to be told first, or the card rests.
        live.charge_due_at = live.charge_look_at = found.first_charge_at


def make_default(user_id: int, method_id: int, now: datetime) -> bool:
    """Let renewals charge this method from now on; where one has failed, try it at once.

    Says whether it is tried at once. Raises MethodNotFound, and InvalidRequest for a method that cannot be
    charged.
    """
    with transaction() as session:
        locks.lock_customer(session, user_id)
        method = methods.owned_locked(session, user_id, method_id)
        if method.detached_at is not None:
            raise methods.MethodNotFound
        if not methods.is_usable(method, now):
            raise InvalidRequest(say("С этого способа оплаты больше нельзя списывать. Добавьте другой."))
        method.preferred_at = now
        due = choosing.charge_from_now_on(session, user_id, method.id, now)
        if due is not None:
            renewals.try_now(due, now)
        return due is not None


def _offer(session: Session, live: Subscription, now: datetime) -> Offer:
    method = next((one for one in methods.of(live.user_id) if _may_be_charged(one, now)), None)
    if method is None:
        raise NoMethod
    plan, amount = _terms(session, live)
    charge_at = _first_charge(session, live, method, now)
    return Offer(consents.agreement(plan, amount, charge_at), method, charge_at, charge_at <= now)


def _may_be_charged(method: PaymentMethod, now: datetime) -> bool:
    return methods.is_usable(method, now) and method.gateway in doors.are_open()


def _terms(session: Session, live: Subscription) -> tuple[AgreedPlan | Plan, Decimal]:
    """Those of the last agreement; where there was none, or another plan was bought since, that plan's."""
    last = session.get(Consent, live.consent_id or 0)
    bought = subscriptions.last_period(session, live.id)
    if last is not None and (last.plan_id == bought.plan_id or last.given_at >= bought.created_at):
        unagreed = last.withdrawn_because == Because.PRICE and price_notices.sum_after(session, live.id)
        return consents.plan_agreed_to(last), unagreed or last.amount
    plan = session.get_one(Plan, bought.plan_id)
    if not plan.on_sale:
        raise NotSoldAnyMore
    return plan, plan.get_final_price()


def _first_charge(session: Session, live: Subscription, method: PaymentMethod, now: datetime) -> datetime:
    """When the calendar says, but not before the customer was told in time and a refused card has rested."""
    last = subscriptions.last_period(session, live.id)
    due = agenda.cycle(last.starts_at, last.ends_at, renews=True).charge_due_at or now
    if retries.is_first_try(session, live):
        told_at = tending.announced_at(session, live) or now
        return max(due, told_at + tending.time_to_say_no(session, live), now)
    refused = retries.last_refusal(session, live, method.id)
    return max(due, refused.created_at + REST if refused else now, now)

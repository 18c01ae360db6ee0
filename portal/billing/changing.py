"""Changing the plan: an upgrade is ordered and paid for now, anything else follows at the end of what is
paid.

A change is refused while a charge of the saved method is under way or a payment is undecided: so nothing can
be charged twice. While a change waits at a page, no renewal is charged (``renewals``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from portal.billing import checkout, consents, doors, locks, notices, orders, payments, plan_changes
from portal.billing.checkout import Order
from portal.billing.consents import ClientInfo
from portal.billing.orders import Change, Terms
from portal.billing.plan_changes import Choice, Means, Situation
from portal.billing.stopping import Because, withdraw
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.errors import PortalError
from portal.gateways.base import GatewayClosed
from portal.models import (
    GatewayName,
    Payment,
    PaymentPurpose,
    PaymentStatus,
    Plan,
    Subscription,
    User,
)
from portal.money import to_wire
from portal.wording import marked

#: Orders of a change that may still be paid, if only with another card.
_MAY_BE_PAID = (PaymentStatus.PENDING, PaymentStatus.FAILED)


class ChangeMustWait(PortalError):
    """Whether a payment took money is not known yet."""

    code = "CHANGE_MUST_WAIT"
    status = 409
    message = marked(
        "По прошлому платежу ещё нет ответа банка. Тариф можно сменить, как только он придёт: "
        "так ничего не спишется дважды."
    )


class RenewalUnderWay(ChangeMustWait):
    """The saved method is being charged for the next period."""

    message = marked(
        "Прямо сейчас списывается оплата за следующий срок. Подождите несколько минут: "
        "тариф можно сменить, как только банк ответит, и ничего не спишется дважды."
    )


class ChangedMeanwhile(PortalError):
    """Between the page and the click something was paid, used, sent back or ended."""

    code = "CHANGED_MEANWHILE"
    status = 409
    message = marked(
        "Пока страница была открыта, условия изменились. Ничего не списано, посмотрите их ещё раз."
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a click, and the order where something is to be paid."""

    choice: Choice
    order: Order | None = None


def change(
    user: User,
    plan_code: str,
    gateway: str | None,
    *,
    accept_recurring: bool,
    client: ClientInfo,
    now: datetime,
) -> Done:
    """Carry out what choosing this plan means now; a plan that is simply bought is left to the checkout.

    Raises PlanNotFound, ChangeMustWait, ChangedMeanwhile, GatewayClosed and, for an upgrade, the gateway's
    errors as ``checkout.start`` does.
    """
    plan = plan_changes.plan_by_code(user.id, plan_code, now)
    seen = plan_changes.situation(db.session(), user.id, now)
    choice = plan_changes.choose(db.session(), seen, plan, now)
    if choice.means is Means.NOW:
        ordered = order(user, plan, gateway, accept_recurring=accept_recurring, client=client, now=now)
        return Done(choice, ordered)
    if choice.means in {Means.AT_THE_END, Means.STAY}:
        return Done(schedule(user.id, plan, client, now))
    return Done(choice)


def order(
    user: User,
    plan: Plan,
    gateway: str | None,
    *,
    accept_recurring: bool,
    client: ClientInfo,
    now: datetime,
) -> Order:
    """Order an upgrade: the present period's unused value is credited and frozen with the order.

    By the gateway that is named; otherwise by that of the saved method, or the first that is open.
    """
    _ask_about_others(user.id, plan.id, now)
    seen = plan_changes.situation(db.session(), user.id, now)
    name = checkout.gateway_name(gateway) if gateway else _gateway(seen)
    work_out = partial(_terms, user.id, plan, name, accept_recurring, now)
    terms = work_out(db.session(), seen)
    waits = seen.undecided
    if waits is not None and not (waits.plan_id == plan.id and orders.same_terms(waits, terms, now)):
        raise must_wait(waits)
    return checkout.lead(orders.find_or_write(user, terms, client, now), user, now)


def schedule(user_id: int, plan: Plan, client: ClientInfo, now: datetime) -> Choice:
    """Let renewals charge another plan, or the present one again: a new agreement, kept as evidence."""
    with transaction() as session:
        locks.lock_customer(session, user_id)
        seen = plan_changes.situation(session, user_id, now)
        if seen.undecided is not None:
            raise must_wait(seen.undecided)
        choice = plan_changes.choose(session, seen, plan, now)
        later = choice.means in {Means.AT_THE_END, Means.STAY}
        if not later or seen.renewal is None or choice.agreement is None:
            raise ChangedMeanwhile
        _set_aside(session, user_id, None, now)
        given = consents.record(session, user_id, None, choice.agreement, client, now)
        session.flush()
        withdraw(session, seen.renewal.consent.id, Because.REPLACED, now)
        session.execute(
            update(Subscription)
            .where(Subscription.id == seen.renewal.subscription_id)
            .values(consent_id=given.id, look_at=now)
        )
        _tell(session, user_id, seen, choice, given.id, now)
        return choice


def _terms(
    user_id: int,
    plan: Plan,
    gateway: GatewayName,
    accept_recurring: bool,
    now: datetime,
    session: Session,
    seen: Situation,
) -> Terms:
    """Freeze what is ordered. Raises ChangedMeanwhile where the plan cannot be had at once any more.

    The method that is paid with is kept only where that is switched on and the customer agreed, just now.
    Where renewal is on already, the agreement to the new sum is recorded with the order.
    """
    choice = plan_changes.choose(session, seen, plan, now)
    if choice.means is not Means.NOW or seen.base is None:
        raise ChangedMeanwhile
    keep = accept_recurring and checkout.recurring_offered()
    return Terms(
        plan,
        gateway,
        choice.to_pay,
        BillingMode.RECURRING if keep else BillingMode.ONE_TIME,
        choice.agreement if keep or seen.renewal is not None else None,
        Change(seen.base, choice.credit, partial(_anew, user_id, plan, gateway, accept_recurring, now)),
    )


def _anew(
    user_id: int,
    plan: Plan,
    gateway: GatewayName,
    accept_recurring: bool,
    now: datetime,
    session: Session,
) -> Terms:
    """The terms under the customer's lock, in the transaction that writes the order."""
    seen = plan_changes.situation(session, user_id, now)
    if seen.undecided is not None:
        raise must_wait(seen.undecided)
    _set_aside(session, user_id, plan.id, now)
    return _terms(user_id, plan, gateway, accept_recurring, now, session, seen)


def must_wait(payment: Payment) -> ChangeMustWait:
    """Why nothing is changed while this payment is undecided, in a sentence."""
    return RenewalUnderWay() if payment.purpose is PaymentPurpose.RENEWAL else ChangeMustWait()


def _gateway(seen: Situation) -> GatewayName:
    is_open = doors.offered()
    if not is_open:
        raise GatewayClosed
    saved = seen.renewal.method.gateway if seen.renewal else None
    return saved if saved in is_open else is_open[0]


def _others(user_id: int, plan_id: int | None) -> tuple[ColumnElement[bool], ...]:
    """The conditions for changes to any plan but this one that may still be paid."""
    return (
        Payment.user_id == user_id,
        Payment.plan_id.is_distinct_from(plan_id),
        Payment.purpose == PaymentPurpose.CHANGE,
        Payment.status.in_(_MAY_BE_PAID),
        Payment.superseded_at.is_(None),
    )


def _ask_about_others(user_id: int, plan_id: int, now: datetime) -> None:
    """Another change may have been paid without our hearing of it: then there is another plan to change."""
    others = select(Payment).where(*_others(user_id, plan_id), Payment.expires_at > now)
    for other in db.session.scalars(others.order_by(Payment.id.desc()).limit(3)).all():
        payments.ask(other, now)


def _set_aside(session: Session, user_id: int, but: int | None, now: datetime) -> None:
    """Of changes to several plans the last one stands; *but* is the id of its plan.

    One that is paid after all still finds the plan that it was to replace, or its money goes back.
    """
    aside = update(Payment).where(*_others(user_id, but)).values(superseded_at=now)
    session.execute(aside.execution_options(synchronize_session=False))


def _tell(
    session: Session, user_id: int, seen: Situation, choice: Choice, consent_id: int, now: datetime
) -> None:
    assert seen.base is not None  # nothing is scheduled without a plan that runs
    assert choice.agreement is not None
    charge_at = seen.renewal.charge_at if seen.renewal else None
    facts = {
        "what": "stays" if choice.means is Means.STAY else "scheduled",
        "plan_title": choice.agreement.plan.title,
        "old_title": seen.base.plan_title,
        "amount": to_wire(choice.agreement.amount),
        "currency": choice.agreement.currency,
        "starts_at": choice.starts_at and choice.starts_at.isoformat(),
        "charge_at": charge_at and charge_at.isoformat(),
    }
    notices.announce(session, user_id, "plan_changed", f"plan_scheduled:{consent_id}", facts, now)

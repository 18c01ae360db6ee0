"""What another plan would mean: now, with what is left of the present one credited, or at the end of what is
paid.

Nothing here writes; :mod:`portal.billing.changing` carries out what is said here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from portal.billing import agenda, consents, periods, plans, settings, worth
from portal.billing.consents import Agreement
from portal.billing.stopping import Because
from portal.billing.subscriptions import Standing
from portal.billing.worth import Base
from portal.database import db
from portal.models import (
    Consent,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    Plan,
    PurchasedPlan,
    Subscription,
)
from portal.models.payment import BUYS, OPEN
from portal.models.subscription import LIVE
from portal.money import ZERO


class Means(StrEnum):
    """What choosing a plan comes to."""

    #: An order for what is left to pay; the present period ends when it is paid.
    NOW = "now"
    #: The next renewal charges the chosen plan.
    AT_THE_END = "at_the_end"
    #: Another plan was to follow; the present one goes on instead.
    STAY = "stay"
    #: It is as chosen already.
    NOTHING = "nothing"
    #: It is simply bought: nothing runs, or nothing will be charged that could be changed.
    BUY = "buy"


@dataclass(frozen=True, slots=True)
class Renewal:
    """A renewal that will be charged: the agreement in force, the method, and when."""

    subscription_id: int
    consent: Consent
    method: PaymentMethod
    charge_at: datetime | None


@dataclass(frozen=True, slots=True)
class Situation:
    """What a change begins from."""

    base: Base | None
    upcoming: tuple[PurchasedPlan, ...]
    renewal: Renewal | None
    #: A payment of which nobody knows yet whether it took the money: until then nothing is changed.
    undecided: Payment | None

    @property
    def paid_until(self) -> datetime | None:
        """The end of all that is paid."""
        if self.upcoming:
            return self.upcoming[-1].ends_at
        return self.base.ends_at if self.base else None


@dataclass(frozen=True, slots=True)
class Choice:
    """What choosing one plan would mean, to the kopeck and the day. Sums are in roubles."""

    plan: Plan
    means: Means
    price: Decimal
    credit: Decimal = ZERO
    #: To be paid at once.
    to_pay: Decimal = ZERO
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    #: The words for renewals at another sum, where there will be any.
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True)
class Coming:
    """The plan that follows by an agreement already given."""

    plan_code: str
    plan_title: str
    amount: Decimal
    currency: str
    starts_at: datetime


def situation(session: Session, user_id: int, now: datetime) -> Situation:
    """What the database says now; under the customer's lock it stays so until the transaction ends."""
    return Situation(
        worth.base(session, user_id, now),
        tuple(periods.upcoming(session, user_id, now)),
        _renewal(session, user_id),
        session.scalar(_undecided(user_id).limit(1)),
    )


def choices(seen: Situation, now: datetime) -> list[Choice]:
    """What each plan on sale would mean in this situation, and the one that runs where it is not on sale."""
    offered = plans.on_sale()
    if seen.base is not None and seen.base.plan_code not in {plan.code for plan in offered}:
        offered.insert(0, db.session.get_one(Plan, seen.base.plan_id))
    return [choose(db.session(), seen, plan, now) for plan in offered]


def plan_by_code(user_id: int, code: str, now: datetime) -> Plan:
    """A plan on sale, or the one that this customer has now. Raises PlanNotFound."""
    base = worth.base(db.session(), user_id, now)
    if base is not None and base.plan_code == code:
        return db.session.get_one(Plan, base.plan_id)
    return plans.on_sale_by_code(code)


def choose(session: Session, seen: Situation, plan: Plan, now: datetime) -> Choice:
    """What choosing *plan* comes to in this situation.

    Now, when it gives more and the credit is smaller than its price; otherwise at the end of what is paid.
    """
    price, base = plan.get_final_price(), seen.base
    if base is None or base.currency != plan.currency:
        return Choice(plan, Means.BUY, price)
    if plan.code == base.plan_code:
        return _present(session, seen, plan, now)
    credit = base.credit(now)
    if gives_more(plan, base) and credit < price:
        ends_at = now + timedelta(days=plan.period_days)
        last = _length_of_last(seen, ends_at - now)
        end_of_all = ends_at + sum((one.ends_at - one.starts_at for one in seen.upcoming), timedelta(0))
        words = consents.agreement(plan, price, _charge_moment(end_of_all - last, end_of_all))
        return Choice(plan, Means.NOW, price, credit, price - credit, now, ends_at, words)
    return _later(seen, plan, now)


def gives_more(plan: Plan, base: Base) -> bool:
    """Whether *plan* costs more than the running one did, as a whole or by the day."""
    price = plan.get_final_price()
    return price > base.price or price * base.period_days > base.price * plan.period_days


def coming(seen: Situation) -> Coming | None:
    """The plan that renewals will charge, where it is another than the one that is paid last."""
    last = seen.upcoming[-1] if seen.upcoming else seen.base
    if seen.renewal is None or seen.paid_until is None or last is None:
        return None
    return _follows(seen.renewal.consent, last.plan_code, seen.paid_until)


def coming_after(standing: Standing) -> Coming | None:
    """The same for who stands so, from what was read already."""
    live, last = standing.subscription, (standing.current, *standing.upcoming)[-1]
    if live is None or not standing.auto_renew or standing.ends_at is None or last is None:
        return None
    consent = db.session.get(Consent, live.consent_id or 0)
    if consent is None or consent.withdrawn_at is not None:
        return None
    return _follows(consent, last.plan_code, standing.ends_at)


def _follows(agreed: Consent, last: str, paid_until: datetime) -> Coming | None:
    if agreed.plan_code == last:
        return None
    return Coming(agreed.plan_code, agreed.plan_title, agreed.amount, agreed.currency, paid_until)


def _present(session: Session, seen: Situation, plan: Plan, now: datetime) -> Choice:
    """The plan that runs: no change, unless another was to follow it."""
    price = plan.get_final_price()
    if seen.renewal is None or seen.renewal.consent.plan_code == plan.code:
        return Choice(plan, Means.NOTHING, price)
    before = session.scalar(
        select(Consent)
        .where(
            Consent.user_id == seen.renewal.consent.user_id,
            Consent.plan_code == plan.code,
            Consent.withdrawn_because == Because.REPLACED.value,
        )
        .order_by(Consent.id.desc())
        .limit(1)
    )
    if before is None and not plan.on_sale:
        return Choice(plan, Means.NOTHING, price)
    charge_at = _next_charge(seen, now)
    # What was agreed to before the other plan was chosen, whatever has become of the price since.
    words = (
        consents.agreement(consents.plan_agreed_to(before), before.amount, charge_at)
        if before is not None
        else consents.agreement(plan, price, charge_at)
    )
    return Choice(plan, Means.STAY, words.amount, starts_at=seen.paid_until, agreement=words)


def _later(seen: Situation, plan: Plan, now: datetime) -> Choice:
    price, starts_at = plan.get_final_price(), seen.paid_until
    ends_at = starts_at + timedelta(days=plan.period_days) if starts_at else None
    if seen.renewal is None:
        return Choice(plan, Means.BUY, price, starts_at=starts_at, ends_at=ends_at)
    if seen.renewal.consent.plan_code == plan.code:
        return Choice(plan, Means.NOTHING, price, starts_at=starts_at)
    words = consents.agreement(plan, price, _next_charge(seen, now))
    return Choice(plan, Means.AT_THE_END, price, starts_at=starts_at, ends_at=ends_at, agreement=words)


def _next_charge(seen: Situation, now: datetime) -> datetime:
    planned = seen.renewal.charge_at if seen.renewal else None
    return max(planned or seen.paid_until or now, now)


def _charge_moment(starts_at: datetime, ends_at: datetime) -> datetime:
    return agenda.charge_moment(starts_at, ends_at, settings.current().auto_renewal_days_before)


def _length_of_last(seen: Situation, otherwise: timedelta) -> timedelta:
    return seen.upcoming[-1].ends_at - seen.upcoming[-1].starts_at if seen.upcoming else otherwise


def _renewal(session: Session, user_id: int) -> Renewal | None:
    """The renewal that will be charged; ``None`` where the customer has switched it off or unlinked."""
    found = session.execute(
        select(Subscription, Consent, PaymentMethod)
        .join(Consent, Consent.id == Subscription.consent_id)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(
            Subscription.user_id == user_id,
            Subscription.status.in_(LIVE),
            Subscription.auto_renew,
            Consent.withdrawn_at.is_(None),
            PaymentMethod.detached_at.is_(None),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        return None
    live, consent, method = found
    return Renewal(live.id, consent, method, live.charge_due_at)


def _undecided(user_id: int) -> Select[Payment]:
    """The query for payments that may have taken money, and for charges of a saved method under way."""
    charge = (Payment.purpose == PaymentPurpose.RENEWAL) & Payment.status.in_(OPEN)
    unknown = Payment.status.in_((PaymentStatus.UNKNOWN, PaymentStatus.AUTHORIZED))
    return (
        select(Payment)
        .where(Payment.user_id == user_id, Payment.purpose.in_(BUYS), charge | unknown)
        .order_by(Payment.id.desc())
        .execution_options(populate_existing=True)
    )

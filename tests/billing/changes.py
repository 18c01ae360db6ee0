"""Customers who change their plan, for tests of the verbs: bought, used, ordered, paid, sent back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from portal.billing import changing, quota, refund_news
from portal.billing.consents import ClientInfo
from portal.billing.plan_changes import Choice, choose, plan_by_code, situation
from portal.database import db, transaction
from portal.gateways.base import Outcome, RefundSnapshot, SavedMethod
from portal.models import BillingMode, Consent, Payment, Plan, PurchasedPlan, Subscription, User
from tests.billing.rows import a_payment, again, locked, numbers, settled, told

DAY = timedelta(days=1)
BROWSER = ClientInfo("198.51.100.7", "a browser of the tests")


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plan(code: str) -> Plan:
    """A plan by its code, on sale or not."""
    return db.session.scalars(select(Plan).where(Plan.code == code)).one()


def buy(
    user: User, now: datetime, code: str = "PRO_MONTHLY", *, renews: bool = False, price: str | None = None
) -> Payment:
    """A plan paid at *now*; with *renews* by a card that was saved with the customer's agreement."""
    bought = plan(code)
    mode = BillingMode.RECURRING if renews else BillingMode.ONE_TIME
    payment = a_payment(
        user,
        now,
        plan_id=bought.id,
        plan_code=bought.code,
        plan_title=bought.title,
        days=bought.period_days,
        email_quota=bought.email_quota,
        amount=Decimal(price) if price else bought.get_final_price(),
        billing_mode=mode,
        superseded_at=now,  # so that it may stand beside another order of the plan
    )
    if renews:
        agreed(user, payment, bought, now)
    pay(user, payment, now, saved=renews)
    return again(payment)


def agreed(user: User, payment: Payment, bought: Plan, now: datetime) -> Consent:
    """The agreement to renew that was given with *payment*."""
    with transaction() as session:
        consent = Consent(
            user_id=user.id,
            payment_id=payment.id,
            text_version="1",
            text="Согласен",
            amount=payment.amount,
            currency="RUB",
            period_days=bought.period_days,
            plan_id=bought.id,
            plan_code=bought.code,
            plan_title=bought.title,
            email_quota=bought.email_quota,
            address="",
            user_agent="",
            given_at=now,
        )
        session.add(consent)
    return consent


def pay(user: User, payment: Payment, now: datetime, *, saved: bool = False) -> Payment:
    """The gateway says that the order is paid."""
    card = SavedMethod(f"token-{user.id}", "bank_card", "Visa •• 4242") if saved else None
    paid = told(payment, user, Outcome.SUCCEEDED, str(next(numbers)), saved_method=card)
    settled(payment, paid, now)
    return again(payment)


def send_back(payment: Payment, now: datetime, amount: str | Decimal | None = None) -> None:
    """The gateway says that money went back: all that is left, or *amount*."""
    found = again(payment)
    sum_ = Decimal(amount) if amount is not None else found.amount - found.refunded_amount
    theirs = RefundSnapshot(
        str(next(numbers)), found.gateway_payment_id or "", Outcome.SUCCEEDED, sum_, "RUB"
    )
    with transaction() as session:
        refund_news.book(session, locked(found), theirs, now)


def use(user: User, emails: int, now: datetime) -> None:
    """The product sends e-mails."""
    quota.use(user.email, emails, f"use {next(numbers)}", now)


def look(user: User, code: str, now: datetime) -> Choice:
    """What choosing a plan would mean."""
    found = plan_by_code(user.id, code, now)
    return choose(db.session(), situation(db.session(), user.id, now), found, now)


def order(
    user: User, code: str, now: datetime, *, gateway: str = "cloudpayments", accept_recurring: bool = False
) -> Payment:
    """An upgrade, ordered."""
    done = changing.change(user, code, gateway, accept_recurring=accept_recurring, client=BROWSER, now=now)
    assert done.order is not None, done.choice.means
    return done.order.payment


def upgrade(user: User, code: str, now: datetime, *, paid_at: datetime | None = None) -> Payment:
    """An upgrade, ordered at *now* and paid then or later."""
    return pay(user, order(user, code, now), paid_at or now)


def later(user: User, code: str, now: datetime) -> Choice:
    """Choose a plan that follows at the end of what is paid."""
    return changing.change(user, code, None, accept_recurring=False, client=BROWSER, now=now).choice


def row(user: User) -> list[tuple[str, datetime, datetime]]:
    """What counts, in order: plan, beginning, end."""
    found = db.session.scalars(
        select(PurchasedPlan)
        .where(PurchasedPlan.user_id == user.id, PurchasedPlan.revoked_at.is_(None))
        .order_by(PurchasedPlan.starts_at)
        .execution_options(populate_existing=True)
    )
    return [(one.plan_code, one.starts_at, one.ends_at) for one in found]


def period(payment: Payment) -> PurchasedPlan:
    """The period that a payment gave, as the database has it now."""
    found = select(PurchasedPlan).where(PurchasedPlan.payment_id == payment.id)
    return db.session.scalars(found.execution_options(populate_existing=True)).one()


def subscription(user: User) -> Subscription:
    """The customer's latest agreement."""
    found = select(Subscription).where(Subscription.user_id == user.id).order_by(Subscription.id.desc())
    return db.session.scalars(found.limit(1).execution_options(populate_existing=True)).one()


def in_force(user: User) -> Consent:
    """The agreement whose terms the next renewal charges."""
    found = db.session.get_one(Consent, subscription(user).consent_id or 0, populate_existing=True)
    assert found.withdrawn_at is None
    return found

"""Customers who agreed to renewals, made without a gateway, for tests of what they do then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.billing import consents, methods, settlement
from portal.billing.consents import ClientInfo
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.gateways.base import Outcome, SavedMethod
from portal.models import (
    Consent,
    GatewayName,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    Plan,
    Subscription,
    SubscriptionStatus,
    User,
)
from tests.billing.rows import CLOUDPAYMENTS, a_customer, a_payment, locked, numbers, settled, told

CLIENT = ClientInfo("198.51.100.7", "a browser of the tests")
DAY = timedelta(days=1)


@dataclass
class Subscriber:
    """A customer with a plan that renews itself; every look is a look at the database."""

    user: User
    bought: Payment

    @property
    def subscription(self) -> Subscription:
        mine = select(Subscription).where(Subscription.user_id == self.user.id)
        return db.session.scalars(mine.execution_options(populate_existing=True)).one()

    @property
    def method(self) -> PaymentMethod:
        """The one that renewals charge."""
        return db.session.get_one(PaymentMethod, self.subscription.payment_method_id, populate_existing=True)

    @property
    def agreements(self) -> list[Consent]:
        """All of them, oldest first."""
        mine = select(Consent).where(Consent.user_id == self.user.id).order_by(Consent.id)
        return list(db.session.scalars(mine.execution_options(populate_existing=True)))

    def another_card(self, now: datetime, title: str = "Мир •• 0004", **changes: Any) -> PaymentMethod:
        """One more saved card, which nothing charges yet; *changes* are columns."""
        with transaction() as session:
            saved = SavedMethod(f"tk_{next(numbers)}", "bank_card", title, last4="0004", brand="Мир")
            kept = methods.keep(session, self.user.id, CLOUDPAYMENTS, saved, now)
            card = session.get_one(PaymentMethod, kept)
            for name, value in changes.items():
                setattr(card, name, value)
        return card

    def charge(self, now: datetime) -> Payment:
        """A renewal of the coming period, as a worker freezes it before it calls the gateway."""
        subscription, consent = self.subscription, self.agreements[-1]
        tried = select(Payment).where(
            Payment.subscription_id == subscription.id,
            Payment.purpose == PaymentPurpose.RENEWAL,
            Payment.period_start == subscription.current_period_end,
        )
        return a_payment(
            self.user,
            now,
            gateway=self.method.gateway,
            purpose=PaymentPurpose.RENEWAL,
            billing_mode=BillingMode.RECURRING,
            subscription_id=subscription.id,
            period_start=subscription.current_period_end,
            attempt=len(db.session.scalars(tried).all()) + 1,
            payment_method_id=subscription.payment_method_id,
            consent_id=consent.id,
        )

    def ends(self, payment: Payment, now: datetime, code: str | None = None) -> None:
        """The bank's word about a charge: taken, or refused with *code*."""
        outcome = Outcome.FAILED if code else Outcome.SUCCEEDED
        settled(payment, told(payment, self.user, outcome, str(next(numbers)), failure_code=code), now)

    def past_due(self, now: datetime, code: str = "5051") -> Payment:
        """Come to the day of the charge, which is refused."""
        payment = self.charge(now)
        self.ends(payment, now, code)
        assert self.subscription.status is SubscriptionStatus.PAST_DUE
        return payment


def a_subscriber(
    now: datetime,
    *,
    user: User | None = None,
    gateway: GatewayName = CLOUDPAYMENTS,
    agreed: bool = True,
    kind: str = "bank_card",
) -> Subscriber:
    """Somebody who bought the monthly plan at *now*; with *agreed* its renewal and the kept card too."""
    user = user or a_customer(now)
    mode = BillingMode.RECURRING if agreed else BillingMode.ONE_TIME
    payment = a_payment(user, now, gateway=gateway, billing_mode=mode)
    if agreed:
        plan = db.session.scalars(select(Plan).where(Plan.code == payment.plan_code)).one()
        words = consents.agreement(plan, Decimal("990.00"), now + 27 * DAY)
        with transaction() as session:
            consents.record(session, user.id, payment.id, words, CLIENT, now)
    card = SavedMethod(
        f"tk_{next(numbers)}", kind, "Visa •• 4242", "4242", "Visa", expiry_month=12, expiry_year=2030
    )
    paid = told(payment, user, Outcome.SUCCEEDED, str(next(numbers)), saved_method=card)
    with transaction() as session:
        settlement.settle(session, locked(payment), paid, now)
    subscriber = Subscriber(user, payment)
    assert subscriber.subscription.auto_renew is agreed
    assert db.session.get_one(Payment, payment.id, populate_existing=True).status is PaymentStatus.SUCCEEDED
    return subscriber

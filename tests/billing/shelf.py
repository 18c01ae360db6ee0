"""A customer's shelf of paid periods, written as billing would have, for tests of how they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.billing import cancellation, settings
from portal.database import db, transaction
from portal.models import (
    Consent,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    PurchasedPlan,
    Refund,
    Revocation,
    Subscription,
    SubscriptionStatus,
    UsageRecord,
)
from tests.billing.rows import CLOUDPAYMENTS, a_customer, a_payment, numbers

DAY = timedelta(days=1)


@dataclass
class Shelf:
    """One customer and everything paid, written as billing would have."""

    now: datetime
    user: Any = None
    subscription: Any = None
    payments: list[Payment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.user = a_customer(self.now)

    def pay(
        self,
        amount: str,
        paid_at: datetime,
        starts_at: datetime | None = None,
        *,
        days: int = 30,
        used: int = 0,
        credit: str = "0.00",
        replaces: Payment | None = None,
    ) -> Payment:
        """A paid period; a change takes the place of the period of *replaces*."""
        starts_at = starts_at or paid_at
        payment = a_payment(
            self.user,
            paid_at,
            days=days,
            amount=Decimal(amount),
            status=PaymentStatus.SUCCEEDED,
            gateway_payment_id=str(next(numbers)),
            paid_at=paid_at,
            next_check_at=None,
            purpose=PaymentPurpose.CHANGE if replaces else PaymentPurpose.PURCHASE,
            credit=Decimal(credit),
            replaces_payment_id=replaces.id if replaces else None,
        )
        with transaction() as session:
            if replaces is not None:
                ended = update(PurchasedPlan).where(PurchasedPlan.payment_id == replaces.id)
                session.execute(ended.values(revoked_at=paid_at, revoked_because=Revocation.REPLACED))
            self._period(session, payment, starts_at, starts_at + days * DAY, used)
        self.payments.append(payment)
        return payment

    def _period(
        self, session: Session, payment: Payment, starts_at: datetime, ends_at: datetime, used: int
    ) -> None:
        """What the payment gave: a period of the customer's one agreement, some of its e-mails used."""
        period = PurchasedPlan(
            user_id=self.user.id,
            subscription_id=self._agreement(session, payment, starts_at, ends_at),
            payment_id=payment.id,
            plan_id=payment.plan_id,
            plan_code=payment.plan_code,
            plan_title=payment.plan_title,
            starts_at=starts_at,
            ends_at=ends_at,
            email_quota=payment.email_quota,
            emails_used=used,
            created_at=payment.paid_at,
        )
        session.add(period)
        session.flush()
        if used:
            record = UsageRecord(
                user_id=self.user.id,
                purchased_plan_id=period.id,
                quantity=used,
                idempotency_key=str(next(numbers)),
                emails_left=period.emails_left,
                created_at=payment.paid_at,
            )
            session.add(record)

    def _agreement(self, session: Session, payment: Payment, starts_at: datetime, ends_at: datetime) -> int:
        """The number of the agreement, begun with the first period and longer with each."""
        if self.subscription is None:
            self.subscription = Subscription(
                user_id=self.user.id,
                plan_id=payment.plan_id,
                status=SubscriptionStatus.ACTIVE,
                current_period_start=starts_at,
                current_period_end=ends_at,
                created_at=payment.paid_at,
            )
            session.add(self.subscription)
            session.flush()
        else:
            session.get_one(Subscription, self.subscription.id).current_period_end = ends_at
        return int(self.subscription.id)

    def lines(self, at: datetime) -> list[tuple[str, str, bool]]:
        """What the page would say: sum, rule, credited."""
        seen = cancellation.preview(self.user.id, at)
        assert seen is not None
        return [(str(line.back), line.rule.value, line.credited) for line in seen.lines]

    def cancel(self, at: datetime) -> list[tuple[str, ...]]:
        """End it, and see that the click did what the page said."""
        seen = cancellation.preview(self.user.id, at)
        assert cancellation.cancel(self.user.id, at) == seen
        return self.ordered()

    def ordered(self) -> list[tuple[str, ...]]:
        """The refunds that were ordered: which payment, sum."""
        numbers_of = {payment.id: str(number) for number, payment in enumerate(self.payments)}
        found = db.session.execute(select(Refund.payment_id, Refund.amount).order_by(Refund.id)).all()
        return [(numbers_of[payment_id], str(amount)) for payment_id, amount in found]


def rule(name: str, now: datetime, window: str = "14") -> None:
    """What the operator chose."""
    settings.put("refund_policy", name, now)
    settings.put("refund_window_days", window, now)


def a_saved_card(shelf: Shelf, payment: Payment, now: datetime) -> tuple[PaymentMethod, Consent]:
    """A card that the subscription is renewed with, and the agreement to it."""
    with transaction() as session:
        method = PaymentMethod(
            user_id=shelf.user.id,
            gateway=CLOUDPAYMENTS,
            token=b"tk",
            fingerprint=str(next(numbers)),
            kind="bank_card",
            title="Visa •• 4242",
            created_at=now,
            preferred_at=now,
        )
        consent = Consent(
            user_id=shelf.user.id,
            payment_id=payment.id,
            text_version="1",
            text="…",
            amount=payment.amount,
            currency="RUB",
            period_days=30,
            plan_id=payment.plan_id,
            plan_code=payment.plan_code,
            plan_title=payment.plan_title,
            email_quota=payment.email_quota,
            address="",
            user_agent="",
            given_at=now,
        )
        session.add_all([method, consent])
        session.flush()
        row = session.get_one(Subscription, shelf.subscription.id)
        row.auto_renew, row.payment_method_id, row.consent_id = True, method.id, consent.id
    return method, consent

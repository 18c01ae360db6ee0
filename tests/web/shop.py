"""Rows of a shop in every state, for tests of pages that only read."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal import clock
from portal.billing import plans
from portal.database import db, transaction
from portal.models import (
    BillingMode,
    GatewayName,
    Payment,
    PaymentPurpose,
    PaymentStatus,
    PurchasedPlan,
    Subscription,
    SubscriptionStatus,
    User,
)


def user_of(email: str = "ira@example.com") -> User:
    """The row of who registered."""
    return db.session.scalars(select(User).where(User.email == email)).one()


def a_payment(
    user: User,
    plan_code: str = "PRO_MONTHLY",
    status: str = "pending",
    gateway: str = "cloudpayments",
    **more: Any,
) -> Payment:
    """A written order; *more* sets its columns."""
    now, plan = clock.now(), plans.on_sale_by_code(plan_code)
    columns: dict[str, Any] = {
        "transaction_id": str(uuid.uuid4()),
        "user_id": user.id,
        "plan_id": plan.id,
        "gateway": GatewayName(gateway),
        "purpose": PaymentPurpose.PURCHASE,
        "status": PaymentStatus(status),
        "amount": plan.get_final_price(),
        "currency": "RUB",
        "refunded_amount": Decimal("0.00"),
        "billing_mode": BillingMode.ONE_TIME,
        "test_mode": True,
        "plan_code": plan.code,
        "plan_title": plan.title,
        "period_days": plan.period_days,
        "email_quota": plan.email_quota,
        "description": f"Тариф «{plan.title}»",
        "created_at": now,
        "expires_at": now + timedelta(hours=24),
    }
    if status == "succeeded":
        columns |= {"paid_at": now, "gateway_payment_id": uuid.uuid4().hex, "method_title": "Visa •• 4242"}
    if status == "failed":
        columns |= {"failed_at": now, "failure_code": "5051"}
    with transaction() as session:
        payment = Payment(**{**columns, **more})
        session.add(payment)
    return payment


def a_period(user: User, payment: Payment, starts_at: datetime, used: int = 0) -> PurchasedPlan:
    """The period that *payment* gave, in the customer's subscription, which now ends with it."""
    ends_at = starts_at + timedelta(days=payment.period_days)
    assert payment.plan_id is not None
    with transaction() as session:
        subscription = session.scalar(select(Subscription).where(Subscription.user_id == user.id))
        if subscription is None:
            subscription = Subscription(
                user_id=user.id,
                plan_id=payment.plan_id,
                status=SubscriptionStatus.ACTIVE,
                current_period_start=starts_at,
                current_period_end=ends_at,
                auto_renew=False,
                created_at=starts_at,
            )
            session.add(subscription)
        subscription.current_period_end, subscription.plan_id = ends_at, payment.plan_id
        subscription.look_at = ends_at
        session.flush()
        period = PurchasedPlan(
            user_id=user.id,
            subscription_id=subscription.id,
            payment_id=payment.id,
            plan_id=payment.plan_id,
            plan_code=payment.plan_code,
            plan_title=payment.plan_title,
            starts_at=starts_at,
            ends_at=ends_at,
            email_quota=payment.email_quota,
            emails_used=used,
            created_at=starts_at,
        )
        session.add(period)
    return period

"""Rows as billing would have written them, for tests that begin in the middle of a story."""

from __future__ import annotations

import itertools
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select

from portal.billing import doors, settlement
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.gateways.base import Outcome, PaymentSnapshot
from portal.models import GatewayName, Payment, PaymentPurpose, PaymentStatus, Plan, User

numbers = itertools.count(7_000_000)

CLOUDPAYMENTS, YOOKASSA = GatewayName.CLOUDPAYMENTS, GatewayName.YOOKASSA


def a_customer(now: datetime) -> User:
    """Somebody new."""
    with transaction() as session:
        user = User(email=f"customer-{next(numbers)}@example.com", password_hash="x", created_at=now)
        session.add(user)
    return user


def a_payment(user: User, now: datetime, *, gateway: GatewayName = CLOUDPAYMENTS, **changes: Any) -> Payment:
    """An order of the monthly plan; *changes* are columns, ``days`` its length."""
    days = changes.pop("days", 30)
    plan = db.session.scalars(select(Plan).where(Plan.code == "PRO_MONTHLY")).one()
    columns: dict[str, Any] = {
        "transaction_id": str(uuid.uuid4()),
        "user_id": user.id,
        "plan_id": plan.id,
        "gateway": gateway,
        "purpose": PaymentPurpose.PURCHASE,
        "status": PaymentStatus.PENDING,
        "amount": Decimal("990.00"),
        "currency": "RUB",
        "refunded_amount": Decimal("0.00"),
        "billing_mode": BillingMode.ONE_TIME,
        "test_mode": doors.test_mode(gateway),
        "plan_code": plan.code,
        "plan_title": plan.title,
        "period_days": days,
        "email_quota": plan.email_quota,
        "description": "a test",
        "created_at": now,
        "expires_at": now + timedelta(days=1),
        "next_check_at": now + timedelta(minutes=2),
    }
    with transaction() as session:
        payment = Payment(**(columns | changes))
        session.add(payment)
    return payment


def in_status(
    user: User, now: datetime, status: PaymentStatus, *, gateway: GatewayName, theirs: str | None
) -> Payment:
    """An order that has come as far as *status*; *theirs* is the gateway's id that it is bound to."""
    bound = status in {PaymentStatus.AUTHORIZED, PaymentStatus.SUCCEEDED}
    return a_payment(
        user,
        now,
        gateway=gateway,
        status=status,
        gateway_payment_id=theirs if bound else None,
        paid_at=now if status is PaymentStatus.SUCCEEDED else None,
        failed_at=now if status is PaymentStatus.FAILED else None,
        failure_code="5051" if status is PaymentStatus.FAILED else None,
        superseded_at=now,  # so that many of them can be open at once
    )


def told(payment: Payment, user: User, outcome: Outcome, theirs: str, **changes: Any) -> PaymentSnapshot:
    """What the gateway says about an order, fitting it but for *changes*."""
    said: dict[str, Any] = {
        "gateway_payment_id": theirs,
        "outcome": outcome,
        "amount": payment.amount,
        "currency": payment.currency,
        "reference": payment.transaction_id,
        "test": payment.test_mode,
        "shop": doors.expected_shop(payment.gateway),
        "account": user.public_id,
        "failure_code": "5051" if outcome is Outcome.FAILED else None,
    }
    return PaymentSnapshot(**(said | changes))


def locked(payment: Payment) -> Row[Any]:
    """The payment's row under its lock, as every verb takes it."""
    row = settlement.locked(db.session(), payment_id=payment.id)
    assert row is not None
    return row


def settled(payment: Payment, what: PaymentSnapshot, now: datetime) -> settlement.Settlement:
    """Carry out what the gateway says, in a transaction of its own."""
    with transaction() as session:
        return settlement.settle(session, locked(payment), what, now)


def again(payment: Payment) -> Payment:
    """The payment as the database has it now."""
    return db.session.get_one(Payment, payment.id, populate_existing=True)

"""Many subscriptions at once, written by SQL as billing would have: due now, announced three days ago."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Flask
from sqlalchemy import insert, select

from portal.billing_mode import BillingMode
from portal.database import db
from portal.models import (
    Channel,
    Consent,
    GatewayName,
    Notification,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    Plan,
    PurchasedPlan,
    Subscription,
    SubscriptionStatus,
    User,
)
from tests.desk import LiveSandbox

DAYS = 30
#: CloudPayments documents a sample token that is always paid, whoever's account it is.
TOKEN = "success_1111a3e0-2428-48fb-a530-12815d90d0e8"
_ENDS_IN = timedelta(days=3)


def due_now(app: Flask, count: int, now: datetime) -> list[int]:
    """So many customers whose saved card at CloudPayments is to be charged now; the subscriptions' ids."""
    with app.app_context():
        plan = db.session.scalars(select(Plan).where(Plan.code == "PRO_MONTHLY")).one()
        people = [
            {"email": f"customer-{number}@example.com", "password_hash": "x", "created_at": now}
            for number in range(count)
        ]
        users = _write(User, people)
        begun, ends = now + _ENDS_IN - timedelta(days=DAYS), now + _ENDS_IN
        terms = {"plan_id": plan.id, "plan_code": plan.code, "plan_title": plan.title}
        money = {"amount": Decimal("990.00"), "currency": "RUB", "email_quota": plan.email_quota}
        methods = _write(PaymentMethod, [_method(user, begun) for user in users])
        consents = _write(Consent, [_consent(user, begun) | terms | money for user in users])
        payments = _write(Payment, [_payment(user, begun) | terms | money for user in users])
        subscriptions = _write(
            Subscription,
            [
                {
                    "user_id": user,
                    "plan_id": plan.id,
                    "status": SubscriptionStatus.ACTIVE,
                    "current_period_start": begun,
                    "current_period_end": ends,
                    "auto_renew": True,
                    "payment_method_id": method,
                    "consent_id": consent,
                    "charge_due_at": now,
                    "charge_look_at": now,
                    "look_at": ends,
                    "grace_until": ends + timedelta(days=5),
                    "created_at": begun,
                }
                for user, method, consent in zip(users, methods, consents, strict=True)
            ],
        )
        together = list(zip(users, payments, subscriptions, strict=True))
        period = terms | {"starts_at": begun, "ends_at": ends, "email_quota": plan.email_quota}
        _write(
            PurchasedPlan,
            [
                period | {"user_id": user, "payment_id": payment, "subscription_id": own, "created_at": begun}
                for user, payment, own in together
            ],
        )
        _write(Notification, [_told(user, own, ends, now) for user, _, own in together])
        db.session.commit()
        db.session.remove()
        return subscriptions


def taken(sandbox: LiveSandbox) -> list[str]:
    """What was charged to saved cards at CloudPayments: the order of each capture."""
    held = sandbox.world.simulators["cloudpayments"].ledger()["payments"]
    return [str(payment["transaction_id"]) for payment in held if float(payment["captured"])]


def _write(model: Any, rows: list[dict[str, Any]]) -> list[int]:
    """Insert rows in order; their ids."""
    written = insert(model).returning(model.id, sort_by_parameter_order=True)
    return list(db.session.scalars(written, rows))


def _method(user: int, begun: datetime) -> dict[str, Any]:
    return {
        "user_id": user,
        "gateway": GatewayName.CLOUDPAYMENTS,
        "token": TOKEN.encode(),
        "fingerprint": str(user),
        "kind": "bank_card",
        "title": "Visa •• 4242",
        "created_at": begun,
        "preferred_at": begun,
    }


def _consent(user: int, begun: datetime) -> dict[str, Any]:
    return {
        "user_id": user,
        "text_version": "tests",
        "text": "",
        "period_days": DAYS,
        "address": "198.51.100.7",
        "user_agent": "",
        "given_at": begun,
    }


def _payment(user: int, begun: datetime) -> dict[str, Any]:
    """The purchase, a month ago; the gateway has forgotten it."""
    return {
        "transaction_id": str(uuid.uuid4()),
        "user_id": user,
        "gateway": GatewayName.CLOUDPAYMENTS,
        "gateway_payment_id": str(10_000_000 + user),
        "purpose": PaymentPurpose.PURCHASE,
        "status": PaymentStatus.SUCCEEDED,
        "billing_mode": BillingMode.RECURRING,
        "test_mode": True,
        "period_days": DAYS,
        "description": "a test",
        "created_at": begun,
        "expires_at": begun,
        "paid_at": begun,
    }


def _told(user: int, subscription: int, ends: datetime, now: datetime) -> dict[str, Any]:
    return {
        "user_id": user,
        "kind": "renewal_coming",
        "channel": Channel.EMAIL,
        "dedupe_key": f"renewal_coming:{subscription}:{ends:%Y%m%dT%H%M%S}:72:email",
        "created_at": now - timedelta(days=3),
        "sent_at": now - timedelta(days=3),
        "next_attempt_at": now,
    }

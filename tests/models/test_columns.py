from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError

from portal import clock
from portal.database import db, transaction
from portal.models import (
    PaymentMethod,
    PurchasedPlan,
    Refund,
    RefundSource,
    RefundStatus,
    Setting,
    Subscription,
    SubscriptionStatus,
    User,
)
from tests.billing.rows import CLOUDPAYMENTS, a_customer, a_payment


def test_a_moment_needs_a_zone(context: Flask) -> None:
    """A naive time is refused before it reaches the database; its parameters stay out of the error."""
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - is what is refused
    with pytest.raises(StatementError, match="needs a time zone"):
        a_customer(naive)


def test_a_moment_comes_back_in_utc(context: Flask) -> None:
    """Whatever zone it was told in, to the microsecond."""
    told = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=timezone(timedelta(hours=3)))
    user = a_customer(told)
    found = db.session.get_one(User, user.id, populate_existing=True)
    assert found.created_at == told
    assert found.created_at.tzinfo is UTC


def test_sealed_bytes_are_plain_in_python_only(context: Flask) -> None:
    """What a Sealed column holds in the database does not contain the secret."""
    with transaction() as session:
        session.add(Setting(name="a", secret="канарейка".encode(), updated_at=clock.now()))
    stored = db.session.execute(text("SELECT secret FROM settings WHERE name = 'a'")).scalar_one()
    assert "канарейка".encode() not in bytes(stored)
    assert db.session.get_one(Setting, "a", populate_existing=True).secret == "канарейка".encode()


def test_a_setting_is_plain_or_sealed(context: Flask) -> None:
    """Never both: a secret must not lie beside its sealed form."""
    with pytest.raises(IntegrityError), transaction() as session:
        session.add(Setting(name="a", value="x", secret=b"x", updated_at=clock.now()))


def _method(user: User, **changes: object) -> None:
    row: dict[str, object] = {
        "user_id": user.id,
        "gateway": CLOUDPAYMENTS,
        "token": b"tk",
        "fingerprint": "f",
        "kind": "bank_card",
        "title": "Visa",
        "created_at": clock.now(),
        "preferred_at": clock.now(),
    }
    with transaction() as session:
        session.add(PaymentMethod(**(row | changes)))


def test_an_unlinked_card_has_no_token(context: Flask) -> None:
    """The database itself holds that unlinking erases the token, and that a linked card has one."""
    user = a_customer(clock.now())
    for changes in ({"detached_at": clock.now()}, {"token": None}):
        with pytest.raises(IntegrityError, match="token_erased_when_detached"):
            _method(user, **changes)
    _method(user, token=None, detached_at=clock.now())


def test_one_live_row_per_card(context: Flask) -> None:
    """The same card of the same customer is one live row; after unlinking it may come again."""
    user = a_customer(clock.now())
    _method(user, token=None, detached_at=clock.now())
    _method(user)
    with pytest.raises(IntegrityError, match="uq_payment_methods_live"):
        _method(user)
    _method(a_customer(clock.now()))


def _subscription(user: User, status: SubscriptionStatus, days: int = 30) -> Subscription:
    payment = a_payment(user, clock.now(), superseded_at=clock.now())
    with transaction() as session:
        made = Subscription(
            user_id=user.id,
            plan_id=payment.plan_id,
            status=status,
            current_period_start=clock.now(),
            current_period_end=clock.now() + timedelta(days=days),
            auto_renew=False,
            created_at=clock.now(),
        )
        session.add(made)
    return made


def test_one_live_subscription_per_customer(context: Flask) -> None:
    """Two agreements that live at once are refused, past due ones among them; ended ones are history."""
    user = a_customer(clock.now())
    _subscription(user, SubscriptionStatus.EXPIRED)
    _subscription(user, SubscriptionStatus.CANCELED)
    _subscription(user, SubscriptionStatus.ACTIVE)
    with pytest.raises(IntegrityError, match="uq_subscriptions_live"):
        _subscription(user, SubscriptionStatus.PAST_DUE)


def test_time_goes_forward(context: Flask) -> None:
    """A subscription cannot end before it begins."""
    with pytest.raises(IntegrityError, match="period_forward"):
        _subscription(a_customer(clock.now()), SubscriptionStatus.ACTIVE, days=-1)


@pytest.mark.parametrize(
    ("changes", "guard"),
    (
        ({"days": 0}, "period_forward"),
        ({"emails_used": 11}, "used_within_quota"),
        ({"emails_used": -1}, "used_within_quota"),
    ),
)
def test_a_period_makes_sense(context: Flask, changes: dict[str, int], guard: str) -> None:
    """A period lasts, and nobody has used more than it holds, or less than nothing."""
    user = a_customer(clock.now())
    with pytest.raises(IntegrityError, match=guard):
        _period(user, **changes)


def _period(user: User, days: int = 30, emails_used: int = 0, payment_id: int | None = None) -> PurchasedPlan:
    payment = a_payment(user, clock.now(), superseded_at=clock.now())
    subscription, now = _subscription(user, SubscriptionStatus.EXPIRED), clock.now()
    with transaction() as session:
        made = PurchasedPlan(
            user_id=user.id,
            subscription_id=subscription.id,
            payment_id=payment_id or payment.id,
            plan_id=payment.plan_id,
            plan_code="PRO_MONTHLY",
            plan_title="Про",
            starts_at=now,
            ends_at=now + timedelta(days=days),
            email_quota=10,
            emails_used=emails_used,
            created_at=now,
        )
        session.add(made)
    return made


def test_one_period_per_payment(context: Flask) -> None:
    """Even a fault in the code cannot give two periods for one payment (law 3)."""
    user = a_customer(clock.now())
    first = _period(user)
    assert first.emails_left == 10
    with pytest.raises(IntegrityError, match="uq_purchased_plans_payment_id"):
        _period(user, payment_id=first.payment_id)


def test_one_row_per_refund(context: Flask) -> None:
    """One refund of a gateway is booked once, and never of nothing."""
    payment = a_payment(a_customer(clock.now()), clock.now())

    def book(key: str, amount: str, theirs: str | None) -> None:
        with transaction() as session:
            session.add(
                Refund(
                    payment_id=payment.id,
                    gateway=CLOUDPAYMENTS,
                    gateway_refund_id=theirs,
                    key=key,
                    amount=amount,
                    currency="RUB",
                    status=RefundStatus.PENDING,
                    source=RefundSource.OPERATOR,
                    created_at=clock.now(),
                )
            )

    book("a", "1.00", "1")
    book("b", "1.00", None)
    book("c", "1.00", None)
    for key, amount, theirs in (("d", "1.00", "1"), ("a", "1.00", "2"), ("e", "0.00", "3")):
        with pytest.raises(IntegrityError):
            book(key, amount, theirs)

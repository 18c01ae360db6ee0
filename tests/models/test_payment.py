from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from portal import clock
from portal.database import transaction
from portal.models import PaymentPurpose, PaymentStatus, SubscriptionStatus, User
from portal.models import subscription as subscription_room
from portal.models.payment import MOVES, OPEN, may_move
from tests.billing.rows import CLOUDPAYMENTS, YOOKASSA, a_customer, a_payment

P, A, S, F, U = (
    PaymentStatus.PENDING,
    PaymentStatus.AUTHORIZED,
    PaymentStatus.SUCCEEDED,
    PaymentStatus.FAILED,
    PaymentStatus.UNKNOWN,
)

#: Every allowed move, once more and by hand (design, section 5, with the two stages of CloudPayments).
ALLOWED = {
    (P, A), (P, S), (P, F), (P, U),
    (A, S), (A, F),
    (U, P), (U, A), (U, S), (U, F),
    (F, A), (F, S),
}  # fmt: skip


@pytest.mark.parametrize("old", PaymentStatus)
@pytest.mark.parametrize("new", PaymentStatus)
def test_the_table_of_moves(old: PaymentStatus, new: PaymentStatus) -> None:
    """A payment moves along these edges and no others; success is final."""
    assert may_move(old, new) is ((old, new) in ALLOWED)


def test_every_status_has_its_row() -> None:
    """No status is without its line in a table, and none leads to itself."""
    assert set(MOVES) == set(PaymentStatus)
    assert set(subscription_room.MOVES) == set(SubscriptionStatus)
    for table in (MOVES, subscription_room.MOVES):
        moves: Mapping[Any, frozenset[Any]] = table
        assert all(status not in follow for status, follow in moves.items())


def test_a_subscription_that_ended_stays_ended() -> None:
    """Nothing leads out of canceled and expired; past due leads back."""
    ends = (SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)
    assert all(subscription_room.MOVES[end] == frozenset() for end in ends)
    assert SubscriptionStatus.ACTIVE in subscription_room.MOVES[SubscriptionStatus.PAST_DUE]
    assert SubscriptionStatus.PAST_DUE in subscription_room.MOVES[SubscriptionStatus.ACTIVE]


def test_open_means_that_money_may_still_come() -> None:
    """What can still become a success without a new attempt of the customer is open."""
    assert set(OPEN) == {P, A, U}


@pytest.fixture
def user(context: Flask) -> User:
    return a_customer(clock.now())


@pytest.mark.parametrize(
    "columns",
    (
        {"amount": Decimal("0.00")},
        {"amount": Decimal("-1.00")},
        {"refunded_amount": Decimal("-0.01")},
        {"refunded_amount": Decimal("990.01")},
        {"refunded_amount": Decimal("1.00")},
        {"status": S, "gateway_payment_id": "1"},
        {"status": S, "paid_at": datetime.fromisoformat("2026-01-01T00:00Z")},
        {"status": P, "paid_at": datetime.fromisoformat("2026-01-01T00:00Z")},
        {"plan_id": None},
    ),
)
def test_the_database_refuses_what_cannot_be(user: User, columns: dict[str, Any]) -> None:
    """Even a fault in the code cannot write a payment that contradicts itself."""
    with pytest.raises(IntegrityError):
        a_payment(user, clock.now(), **columns)


@pytest.mark.parametrize("columns", ({"status": "paid"}, {"gateway": "stripe"}, {"purpose": "gift"}))
def test_the_database_knows_the_words(user: User, columns: dict[str, Any]) -> None:
    """A word that is none of ours is refused."""
    with pytest.raises(IntegrityError, match=f"ck_payments_{next(iter(columns))}"):
        a_payment(user, clock.now(), **columns)


def test_one_open_order_per_customer_and_plan(user: User) -> None:
    """A second open order is refused by the index, unless the first is over or set aside."""
    first = a_payment(user, clock.now())
    for status in (P, U):
        with pytest.raises(IntegrityError, match="uq_payments_open_order"):
            a_payment(user, clock.now(), status=status)
    a_payment(user, clock.now(), status=F, failed_at=clock.now())
    a_payment(a_customer(clock.now()), clock.now())
    a_payment(user, clock.now(), purpose=PaymentPurpose.LIVE_CHECK)
    with transaction() as session:
        session.merge(first).superseded_at = clock.now()
    a_payment(user, clock.now())


def test_a_gateways_id_belongs_to_one_order(user: User) -> None:
    """The same id twice at one gateway is refused; the two gateways' ids are different things."""
    a_payment(user, clock.now(), gateway_payment_id="1")
    with pytest.raises(IntegrityError, match="uq_payments_gateway_payment_id"):
        a_payment(a_customer(clock.now()), clock.now(), gateway_payment_id="1")
    a_payment(a_customer(clock.now()), clock.now(), gateway=YOOKASSA, gateway_payment_id="1")
    assert CLOUDPAYMENTS is not YOOKASSA


def test_a_payment_shows_its_public_id_only(user: User) -> None:
    """What a log may show of a payment is enough to find it and no more."""
    payment = a_payment(user, clock.now())
    assert repr(payment) == f"<Payment {payment.transaction_id} pending>"
    assert "@" not in repr(user)

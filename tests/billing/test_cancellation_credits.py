from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from portal.billing import cancellation, refunds
from portal.database import db, transaction
from portal.models import Refund, RefundSource, RefundStatus
from tests import laws
from tests.billing import changes
from tests.billing.rows import a_customer
from tests.billing.shelf import DAY, Shelf, rule


def test_a_credit_goes_back_where_it_came_from(shelf: Shelf, now: datetime) -> None:
    """990 paid, 660 of it credited ten days later: in full, both parts go back, each to its payment, and what
    was used stays with the shop.
    """
    rule("full", now)
    first = shelf.pay("990.00", now)
    shelf.pay("2330.00", now + 10 * DAY, credit="660.00", replaces=first)
    assert shelf.lines(now + 12 * DAY) == [("2330.00", "full", False), ("660.00", "full", True)]
    assert shelf.cancel(now + 12 * DAY) == [("1", "2330.00"), ("0", "660.00")]
    assert laws.violations(now + 12 * DAY) == []


def test_a_credit_goes_by_the_present_periods_rule(shelf: Shelf, now: datetime) -> None:
    """By time: a third of the new period is used, so two thirds of both parts go back."""
    rule("unused_days", now)
    first = shelf.pay("990.00", now)
    shelf.pay("2330.00", now + 3 * DAY, credit="660.01", replaces=first)
    assert shelf.lines(now + 13 * DAY) == [
        ("1553.33", "unused_days", False),
        ("440.00", "unused_days", True),
    ]


def test_a_credit_of_a_payment_whose_window_is_over(shelf: Shelf, now: datetime) -> None:
    """The later payment is inside its window, the earlier is not: what was credited stays."""
    rule("full", now)
    first = shelf.pay("990.00", now)
    shelf.pay("2330.00", now + 10 * DAY, credit="660.00", replaces=first)
    assert shelf.lines(now + 14 * DAY) == [("2330.00", "full", False), ("0.00", "too_late", True)]
    assert shelf.cancel(now + 20 * DAY) == [("1", "2330.00")]


def test_a_chain_of_credits(shelf: Shelf, now: datetime) -> None:
    """What was credited twice goes back to the latest payment first and the rest to the one before; in all it
    is what the present plan is worth, and no payment gives back more than it took.
    """
    rule("full", now)
    first = shelf.pay("990.00", now)
    second = shelf.pay("2090.00", now + DAY, credit="900.00", replaces=first)
    shelf.pay("27000.00", now + 2 * DAY, credit="2890.00", replaces=second, days=365)
    assert shelf.cancel(now + 3 * DAY) == [("2", "27000.00"), ("1", "2090.00"), ("0", "800.00")]
    assert laws.violations(now + 3 * DAY) == []


def test_a_chain_ends_at_the_first_window_that_is_over(shelf: Shelf, now: datetime) -> None:
    """Of three payments the first is too late: its part stays, the others go back."""
    rule("full", now)
    first = shelf.pay("990.00", now)
    second = shelf.pay("2090.00", now + 5 * DAY, credit="900.00", replaces=first)
    shelf.pay("27000.00", now + 6 * DAY, credit="2900.00", replaces=second, days=365)
    assert [line[0] for line in shelf.lines(now + 15 * DAY)] == ["27000.00", "2090.00", "0.00"]
    assert [line[0] for line in shelf.lines(now + 19 * DAY)] == ["27000.00", "0.00", "0.00"]


def test_a_refund_made_before_is_not_paid_from_another_pocket(shelf: Shelf, now: datetime) -> None:
    """Half of the middle payment went back already: the missing half is not taken from the first."""
    rule("full", now)
    first = shelf.pay("990.00", now)
    second = shelf.pay("2090.00", now + DAY, credit="900.00", replaces=first)
    shelf.pay("27000.00", now + 2 * DAY, credit="2900.00", replaces=second, days=365)
    refunds.give_back(second.id, Decimal("1000.00"), RefundSource.OPERATOR, "", now + 2 * DAY)
    assert [line[0] for line in shelf.lines(now + 3 * DAY)] == ["27000.00", "1090.00", "810.00"]


@given(
    policy=st.sampled_from(("full", "unused_days", "unused_quota")),
    prices=st.lists(st.integers(1, 10**6), min_size=1, max_size=4),
    shares=st.lists(st.integers(0, 1000), min_size=4, max_size=4),
    used=st.integers(0, 50_000),
    ages=st.lists(st.integers(0, 40), min_size=5, max_size=5),
    before=st.integers(0, 100),
)
@hypothesis_settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_chain_gives_back_more_than_it_took(
    now: datetime,
    policy: str,
    prices: list[int],
    shares: list[int],
    used: int,
    ages: list[int],
    before: int,
) -> None:
    """However plans were changed, used and refunded in part: nothing negative goes back, nothing above what
    is left of a payment, and in all no more than the present plan is worth.
    """
    rule(policy, now)
    shelf, at, worth = Shelf(now), now, Decimal(0)
    for number, price in enumerate(prices):
        credit = (worth * shares[number] / 1000).quantize(Decimal("0.01"), "ROUND_DOWN")
        amount = Decimal(price) / 100
        base = shelf.payments[-1] if shelf.payments and credit else None
        if shelf.payments and base is None:
            continue
        last = number == len(prices) - 1
        shelf.pay(str(amount), at, used=used if last else 0, credit=str(credit), replaces=base)
        worth, at = amount + credit, at + timedelta(hours=ages[number])
    share = (shelf.payments[0].amount * before / 100).quantize(Decimal("0.01"), "ROUND_DOWN")
    if share:
        refunds.give_back(shelf.payments[0].id, share, RefundSource.OPERATOR, "", at)
    seen = cancellation.cancel(shelf.user.id, at + timedelta(days=ages[-1] // 3))
    assert seen is not None
    back = sum((line.back for line in seen.lines), Decimal(0))
    assert Decimal(0) <= back <= worth
    for payment in shelf.payments:
        assert refunds.left(db.session(), payment.id) >= 0
    assert not [found for found in laws.violations(at) if "refund" in found.invariant.name]


def test_after_a_real_change(now: datetime) -> None:
    """Bought, changed ten days later, canceled two days after that: both parts go back, and when they have,
    the plan that was replaced does not come back.
    """
    rule("full", now)
    user = a_customer(now)
    first = changes.buy(user, now)
    second = changes.upgrade(user, "BUSINESS_MONTHLY", now + 10 * DAY)
    assert (str(second.amount), str(second.credit)) == ("2330.00", "660.00")
    at = now + 12 * DAY
    seen = cancellation.cancel(user.id, at)
    assert seen is not None
    assert [(line.payment_id, str(line.back)) for line in seen.lines] == [
        (second.id, "2330.00"),
        (first.id, "660.00"),
    ]
    with transaction() as session:
        session.execute(update(Refund).values(called_at=at))
    changes.send_back(second, at)
    changes.send_back(first, at, "660.00")
    assert cancellation.preview(user.id, at) is None
    assert db.session.scalars(select(Refund.status)).all() == [RefundStatus.SUCCEEDED] * 2
    assert laws.violations(at) == []


def test_after_a_change_that_was_undone(now: datetime) -> None:
    """The cabinet sent the upgrade's money back, so the first plan runs again and goes by its own rule."""
    rule("unused_days", now)
    user = a_customer(now)
    first = changes.buy(user, now)
    second = changes.upgrade(user, "BUSINESS_MONTHLY", now + 3 * DAY)
    changes.send_back(second, now + 4 * DAY)
    seen = cancellation.cancel(user.id, now + 10 * DAY)
    assert seen is not None
    assert [(line.payment_id, str(line.back), line.credited) for line in seen.lines] == [
        (first.id, "660.00", False)
    ]
    assert laws.violations(now + 10 * DAY) == []

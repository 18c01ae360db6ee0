from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.billing import refund_news, subscriptions, tending
from portal.database import db, transaction
from portal.gateways.base import Outcome, RefundSnapshot
from portal.models import Payment, PurchasedPlan, Subscription, User
from tests import laws
from tests.billing.rows import a_customer, a_payment, again, locked, numbers, settled, told

DAY = timedelta(days=1)


def buy(user: User, now: datetime, days: int = 30) -> Payment:
    """A plan of *days*, paid at *now*."""
    payment = a_payment(user, now, days=days)
    settled(payment, told(payment, user, Outcome.SUCCEEDED, str(next(numbers))), now)
    return again(payment)


def give_back(payment: Payment, now: datetime, amount: str = "990.00") -> None:
    """Send money back, all of it unless *amount* says otherwise."""
    with transaction() as session:
        told_of = RefundSnapshot(
            str(next(numbers)), payment.gateway_payment_id or "", Outcome.SUCCEEDED, Decimal(amount), "RUB"
        )
        refund_news.book(session, locked(payment), told_of, now)


def periods(user: User) -> list[tuple[datetime, datetime]]:
    """What the customer has paid for and not got back, in order."""
    found = db.session.query(PurchasedPlan).filter_by(user_id=user.id, revoked_at=None).populate_existing()
    return sorted((one.starts_at, one.ends_at) for one in found)


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("paid", "days", "ends"),
    (
        ("2026-01-31T23:59:59", 30, "2026-03-02T23:59:59"),
        ("2027-02-28T00:00:00", 30, "2027-03-30T00:00:00"),
        ("2028-02-28T00:00:00", 30, "2028-03-29T00:00:00"),
        ("2028-02-29T12:00:00", 365, "2029-02-28T12:00:00"),
        ("2027-12-31T23:59:59", 1, "2028-01-01T23:59:59"),
        ("2026-03-29T00:30:00", 30, "2026-04-28T00:30:00"),
    ),
)
def test_a_period_is_so_many_days_of_24_hours(context: object, paid: str, days: int, ends: str) -> None:
    """Month ends, leap days and other countries' summer times change nothing: days are what was bought."""
    user = a_customer(at(paid))
    buy(user, at(paid), days)
    assert periods(user) == [(at(paid), at(ends))]
    assert subscriptions.standing(user.id, at(paid)).days_left == days


def test_the_next_period_begins_where_the_paid_time_ends(now: datetime) -> None:
    """Paying early loses no day: three plans follow one another."""
    user = a_customer(now)
    for days, later in ((30, 0), (365, 3), (30, 29)):
        buy(user, now + later * DAY, days)
    assert periods(user) == [
        (now, now + 30 * DAY),
        (now + 30 * DAY, now + 395 * DAY),
        (now + 395 * DAY, now + 425 * DAY),
    ]
    assert db.session.query(Subscription).filter_by(user_id=user.id).count() == 1


def test_after_the_end_a_period_begins_now(now: datetime) -> None:
    """Who pays after the end pays for days to come and not for those without a plan."""
    user = a_customer(now)
    buy(user, now)
    buy(user, now + 40 * DAY)
    assert periods(user)[1] == (now + 40 * DAY, now + 70 * DAY)


@pytest.mark.parametrize(
    ("after", "status", "days_left", "has_current"),
    (
        (timedelta(0), "active", 30, True),
        (timedelta(seconds=1), "active", 30, True),
        (29 * DAY, "active", 1, True),
        (30 * DAY - timedelta(seconds=1), "active", 1, True),
        (30 * DAY, "expired", 0, False),
        (30 * DAY + timedelta(seconds=1), "expired", 0, False),
    ),
)
def test_standing_by_the_second(
    now: datetime, after: timedelta, status: str, days_left: int, has_current: bool
) -> None:
    """The plan ends exactly at its end, though no job has said so yet; a begun day counts."""
    user = a_customer(now)
    buy(user, now)
    standing = subscriptions.standing(user.id, now + after)
    assert (standing.status, standing.days_left) == (status, days_left)
    assert (standing.current is not None) is has_current


def test_standing_of_somebody_new(now: datetime) -> None:
    """Whoever bought nothing has nothing."""
    standing = subscriptions.standing(a_customer(now).id, now)
    assert (standing.status, standing.current, standing.upcoming, standing.ends_at) == (
        "none",
        None,
        (),
        None,
    )
    assert (standing.days_left, standing.auto_renew, standing.method) == (0, False, None)


def test_expire_says_it_once(now: datetime) -> None:
    """At the end, and not a second earlier, the subscription is called expired, once."""
    user = a_customer(now)
    buy(user, now)
    assert tending.expire(now + 30 * DAY - timedelta(seconds=1)) == 0
    assert tending.expire(now + 30 * DAY) == 1
    assert tending.expire(now + 30 * DAY) == 0
    assert db.session.query(Subscription).populate_existing().one().ended_at == now + 30 * DAY


def test_expire_takes_many_in_bites(now: datetime) -> None:
    """A bite of two at a time ends three subscriptions in two."""
    for _ in range(3):
        buy(a_customer(now), now)
    assert [tending.expire(now + 30 * DAY, limit=2) for _ in range(3)] == [2, 1, 0]


def test_a_refund_of_the_running_plan_ends_it(now: datetime) -> None:
    """With all money back the plan ends at once and the subscription is canceled."""
    user = a_customer(now)
    give_back(buy(user, now), now + 5 * DAY)
    standing = subscriptions.standing(user.id, now + 5 * DAY)
    assert (standing.status, standing.current, standing.days_left) == ("canceled", None, 0)
    assert laws.violations(now + 5 * DAY) == []


def test_a_partial_refund_ends_nothing(now: datetime) -> None:
    """With a kopeck not sent back the plan goes on."""
    user = a_customer(now)
    give_back(buy(user, now), now, "989.99")
    assert subscriptions.standing(user.id, now).days_left == 30


def test_a_refund_of_the_first_of_three_moves_the_others_up(now: datetime) -> None:
    """The days that remain paid come at once; none of them is lost."""
    user = a_customer(now)
    first, _, _ = (buy(user, now, days) for days in (30, 10, 20))
    give_back(first, now + 5 * DAY)
    start = now + 5 * DAY
    assert periods(user) == [(start, start + 10 * DAY), (start + 10 * DAY, start + 30 * DAY)]


def test_a_refund_of_the_middle_one_closes_the_gap(now: datetime) -> None:
    """The running plan stays as it is, and the last one follows it."""
    user = a_customer(now)
    _, second, _ = (buy(user, now, days) for days in (30, 10, 20))
    give_back(second, now + 5 * DAY)
    assert periods(user) == [(now, now + 30 * DAY), (now + 30 * DAY, now + 50 * DAY)]


def test_a_refund_of_a_plan_that_is_over_moves_nothing(now: datetime) -> None:
    """A late refund of last month's plan takes nothing from this month's."""
    user = a_customer(now)
    first, _ = buy(user, now), buy(user, now)
    give_back(first, now + 40 * DAY)
    assert periods(user) == [(now + 30 * DAY, now + 60 * DAY)]


def test_a_new_start_after_a_refund(now: datetime) -> None:
    """Who got the money back and buys again gets a plan from now on."""
    user = a_customer(now)
    give_back(buy(user, now), now + DAY)
    buy(user, now + 2 * DAY)
    assert periods(user) == [(now + 2 * DAY, now + 32 * DAY)]
    assert laws.violations(now) == []


def test_a_clock_that_ran_ahead_costs_nobody_a_day(now: datetime) -> None:
    """A clock forty days ahead called the plan expired; a payment then still adds its days."""
    user = a_customer(now)
    buy(user, now)
    tending.expire(now + 40 * DAY)

    buy(user, now + DAY)

    assert periods(user) == [(now, now + 30 * DAY), (now + 30 * DAY, now + 60 * DAY)]
    assert subscriptions.standing(user.id, now + DAY).status == "active"
    assert laws.violations(now + DAY) == []


@dataclass
class Customer:
    """One customer through time, and what an accountant would say of what was bought."""

    user: User
    now: datetime
    bought: list[Payment] = field(default_factory=list)
    returned: set[int] = field(default_factory=set)
    clock_ran_back: bool = False

    def check(self) -> None:
        """Nothing overlaps, nothing that is paid for is lost, and every law holds."""
        kept = [payment for payment in self.bought if payment.id not in self.returned]
        rows = db.session.query(PurchasedPlan).filter_by(user_id=self.user.id).populate_existing().all()
        assert {row.payment_id for row in rows if row.revoked_at is None} == {payment.id for payment in kept}
        for payment, row in ((p, r) for p in kept for r in rows if r.payment_id == p.id):
            assert row.ends_at - row.starts_at == payment.period_days * DAY
            assert self.clock_ran_back or row.starts_at >= row.created_at
        found = periods(self.user)
        assert all(one[1] <= after[0] for one, after in pairwise(found))
        standing = subscriptions.standing(self.user.id, self.now)
        assert standing.ends_at == max((end for _, end in found if end > self.now), default=None)
        running = [period for period in found if period[0] <= self.now < period[1]]
        assert (standing.current is not None) is bool(running)
        assert len(standing.upcoming) == sum(start > self.now for start, _ in found)


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2032, 12, 31)).map(  # noqa: DTZ001 - made aware here
    lambda moment: moment.replace(tzinfo=UTC)
)
BOUNDARIES = st.sampled_from(
    [at(text) for text in ("2028-02-29T00:00:00", "2026-12-31T23:59:59", "2027-01-31T00:00:00")]
)
STEPS = st.one_of(
    st.tuples(st.just("buy"), st.sampled_from((1, 30, 31, 365))),
    st.tuples(st.just("give back"), st.integers(0, 5)),
    st.tuples(st.just("give back a part"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.integers(0, 500 * 86400)),
    st.tuples(st.just("wait until the end"), st.integers(-1, 1)),
    st.tuples(st.just("expire"), st.just(0)),
    st.tuples(st.just("clock back"), st.integers(0, 40 * 86400)),
)


@given(start=MOMENTS | BOUNDARIES, steps=st.lists(STEPS, min_size=1, max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_paid_for_is_lost(
    context: object, start: datetime, steps: list[tuple[str, int]]
) -> None:
    """Whatever is bought, sent back and waited for, however clocks jump: each paid day is given once."""
    customer = Customer(a_customer(start), start)
    for what, amount in steps:
        now = customer.now
        if what == "buy":
            customer.bought.append(buy(customer.user, now, amount))
        elif what.startswith("give back") and customer.bought:
            payment = customer.bought[amount % len(customer.bought)]
            if payment.id not in customer.returned and what == "give back":
                left = again(payment).amount - again(payment).refunded_amount
                give_back(payment, now, str(left))
                customer.returned.add(payment.id)
            elif payment.id not in customer.returned:
                give_back(payment, now, "0.01")
        elif what == "wait":
            customer.now += timedelta(seconds=amount)
        elif what == "wait until the end":
            ends_at = subscriptions.standing(customer.user.id, now).ends_at
            customer.now = (ends_at or now) + timedelta(seconds=amount)
        elif what == "expire":
            tending.expire(now)
        elif what == "clock back":
            customer.now -= timedelta(seconds=amount)
            customer.clock_ran_back = True
        customer.check()
    assert laws.violations(customer.now) == []


def test_a_period_paid_in_the_grace_is_never_over_already(now: datetime) -> None:
    """In the grace a period begins where the old one ended; one so short that it would be over begins now."""
    for days, after, begins in ((30, 4, 30), (1, 4, 5)):
        user = a_customer(now)
        buy(user, now, days)
        with transaction() as session:
            live = session.query(Subscription).filter_by(user_id=user.id).one()
            live.grace_until = now + (days + 5) * DAY
        buy(user, now + (days + after) * DAY, days)
        assert periods(user)[1][0] == now + begins * DAY, days

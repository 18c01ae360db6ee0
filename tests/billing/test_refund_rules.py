from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.billing.refund_rules import Rule, rule_of, share
from portal.money import NotAnAmount, portion

DAY = timedelta(days=1)
START = datetime(2028, 2, 15, 9, 30, tzinfo=UTC)  # a leap day lies in its month


@dataclass
class APeriod:
    """Thirty days and 50 000 e-mails, unless said otherwise."""

    starts_at: datetime = START
    ends_at: datetime = START + 30 * DAY
    email_quota: int = 50_000
    emails_used: int = 0


@pytest.mark.parametrize(
    ("rule", "amount", "after", "used", "back"),
    (
        (Rule.FULL, "990.00", 13 * DAY, 49_999, "990.00"),
        (Rule.NOT_BEGUN, "990.00", -DAY, 0, "990.00"),
        (Rule.TOO_LATE, "990.00", 15 * DAY, 0, "0.00"),
        # By time, to the microsecond, rounded down.
        (Rule.UNUSED_DAYS, "990.00", timedelta(0), 0, "990.00"),
        (Rule.UNUSED_DAYS, "990.00", 10 * DAY, 40_000, "660.00"),
        (Rule.UNUSED_DAYS, "990.00", 13 * DAY, 0, "561.00"),
        (Rule.UNUSED_DAYS, "990.00", timedelta(microseconds=1), 0, "989.99"),
        (Rule.UNUSED_DAYS, "990.00", 13 * DAY + timedelta(seconds=1), 0, "560.99"),
        (Rule.UNUSED_DAYS, "990.00", 14 * DAY + timedelta(hours=12), 0, "511.50"),
        (Rule.UNUSED_DAYS, "990.00", 30 * DAY - timedelta(seconds=1), 0, "0.00"),
        (Rule.UNUSED_DAYS, "0.01", timedelta(seconds=1), 0, "0.00"),
        (Rule.UNUSED_DAYS, "100.00", 20 * DAY, 0, "33.33"),
        # By e-mails.
        (Rule.UNUSED_QUOTA, "990.00", 13 * DAY, 0, "990.00"),
        (Rule.UNUSED_QUOTA, "990.00", DAY, 13_250, "727.65"),
        (Rule.UNUSED_QUOTA, "990.00", DAY, 1, "989.98"),
        (Rule.UNUSED_QUOTA, "990.00", DAY, 49_999, "0.01"),
        (Rule.UNUSED_QUOTA, "990.00", timedelta(0), 50_000, "0.00"),
    ),
)
def test_the_rules_to_the_kopeck(rule: Rule, amount: str, after: timedelta, used: int, back: str) -> None:
    """What each rule gives back, exact and rounded down."""
    assert str(share(Decimal(amount), rule, APeriod(emails_used=used), START + after)) == back


def test_a_year_by_days() -> None:
    """A discounted year, one day in: 364 of 365 days of what was really paid."""
    year = APeriod(ends_at=START + 365 * DAY, email_quota=600_000)
    assert str(share(Decimal("9900.00"), Rule.UNUSED_DAYS, year, START + DAY)) == "9872.87"


def test_a_plan_without_a_quota_goes_by_days() -> None:
    """Where there are no e-mails to count, what is unused is time."""
    plan = APeriod(email_quota=0)
    assert str(share(Decimal("990.00"), Rule.UNUSED_QUOTA, plan, START + 10 * DAY)) == "660.00"


@pytest.mark.parametrize(
    ("after", "rule"),
    (
        (-timedelta(microseconds=1), Rule.NOT_BEGUN),
        (timedelta(0), Rule.UNUSED_DAYS),
        (14 * DAY - timedelta(microseconds=1), Rule.UNUSED_DAYS),
        (14 * DAY, Rule.TOO_LATE),
        (29 * DAY, Rule.TOO_LATE),
    ),
)
def test_which_rule(after: timedelta, rule: Rule) -> None:
    """Before the beginning all of it; then the operator's rule until the window ends; then nothing."""
    assert rule_of(APeriod(), "unused_days", START + 14 * DAY, START + after) is rule


def test_what_has_not_begun_knows_no_window() -> None:
    """A period bought a year ahead goes back in full, however long ago it was paid for."""
    far = APeriod(starts_at=START + 300 * DAY, ends_at=START + 330 * DAY)
    assert rule_of(far, "unused_quota", START + 14 * DAY, START + 299 * DAY) is Rule.NOT_BEGUN


AMOUNTS = st.decimals(Decimal("0.01"), Decimal("99999999.99"), places=2)
RULES = st.sampled_from(list(Rule))


@given(
    amount=AMOUNTS,
    rule=RULES,
    days=st.integers(1, 800),
    quota=st.integers(0, 10**7),
    first=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    later=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_share_only_falls(
    amount: Decimal,
    rule: Rule,
    days: int,
    quota: int,
    first: tuple[float, float],
    later: tuple[float, float],
) -> None:
    """Whatever was paid: never less than nothing, never more than was paid, whole kopecks, and it never grows
    while time passes and e-mails are used; no more than one kopeck is lost to rounding.
    """

    def at(place: tuple[float, float]) -> tuple[Decimal, Decimal]:
        period = APeriod(START, START + days * DAY, quota, int(quota * place[1]))
        now = START + days * DAY * place[0]
        part = 1 - Decimal(period.emails_used) / quota if quota else None
        if rule is Rule.UNUSED_DAYS or part is None:
            part = Decimal((period.ends_at - now) / (period.ends_at - period.starts_at))
        exact = {Rule.TOO_LATE: Decimal(0), Rule.FULL: amount, Rule.NOT_BEGUN: amount}.get(
            rule, amount * part
        )
        return share(amount, rule, period, now), exact

    before, _ = at(first)
    after, exact = at((max(first[0], later[0]), max(first[1], later[1])))

    assert Decimal(0) <= after <= before <= amount
    assert after == after.quantize(Decimal("0.01"))
    assert exact - Decimal("0.011") <= after <= exact + Decimal("0.001")


@given(amount=AMOUNTS, cuts=st.lists(st.integers(1, 1000), min_size=1, max_size=8))
def test_portions_add_up_to_no_more_than_the_whole(amount: Decimal, cuts: list[int]) -> None:
    """However a sum is cut, its parts are no more than it, and lose less than a kopeck each."""
    parts = [portion(amount, cut, sum(cuts)) for cut in cuts]
    assert amount - Decimal("0.01") * len(cuts) < sum(parts) <= amount


def test_a_portion_of_nothing() -> None:
    """What has no length has no parts; a part beyond the whole is the whole."""
    with pytest.raises(NotAnAmount):
        portion(Decimal("1.00"), 1, 0)
    assert portion(Decimal("1.00"), 3, 2) == Decimal("1.00")
    assert portion(Decimal("1.00"), -1, 2) == Decimal("0.00")

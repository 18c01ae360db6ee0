"""E-mails counted out of paid periods: once per key, never below zero, with a word at each line."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from portal import mail
from portal.billing import entitlement, notices, quota, subscriptions
from portal.billing.entitlement import CustomerNotFound
from portal.billing.quota import NoPlan, QuotaExceeded, Used, line_crossed
from portal.database import db, transaction
from portal.errors import InvalidRequest
from portal.models import (
    Channel,
    Notification,
    PurchasedPlan,
    Revocation,
    Subscription,
    SubscriptionStatus,
    UsageRecord,
    User,
)
from portal.models.subscription import LIVE
from tests import laws
from tests.billing.conftest import NOW
from tests.billing.rows import a_customer
from tests.billing.test_subscriptions import buy, give_back

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
QUOTA = 50_000


def someone(now: datetime, quota_of_each: int = QUOTA, plans: int = 1) -> User:
    """A customer who has paid for so many plans in a row, each with so many e-mails."""
    user = a_customer(now)
    for _ in range(plans):
        buy(user, now)
    with transaction() as session:
        session.execute(
            update(PurchasedPlan).where(PurchasedPlan.user_id == user.id).values(email_quota=quota_of_each)
        )
    return user


def used_of(user: User) -> list[int]:
    """What the counters of the customer's periods say, in order."""
    found = select(PurchasedPlan.emails_used).where(PurchasedPlan.user_id == user.id)
    return list(db.session.scalars(found.order_by(PurchasedPlan.starts_at)))


def told_of(user: User) -> list[tuple[str, int]]:
    """Which lines the customer was told of, by letter."""
    letters = select(Notification).where(
        Notification.user_id == user.id,
        Notification.channel == Channel.EMAIL,
        Notification.kind.startswith("quota"),
    )
    return [(one.kind, one.facts["percent"]) for one in db.session.scalars(letters.order_by(Notification.id))]


def agree(user: User, status: SubscriptionStatus, grace_until: datetime | None) -> None:
    """Where the customer's agreement stands, and until when a period may be used while it is renewed."""
    with transaction() as session:
        session.execute(
            update(Subscription)
            .where(Subscription.user_id == user.id)
            .values(status=status, grace_until=grace_until)
        )


def broken() -> list[str]:
    """The laws that the data breaks, but for the terms that these tests make small on purpose."""
    names = {found.invariant.name for found in laws.violations(NOW)}
    return sorted(names - {"period-of-other-length"})


def test_a_use_is_counted_and_kept(now: datetime) -> None:
    """What is left goes down by the quantity, and a record says how much, when and under which key."""
    user = someone(now)

    assert quota.use(user.email, 25, "campaign-1", now) == Used(QUOTA - 25, repeated=False)
    assert quota.use(user.email.upper(), 1, "campaign-2", now + DAY) == Used(QUOTA - 26, repeated=False)

    records = db.session.scalars(select(UsageRecord).order_by(UsageRecord.id)).all()
    assert [(one.quantity, one.idempotency_key, one.emails_left, one.created_at) for one in records] == [
        (25, "campaign-1", QUOTA - 25, now),
        (1, "campaign-2", QUOTA - 26, now + DAY),
    ]
    assert used_of(user) == [26]
    assert broken() == []


def test_a_repeat_answers_as_the_first_time(now: datetime) -> None:
    """A key is counted once: repeats get the first answer, whatever has become of the period since."""
    user, stranger = someone(now), someone(now)
    quota.use(user.email, 25, "campaign", now)
    quota.use(user.email, 100, "another", now)

    assert quota.use(user.email, 25, "campaign", now) == Used(QUOTA - 25, repeated=True)
    assert quota.use(user.email, 7, "campaign", now + 31 * DAY) == Used(QUOTA - 25, repeated=True)
    assert used_of(user) == [125]
    # A key belongs to one customer, and upper case is another key.
    assert quota.use(stranger.email, 5, "campaign", now) == Used(QUOTA - 5, repeated=False)
    assert quota.use(user.email, 5, "CAMPAIGN", now) == Used(QUOTA - 130, repeated=False)


def test_more_than_is_left_takes_nothing(now: datetime) -> None:
    """A use that does not fit is refused whole and forgotten; its key counts when it fits."""
    user = someone(now, 10)
    quota.use(user.email, 7, "a", now)

    with pytest.raises(QuotaExceeded, match="3, а нужно 4"):
        quota.use(user.email, 4, "b", now)
    assert used_of(user) == [7]
    assert told_of(user) == []
    assert quota.use(user.email, 3, "b", now) == Used(0, repeated=False)
    for quantity in (1, quota.MOST_AT_ONCE):
        with pytest.raises(QuotaExceeded):
            quota.use(user.email, quantity, "c", now)
    assert broken() == []


def test_the_next_period_is_not_touched(now: datetime) -> None:
    """What is used up stays used up until the next paid period begins, at its exact moment."""
    user = someone(now, 10, plans=2)
    quota.use(user.email, 10, "a", now)
    with pytest.raises(QuotaExceeded):
        quota.use(user.email, 1, "b", now + 30 * DAY - TICK)

    assert quota.use(user.email, 1, "b", now + 30 * DAY) == Used(9, repeated=False)
    assert used_of(user) == [10, 1]


def test_a_period_ends_at_its_end(now: datetime) -> None:
    """The last moment of a period counts, its end does not; before the first one there is no plan either."""
    user, newcomer = someone(now), a_customer(now)
    quota.use(user.email, 1, "a", now + 30 * DAY - TICK)

    for email, moment in (
        (user.email, now + 30 * DAY),
        (user.email, now - TICK),
        (newcomer.email, now),
    ):
        with pytest.raises(NoPlan):
            quota.use(email, 1, "b", moment)
    assert used_of(user) == [1]


def test_a_revoked_period_is_not_used(now: datetime) -> None:
    """After a full refund there is nothing to use; the next paid period moves up and is."""
    first, second = a_customer(now), a_customer(now)
    give_back(buy(first, now), now)
    with pytest.raises(NoPlan):
        quota.use(first.email, 1, "a", now)

    refunded = buy(second, now)
    buy(second, now)
    quota.use(second.email, 5, "a", now)
    give_back(refunded, now + DAY)
    assert quota.use(second.email, 1, "b", now + DAY) == Used(QUOTA - 1, repeated=False)
    assert quota.use(second.email, 5, "a", now + DAY) == Used(QUOTA - 5, repeated=True)
    assert broken() == []


@pytest.mark.parametrize("status", LIVE)
def test_grace(now: datetime, status: SubscriptionStatus) -> None:
    """While a renewal is being tried the last period is used on, until the grace days or its e-mails end."""
    user = someone(now, 10, plans=2)
    agree(user, status, now + 67 * DAY)

    quota.use(user.email, 4, "first period", now + 29 * DAY)
    assert quota.use(user.email, 6, "paid", now + 59 * DAY) == Used(4, repeated=False)
    assert quota.use(user.email, 3, "grace", now + 67 * DAY - TICK) == Used(1, repeated=False)
    with pytest.raises(QuotaExceeded):
        quota.use(user.email, 2, "too much", now + 67 * DAY - TICK)
    with pytest.raises(NoPlan):
        quota.use(user.email, 1, "over", now + 67 * DAY)
    assert used_of(user) == [4, 9]


@pytest.mark.parametrize("status", (SubscriptionStatus.EXPIRED, SubscriptionStatus.CANCELED))
def test_grace_of_an_agreement_that_ended(now: datetime, status: SubscriptionStatus) -> None:
    """Grace days that are left in the row of an ended agreement give nothing."""
    user = someone(now)
    agree(user, status, now + 40 * DAY)
    with pytest.raises(NoPlan):
        quota.use(user.email, 1, "a", now + 31 * DAY)


@pytest.mark.parametrize(
    "email", ("nobody@example.com", "", "a\x00b@example.com", "\ud800@example.com", "x" * 300)
)
def test_nobodys_address(context: Flask, email: str) -> None:
    """An address that no customer has is told so, also where the database could not even be asked."""
    for ask in (lambda: quota.use(email, 1, "a", NOW), lambda: entitlement.of(email, NOW)):
        with pytest.raises(CustomerNotFound):
            ask()


@pytest.mark.parametrize("quantity", (0, -1, quota.MOST_AT_ONCE + 1, 10**40))
def test_quantities_that_are_none(now: datetime, quantity: int) -> None:
    """From one to a million at once."""
    with pytest.raises(InvalidRequest):
        quota.use(someone(now).email, quantity, "a", now)


@pytest.mark.parametrize(
    ("key", "fits"),
    (
        ("", False),
        ("k" * 120, True),
        ("ж" * 121, False),
        ("a\nb", False),
        ("\x00", False),
        ("письмо 1 ✉", True),
        ("carried:17", False),
        ("given back:17", False),
    ),
)
def test_keys(now: datetime, key: str, fits: bool) -> None:
    """From one to 120 printable characters of any language, but for keys of the portal's own."""
    email = someone(now).email
    if fits:
        assert [quota.use(email, 1, key, now).repeated for _ in range(2)] == [False, True]
    else:
        with pytest.raises(InvalidRequest):
            quota.use(email, 1, key, now)


# What a customer may use


def test_entitlement_of_a_newcomer(now: datetime) -> None:
    """Known, without a plan: none, and nothing to use."""
    found = entitlement.of(a_customer(now).email, now)
    assert (found.status, found.periods.current, found.periods.active_until()) == ("none", None, None)


def test_entitlement_follows_the_periods(now: datetime) -> None:
    """It says what use would count against: the present period, and until when all of it is paid."""
    user = someone(now, plans=2)
    quota.use(user.email, 10, "a", now)

    found = entitlement.of(user.email, now)
    assert (found.status, found.auto_renew) == ("active", False)
    assert found.periods.current is not None
    assert (found.periods.current.starts_at, found.periods.current.emails_used) == (now, 10)
    assert [one.starts_at for one in found.periods.upcoming] == [now + 30 * DAY]
    assert found.periods.active_until() == now + 60 * DAY

    later = entitlement.of(user.email, now + 30 * DAY)
    assert later.periods.current is not None
    assert (later.periods.current.emails_used, later.periods.upcoming) == (0, ())
    assert entitlement.of(user.email, now + 60 * DAY).status == "expired"
    assert entitlement.of(user.email, now - DAY).status == "scheduled"


def test_entitlement_after_a_gap(now: datetime) -> None:
    """What is paid beyond a gap is told as upcoming, and the customer would have to pay for the gap."""
    user = someone(now, plans=2)
    with transaction() as session:
        shift = {"starts_at": now + 31 * DAY, "ends_at": now + 61 * DAY}
        session.execute(update(PurchasedPlan).where(PurchasedPlan.starts_at > now).values(shift))

    found = entitlement.of(user.email, now).periods
    assert (found.active_until(), len(found.upcoming)) == (now + 30 * DAY, 1)


def test_entitlement_in_grace(now: datetime) -> None:
    """Past due is usable: until the end while the period lasts, then until the grace days end."""
    user = someone(now)
    agree(user, SubscriptionStatus.PAST_DUE, now + 37 * DAY)
    for moment, until in ((29 * DAY, 30), (30 * DAY, 37), (37 * DAY - TICK, 37)):
        found = entitlement.of(user.email, now + moment)
        assert (found.status, found.periods.active_until()) == ("past_due", now + until * DAY)
    over = entitlement.of(user.email, now + 37 * DAY)
    assert (over.status, over.periods.current, over.periods.active_until()) == ("expired", None, None)


@pytest.mark.parametrize("plans", (0, 1, 2))
@pytest.mark.parametrize("status", SubscriptionStatus)
@pytest.mark.parametrize("grace", (0, 5))
def test_the_product_is_told_what_the_dashboard_shows(
    now: datetime, plans: int, status: SubscriptionStatus, grace: int
) -> None:
    """Entitlement and dashboard name the same period, status and end at every turn of an agreement."""
    user = someone(now, plans=plans)
    end = now + 30 * plans * DAY
    agree(user, status, end + grace * DAY if grace else None)
    for moment in (
        now,
        now + 30 * DAY - TICK,
        now + 30 * DAY,
        end - TICK,
        end,
        end + 5 * DAY - TICK,
        end + 5 * DAY,
    ):
        if moment < now:
            continue
        told, shown = entitlement.of(user.email, moment), subscriptions.standing(user.id, moment)
        assert (told.periods.current and told.periods.current.id) == (shown.current and shown.current.id), (
            moment
        )
        assert told.periods.active_until() == shown.usable_until, moment
        if told.periods.current and status in LIVE:
            assert told.status == shown.status, moment


def test_entitlement_of_a_canceled_plan(now: datetime) -> None:
    """A plan that ended before its time is canceled, not expired."""
    user = a_customer(now)
    give_back(buy(user, now), now)
    assert entitlement.of(user.email, now).status == Revocation.CANCELED.value


# Lines


@pytest.mark.parametrize(
    ("before", "after", "total", "line"),
    (
        (0, 79, 100, None),
        (79, 80, 100, 80),
        (80, 94, 100, None),
        (80, 95, 100, 95),
        (0, 99, 100, 95),
        (0, 100, 100, 100),
        (99, 100, 100, 100),
        (0, 1, 1, 100),
        (1, 2, 3, None),
        (2, 3, 3, 100),
        (5_599, 5_600, 7_000, 80),
        (2_399_999_999, 2_400_000_000, 3_000_000_000, 80),
    ),
)
def test_lines(before: int, after: int, total: int, line: int | None) -> None:
    """A line is crossed by the use that reaches it, in whole e-mails and without rounding."""
    assert line_crossed(before, after, total) == line


def test_each_line_is_told_once(now: datetime) -> None:
    """At 80, 95 and 100 percent, in the use's own transaction; a refused or repeated use tells nothing."""
    user = someone(now, 100)
    for key, quantity in (("a", 79), ("b", 1), ("c", 14), ("c", 14), ("d", 1), ("e", 5)):
        quota.use(user.email, quantity, key, now)
    assert told_of(user) == [("quota_low", 80), ("quota_low", 95), ("quota_spent", 100)]

    # Were the counter mended and the line crossed again, the customer would not be told again.
    with transaction() as session:
        session.execute(update(PurchasedPlan).values(emails_used=70))
    quota.use(user.email, 30, "f", now)
    assert len(told_of(user)) == 3


def test_one_use_over_several_lines_is_one_notice(now: datetime) -> None:
    """The highest line is told alone; the next period has lines of its own."""
    user = someone(now, 100, plans=2)
    quota.use(user.email, 97, "a", now)
    quota.use(user.email, 97, "b", now + 30 * DAY)
    assert told_of(user) == [("quota_low", 95)] * 2


def test_what_the_letters_say(app: Flask, now: datetime) -> None:
    """How many are left, until when, what happens then, and where the plans are."""
    facts = []
    for plans in (1, 2):
        user = someone(now, 1_000, plans=plans)
        quota.use(user.email, 850, "a", now)
        quota.use(user.email, 150, "b", now)
        facts += [(one.kind, one.facts) for one in reversed(notices.recent(user.id)) if "quota" in one.kind]

    with app.test_request_context():
        letters = [mail.compose(kind, fact | {"base_url": "https://shop.example"}) for kind, fact in facts]

    words = [letter.text.replace("\xa0", " ") for letter in letters]
    low, spent, low_before_another, spent_before_another = words
    assert letters[0].subject == "Использовано 80\N{NO-BREAK SPACE}% писем: тариф «Про»"
    assert letters[1].subject == "Письма закончились: тариф «Про»"
    assert "Осталось: 150 писем из 1 000\nДействуют до: 22 декабря 2026, 15:00 МСК" in low
    assert "Новые письма появятся со следующим оплаченным сроком." in low
    assert "Нынешний действует до 22 декабря 2026, 15:00 МСК." in spent
    for text in (low_before_another, spent_before_another):
        assert "Следующий оплаченный срок начнётся 22 декабря 2026, 15:00 МСК, в нём 1 000 писем." in text
    for letter in letters:
        assert "https://shop.example/plans" in letter.text
        assert "https://shop.example/dashboard/plan" in letter.text
        assert 'href="https://shop.example/plans"' in letter.html
        assert 'href="https://shop.example/dashboard/plan"' in letter.html
        shown = re.sub(r"<[^>]*>", "", letter.html.partition("</style>")[2])
        assert "%" not in shown.replace("80\N{NO-BREAK SPACE}%", "")


# Any history

CALLS = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from("abcdef"), st.integers(0, 70)), min_size=1, max_size=14
)


@given(calls=CALLS, sizes=st.lists(st.integers(0, 20), min_size=1, max_size=2))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_of_use(context: Flask, calls: list[tuple[int, str, int]], sizes: list[int]) -> None:
    """Whatever is asked in whatever order, answers and counters are those of a ledger kept by hand."""
    user = someone(NOW, plans=len(sizes))
    for number, size in enumerate(sizes):
        with transaction() as session:
            starts = NOW + 30 * number * DAY
            mine = (PurchasedPlan.user_id == user.id) & (PurchasedPlan.starts_at == starts)
            session.execute(update(PurchasedPlan).where(mine).values(email_quota=size))
    left, answers = dict(enumerate(sizes)), {}
    for quantity, key, day in calls:
        period, moment = day // 30, NOW + day * DAY
        if key in answers:
            assert quota.use(user.email, quantity, key, moment) == Used(answers[key], repeated=True)
        elif period not in left:
            with pytest.raises(NoPlan):
                quota.use(user.email, quantity, key, moment)
        elif left[period] < quantity:
            with pytest.raises(QuotaExceeded):
                quota.use(user.email, quantity, key, moment)
        else:
            left[period] -= quantity
            answers[key] = left[period]
            assert quota.use(user.email, quantity, key, moment) == Used(left[period], repeated=False)
    assert used_of(user) == [size - left[number] for number, size in enumerate(sizes)]
    assert broken() == []

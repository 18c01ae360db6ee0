"""Days are added up once; what has changed since is counted anew; no table is read from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, func, select, text, update

from dev.bench import payments as bench
from portal import clock
from portal.billing import figure_reading, figures, statistics
from portal.billing.figures import Stretch
from portal.billing.questions import Question, Tally
from portal.database import db, transaction
from portal.models import (
    Consent,
    DailyFigure,
    FigureDay,
    FigureTouch,
    Payment,
    PaymentPurpose,
    PaymentStatus,
    Subscription,
    SubscriptionStatus,
    User,
)
from portal.models import PurchasedPlan as Period
from tests.billing import rows
from tests.billing.rows import CLOUDPAYMENTS

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TODAY = date(2026, 11, 22)


def how_many(model: Any) -> int:
    """Rows of a table."""
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def paid(user: User, moment: datetime, **changes: Any) -> Payment:
    """Money that came."""
    values = {
        "status": PaymentStatus.SUCCEEDED,
        "paid_at": moment,
        "gateway_payment_id": str(next(rows.numbers)),
    }
    return rows.a_payment(user, moment, **values, next_check_at=None, **changes)


def captured(since: date = TODAY - timedelta(days=29)) -> Tally:
    """What the portal says came in."""
    return statistics.read(Question(since, TODAY, test=True), NOW).total("captured")


def test_a_closed_day_is_opened_by_whatever_touches_it(now: datetime) -> None:
    """A row of a closed day that changes is counted at once, and added up again by the next look."""
    user = rows.a_customer(now)
    payment = paid(user, NOW - timedelta(days=9))
    figures.close_all(NOW)
    assert (how_many(FigureDay), how_many(FigureTouch)) == (27, 0)
    assert captured() == Tally(1, Decimal("990.00"))

    with transaction() as session:
        session.execute(update(Payment).where(Payment.id == payment.id).values(amount=Decimal("10.01")))
    assert how_many(FigureTouch) == 1
    assert captured() == Tally(1, Decimal("10.01"))

    figures.close_all(NOW)
    assert (how_many(FigureDay), how_many(FigureTouch)) == (27, 0)
    assert captured() == Tally(1, Decimal("10.01"))
    with transaction() as session:  # the counters of e-mails and the like concern no figure
        session.execute(update(Payment).where(Payment.id == payment.id).values(checks=7))
    assert how_many(FigureTouch) == 0


def test_a_shop_that_moves_to_another_zone_counts_anew(now: datetime, context: Flask) -> None:
    """A day is one by the shop's own clock; what was added up by another is thrown away."""
    paid(rows.a_customer(now), datetime(2026, 11, 10, 22, 30, tzinfo=UTC))
    figures.close_all(NOW)
    before = statistics.read(Question(date(2026, 11, 11), date(2026, 11, 11), test=True), NOW)
    assert before.total("captured").n == 1
    there = replace(context.extensions["portal_config"], tz_display="Europe/London")
    context.extensions["portal_config"] = there
    for _ in range(2):
        assert captured(date(2026, 11, 11)).n == 0
        assert captured(date(2026, 11, 10)).n == 1
        figures.close_all(NOW)
    assert set(db.session.scalars(select(DailyFigure.zone))) <= {"Europe/London"}


def test_two_at_once_close_a_day_once(now: datetime) -> None:
    """Whoever comes second finds nothing left to do."""
    paid(rows.a_customer(now), NOW - timedelta(days=3))
    assert figures.close_days(NOW) == 9
    assert figures.close_days(NOW) == 0


ENDED = NOW - timedelta(days=5)


@pytest.mark.parametrize(
    ("outcome", "attempts", "withdrawn", "live"),
    (
        ("charged", (("failed", "5051"), ("succeeded", None)), None, {}),
        ("refused", (("failed", "not_created"), ("failed", "5051")), None, {}),
        ("open", (("unknown", None),), None, {}),
        ("open", (("failed", "not_created"),), None, {"charge_look_at": NOW - timedelta(minutes=5)}),
        ("stopped", (), ("stopped", ENDED - timedelta(days=1)), {}),
        ("stopped", (), ("unlinked", ENDED + timedelta(days=1)), {}),
        ("held", (), None, {"held_since": NOW - timedelta(hours=1)}),
        ("unexplained", (), None, {"charge_look_at": NOW - timedelta(days=1)}),
        ("unexplained", (("failed", "not_created"),), None, {}),
        ("unexplained", (), ("ended", ENDED + timedelta(days=3)), {"status": SubscriptionStatus.EXPIRED}),
    ),
)
def test_every_renewal_is_charged_or_explained(
    now: datetime, outcome: str, attempts: Any, withdrawn: Any, live: dict[str, Any]
) -> None:
    """What became of a renewal that was due, from its attempts, its agreement and its subscription."""
    user = rows.a_customer(now)
    a_due_renewal(user, attempts, withdrawn, live)
    for _ in range(2):
        numbers = statistics.read(Question(TODAY - timedelta(days=29), TODAY, test=True), NOW)
        assert numbers.by("renewals", "detail") == {outcome: Tally(1, Decimal("500.00"))}
        assert bool(numbers.unexplained) == (outcome == "unexplained")
        figures.close_all(NOW)
    still_open = {"open", "held", "unexplained"}
    closed = db.session.scalars(select(FigureDay.day).where(FigureDay.family == "renewals")).all()
    assert (ENDED.date() in closed) == (outcome not in still_open)


def test_unexplained_renewals_are_looked_for_on_their_days(now: datetime) -> None:
    """A year with one of them is not walked through for its name."""
    a_due_renewal(rows.a_customer(now), (), None, {"charge_look_at": NOW - timedelta(days=1)})
    figures.close_all(NOW)
    with statements() as asked:
        numbers = statistics.read(Question(TODAY - timedelta(days=364), TODAY, test=True), NOW)
    assert [one.amount for one in numbers.unexplained] == [Decimal("500.00")]
    looked = [values for statement, values in asked if "detail = 'unexplained'" in statement]
    assert [one["until"] - one["since"] for one in looked] == [timedelta(days=1)]


def test_nothing_is_due_without_an_agreement(now: datetime) -> None:
    """A plan bought once ends, and nobody expected a charge; nor where no agreement came into force."""
    user = rows.a_customer(now)
    a_due_renewal(user, (), ("not_saved", ENDED - timedelta(days=30)), {})
    assert (
        statistics.read(Question(TODAY - timedelta(days=29), TODAY, test=True), NOW).total("renewals").n == 0
    )


def a_due_renewal(user: User, attempts: Any, withdrawn: Any, live: dict[str, Any]) -> None:
    """A period that ended under an agreement, and what was tried."""
    begun = ENDED - timedelta(days=30)
    bought = paid(user, begun)
    with transaction() as session:
        consent = an_agreement(bought, begun, *(withdrawn or (None, None)))
        columns: dict[str, Any] = {"status": SubscriptionStatus.ACTIVE, **live}
        subscription = Subscription(
            user_id=user.id,
            plan_id=bought.plan_id,
            current_period_start=begun,
            current_period_end=ENDED,
            created_at=begun,
            **columns,
        )
        session.add_all((consent, subscription))
        session.flush()
        session.add(a_period(bought, subscription, begun))
        consent_id, subscription_id = consent.id, subscription.id
        session.execute(text("SET LOCAL session_replication_role = replica"))  # no card behind them
    for number, (status, code) in enumerate(attempts, 1):
        an_attempt(user, subscription_id, consent_id, number, status, code)


def an_agreement(bought: Payment, given_at: datetime, because: Any, withdrawn_at: Any) -> Consent:
    """The customer's word for 500 roubles a month, and what became of it."""
    return Consent(
        user_id=bought.user_id,
        amount=Decimal("500.00"),
        currency="RUB",
        period_days=30,
        plan_id=bought.plan_id,
        plan_code=bought.plan_code,
        plan_title=bought.plan_title,
        email_quota=1,
        given_at=given_at,
        withdrawn_at=withdrawn_at,
        withdrawn_because=because,
        **dict.fromkeys(("text_version", "text", "address", "user_agent"), ""),
    )


def a_period(bought: Payment, subscription: Subscription, begun: datetime) -> Period:
    """What was bought, over at :data:`ENDED`."""
    return Period(
        user_id=bought.user_id,
        subscription_id=subscription.id,
        payment_id=bought.id,
        plan_id=bought.plan_id,
        plan_code=bought.plan_code,
        plan_title=bought.plan_title,
        starts_at=begun,
        ends_at=ENDED,
        email_quota=1,
        created_at=begun,
    )


def an_attempt(
    user: User, subscription_id: int, consent_id: int, number: int, status: str, code: str | None
) -> None:
    """One try of a renewal."""
    moment = ENDED - timedelta(days=3) + timedelta(days=number)
    succeeded = status == "succeeded"
    values: dict[str, Any] = {
        "purpose": PaymentPurpose.RENEWAL,
        "status": PaymentStatus(status),
        "failure_code": code,
        "attempt": number,
        "subscription_id": subscription_id,
        "period_start": ENDED,
        "consent_id": consent_id,
        "payment_method_id": a_method(user),
        "paid_at": moment if succeeded else None,
        "gateway_payment_id": str(next(rows.numbers)) if succeeded else None,
    }
    rows.a_payment(user, moment, gateway=CLOUDPAYMENTS, **values)


def a_method(user: User) -> int:
    """A card that is gone."""
    with transaction() as session:
        written = session.execute(
            text(
                "INSERT INTO payment_methods (user_id, gateway, kind, title, fingerprint, created_at,"
                " preferred_at, detached_at)"
                " VALUES (:user, 'cloudpayments', 'card', 'x', 'x', now(), now(), now()) RETURNING id"
            ),
            {"user": user.id},
        )
        return int(written.scalar_one())


def test_a_month_of_a_large_shop_walks_through_no_table(now: datetime, database_url: str) -> None:
    """What the page asks for a month, and for a year, is answered through indexes: in 10 000 payments no
    statement reads payments, periods or refunds from end to end.
    """
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        bench.fill(connection, 10_000, NOW)
    figures.close_all(NOW)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE figure_days, daily_figures"))
    for days in (30, 365):
        with statements() as asked:
            numbers = statistics.read(Question(TODAY - timedelta(days=days - 1), TODAY, test=True), NOW)
        assert numbers.total("captured").n > 300
        assert numbers.total("renewals").n == numbers.total("renewals", detail="charged").n > 300
        assert len(asked) == 3
        with db.engine.connect() as connection:
            for statement, values in asked:
                plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars().all()
                walked = [line for line in plan if "Seq Scan on" in line]
                assert not [line for line in walked if "payments" in line or "purchased" in line], plan


def test_a_past_that_is_not_added_up_is_not_counted_day_by_day(database_url: str, context: Flask) -> None:
    """The plans that ran when the window began are the same, and come from one look, before any day is
    closed; the command closes them all.
    """
    now = clock.now()
    today = figures.calendar().day(now)
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        bench.fill(connection, 1000, now)
    question = Question(today - timedelta(days=29), today, test=True)
    with statements() as asked:
        numbers = statistics.read(question, now)
    assert len(asked) <= 6
    assert not numbers.missing
    assert numbers.before is not None
    assert sum(tally.n for tally in numbers.before.values()) > 30

    said = context.test_cli_runner().invoke(args=["close-days"]).output
    assert (
        said == f"Days added up, each counted once for each of 3 kinds of figures: {how_many(FigureDay)}.\n"
    )
    assert figures.close_days(now) == 0
    assert statistics.read(question, now).before == numbers.before


def test_a_page_counts_no_more_than_it_has_time_for(
    database_url: str, context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While two years wait to be added up, a page counts the latest days and says which it leaves out; a file
    counts them all; portion by portion the days are closed, the latest first, until the page is whole.
    """
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        bench.fill(connection, 1000, NOW)
    monkeypatch.setattr(figure_reading, "MOST_ROWS", 100)
    monkeypatch.setattr(figure_reading, "MOST_RUNNING", 10)
    question = Question(TODAY - timedelta(days=299), TODAY, test=True)

    whole = statistics.read(question, NOW, whole=True)
    assert (whole.missing, whole.total("captured").n) == (frozenset(), 400)
    page = statistics.read(question, NOW)
    last = max(page.missing)
    assert page.missing == set(Stretch(question.since, last + figures.DAY))
    assert 30 < (TODAY - last).days < 100
    after = statistics.read(replace(question, since=last + figures.DAY), NOW, whole=True)
    assert page.total("captured") == after.total("captured") != whole.total("captured")
    assert (page.before, page.running()) == (None, None)

    left = [len(page.missing)]
    while figures.close_days(NOW, most=100):
        page = statistics.read(question, NOW)
        left.append(len(page.missing))
    assert left == sorted(left, reverse=True)
    assert len(set(left)) > 3
    assert (page.missing, page.before) == (frozenset(), whole.before)
    for name in ("created", "captured", "orders", "began", "ended", "renewals"):
        assert page.total(name) == whole.total(name), name


def test_days_that_lie_scattered_are_counted_together(database_url: str, context: Flask) -> None:
    """Many touched days cost a page no more statements than a few do."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        bench.fill(connection, 1000, NOW)
    figures.close_all(NOW)
    with transaction() as session:
        session.execute(update(Payment).where(Payment.id % 40 == 0).values(fee=Decimal("1.00")))
    question = Question(TODAY - timedelta(days=364), TODAY, test=True)
    with statements() as asked:
        page = statistics.read(question, NOW)
    assert len(asked) <= 3 + 2 * figure_reading.MOST_STRETCHES
    assert not page.missing
    figures.forget()
    assert page.total("fee", detail="known") == statistics.read(question, NOW, whole=True).total(
        "fee", detail="known"
    )


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What the database is asked inside this block."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if not statement.startswith("SET"):
            asked.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", note)
    yield asked
    event.remove(db.engine, "before_cursor_execute", note)

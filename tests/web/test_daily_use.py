"""What was sent on each of the last days, on the dashboard."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event

from portal import clock
from portal.billing import daily_use, quota
from portal.database import db, transaction
from portal.models import PurchasedPlan, Revocation, UsageRecord
from portal.web import use_chart
from tests.web.browser import Browser
from tests.web.shop import a_payment, a_period, user_of
from tests.web.test_renewal import text

DAY = timedelta(days=1)


@pytest.fixture
def now(app: Flask) -> datetime:
    """Half past midnight in Moscow: the day before is three hours of UTC away."""
    moment = datetime(2026, 12, 10, 21, 30, tzinfo=UTC)
    clock.set_to(moment)
    return moment


@pytest.fixture
def browser(app: Flask, now: datetime) -> Browser:
    """Somebody registered."""
    someone = Browser(app)
    someone.register()
    return someone


def sent(period: PurchasedPlan, moment: datetime, quantity: int, key: str = "") -> None:
    """So many e-mails at that moment."""
    with transaction() as session:
        session.add(
            UsageRecord(
                user_id=period.user_id,
                purchased_plan_id=period.id,
                quantity=quantity,
                idempotency_key=key or str(uuid.uuid4()),
                emails_left=0,
                created_at=moment,
            )
        )


def of(period: PurchasedPlan, now: datetime) -> daily_use.DailyUse:
    found = daily_use.of(period.user_id, now)
    assert found is not None
    return found


def test_days_end_at_midnight_in_moscow(app: Flask, browser: Browser, now: datetime) -> None:
    """What was sent an hour ago was sent yesterday; thirty days, the last of them today."""
    with app.app_context():
        period = a_period(user_of(), a_payment(user_of(), status="succeeded"), now - 9 * DAY)
        sent(period, now - timedelta(hours=1), 40)
        sent(period, now - timedelta(minutes=30), 2)
        sent(period, now - timedelta(minutes=29), 1)
        days = of(period, now).days
    assert [quantity for _, quantity in days[-3:]] == [0, 40, 3]
    assert (len(days), days[0][0].isoformat(), days[-1][0].isoformat()) == (30, "2026-11-12", "2026-12-11")


def test_what_a_change_of_plan_repeats_counts_once(app: Flask, browser: Browser, now: datetime) -> None:
    """E-mails carried into the new plan were sent once; the older than thirty days are not shown."""
    with app.app_context():
        period = a_period(user_of(), a_payment(user_of(), status="succeeded"), now - 40 * DAY)
        sent(period, now - 31 * DAY, 1000)
        sent(period, now - 2 * DAY, 7)
        sent(period, now - 1 * DAY, 7, key="carried:x")
        sent(period, now - 1 * DAY, 7, key="given back:x")
        assert of(period, now).total == 7


def test_nobody_else_s_use_is_counted(app: Flask, browser: Browser, now: datetime) -> None:
    """Whoever has no period has no chart, whatever others send."""
    other = Browser(app)
    other.register("oleg@example.com")
    with app.app_context():
        oleg = user_of("oleg@example.com")
        sent(a_period(oleg, a_payment(oleg, status="succeeded"), now - DAY), now, 5)
        assert daily_use.of(user_of().id, now) is None
    assert "Отправлено за 30 дней" not in text(browser)


def test_a_new_period_is_marked(app: Flask, browser: Browser, now: datetime) -> None:
    """Where the count began anew, and with which plan; a period that never ran is no beginning."""
    with app.app_context():
        user = user_of()
        a_period(user, a_payment(user, status="succeeded"), now - 35 * DAY)
        mine = a_period(user, a_payment(user, "BUSINESS_MONTHLY", "succeeded"), now - 5 * DAY)
        never = a_period(user, a_payment(user, status="succeeded"), now - DAY)
        with transaction() as session:
            row = session.merge(never)
            row.revoked_at, row.revoked_because = row.created_at, Revocation.CANCELED
        sent(mine, now - DAY, 5)
        use = of(mine, now)
        assert [(one.day.isoformat(), one.plan_title) for one in use.begun] == [("2026-12-06", "Бизнес")]
        assert use_chart.drawn(use).begun == (240,)
    assert "6 декабря начался срок тарифа «Бизнес»: 250 000 писем, счёт заново" in text(browser)


def test_the_drawing_is_told_in_words_and_in_a_table(app: Flask, browser: Browser, now: datetime) -> None:
    """Who does not see the bars reads the same; no style stands in the page."""
    with app.app_context():
        user = user_of()
        period = a_period(user, a_payment(user, status="succeeded"), now - 9 * DAY, used=4_000)
        for n in range(1, 9):
            sent(period, now - n * DAY, 100 * n)
    raw, page = browser.get("/dashboard/").text, text(browser)
    assert "Отправлено за 30 дней 3 600 писем" in page
    assert "Больше всего — 3 декабря: 800 писем." in page
    assert "в среднем 400 писем в день" in page
    assert "3 декабря: 800 писем 4 декабря: 700 писем" in page
    assert "11 декабря, сегодня" in page
    assert "дни по часам МСК" in page
    assert raw.count('<th scope="row">') == 30
    assert 'role="img"' in raw
    assert " style=" not in raw
    assert "Если отправлять столько же, писем хватит до конца срока." in page


def test_it_is_said_when_the_e_mails_run_out_early(app: Flask, browser: Browser, now: datetime) -> None:
    """By the last whole days of this period; today, which is not over, says nothing."""
    with app.app_context():
        user = user_of()
        period = a_period(user, a_payment(user, status="succeeded"), now - 9 * DAY, used=40_000)
        for n in range(1, 8):
            sent(period, now - n * DAY, 2_000)
        sent(period, now, 9_000)
    assert "письма закончатся около 16 декабря, раньше конца срока" in text(browser)


def test_two_days_are_no_pace(app: Flask, browser: Browser, now: datetime) -> None:
    """Nothing is foretold out of a beginning."""
    with app.app_context():
        user = user_of()
        period = a_period(user, a_payment(user, status="succeeded"), now - 2 * DAY, used=40_000)
        sent(period, now - DAY, 20_000)
        assert of(period, now).pace is None
    assert "Если отправлять столько же" not in text(browser)


def test_an_unused_plan_has_no_empty_axes(app: Flask, browser: Browser, now: datetime) -> None:
    """A sentence stands where the chart will be."""
    with app.app_context():
        a_period(user_of(), a_payment(user_of(), status="succeeded"), now - DAY)
    assert "Писем пока не было" in text(browser)
    assert "use__plot" not in browser.get("/dashboard/").text


def test_the_product_s_call_is_seen_at_once(app: Flask, browser: Browser, now: datetime) -> None:
    """What the product counts is what the chart shows."""
    with app.app_context():
        a_period(user_of(), a_payment(user_of(), status="succeeded"), now - DAY)
        quota.use("ira@example.com", 25, "a", now)
    assert "11 декабря: 25 писем" in text(browser)


@pytest.mark.parametrize(("largest", "top"), ((1, 2), (2, 2), (9, 10), (10, 10), (11, 20), (4_380, 6_000)))
def test_the_scale_ends_at_a_round_number(largest: int, top: int) -> None:
    """Its half is a whole number too."""
    assert use_chart._round_up(largest) == top


def test_the_page_asks_the_database_little(app: Flask, browser: Browser, now: datetime) -> None:
    """One statement for the chart, and a dozen in all: each is a trip."""
    with app.app_context():
        a_period(user_of(), a_payment(user_of(), status="succeeded"), now - DAY)
        engine = db.engine
    browser.get("/dashboard/")
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        browser.get("/dashboard/")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len([one for one in asked if re.search(r"\busage_records\b", one)]) == 1
    assert len(asked) <= 13, asked

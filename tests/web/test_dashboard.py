"""The customer's own pages."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal import clock
from portal.billing import notices
from portal.database import db, transaction
from portal.models import Plan, Role, Subscription, SubscriptionStatus
from portal.web import filters
from portal.web.filters import NBSP
from tests.billing.subscribers import a_subscriber
from tests.web.browser import Browser
from tests.web.shop import a_payment, a_period, user_of

HISTORY = "/dashboard/payments"


def ids(page: str) -> list[str]:
    """The payments on a page in their order."""
    return re.findall(r"/billing/payment/([0-9a-f-]{36})/return", page)


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody registered."""
    someone = Browser(app)
    someone.register()
    return someone


def text(browser: Browser, path: str = "/dashboard/") -> str:
    """A page with ordinary spaces and without entities."""
    answer = browser.get(path)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", html.unescape(answer.text).replace(NBSP, " "))


@pytest.mark.parametrize("path", ("/dashboard/", HISTORY, f"{HISTORY}?format=csv"))
def test_a_visitor_signs_in_first(app: Flask, path: str) -> None:
    """The pages are their owner's."""
    assert Browser(app).get(path).location.startswith("/login?next=/dashboard/")


def test_a_newcomer_is_led_to_the_plans(browser: Browser) -> None:
    """Without a plan there is no empty table but a way on."""
    page = text(browser)

    assert "Тарифа пока нет" in page
    assert 'href="/plans"' in page
    assert "Последние платежи" not in page
    assert "Подтвердите почту" in page


@pytest.mark.parametrize("on_sale", (True, False))
def test_only_a_plan_on_sale_can_be_bought_again(app: Flask, browser: Browser, on_sale: bool) -> None:
    """The button leads to a page that is there: what is sold no more has none."""
    with app.app_context():
        a_subscriber(clock.now(), user=user_of(), agreed=False)
        with transaction() as session:
            session.execute(update(Plan).where(Plan.code == "PRO_MONTHLY").values(on_sale=on_sale))
    led_to = re.findall(r'href="(/checkout/[^"]+)"', browser.get("/dashboard/").text)
    assert led_to == (["/checkout/PRO_MONTHLY"] if on_sale else [])
    assert browser.get("/checkout/PRO_MONTHLY").status_code == (200 if on_sale else 404)


def test_the_plan_in_force(app: Flask, browser: Browser) -> None:
    """Plan, status, letters left with their bar, days left, the exact end, renewal, the last payment."""
    with app.app_context():
        payment = a_payment(user_of(), status="succeeded")
        period = a_period(user_of(), payment, clock.now() - timedelta(days=9, hours=1), used=13_250)

    page = text(browser)
    assert "Действует" in page
    assert '<p class="figure__value">36 750</p>' in page
    assert re.search(r'<progress class="bar" value="36750" max="50000"', page)
    assert '<p class="figure__value">21 день</p>' in page
    end = period.ends_at + timedelta(hours=3)
    assert f"{end.day} " in page
    assert f"{end:%H:%M} МСК" in page
    assert "Продление выключено" in page
    assert "Само ничего не спишется. Тариф закончится" in page
    assert "Сохранённых карт и других способов нет" in page
    assert ids(page) == [payment.transaction_id]


def test_what_comes_after_the_present_plan(app: Flask, browser: Browser) -> None:
    """A plan that is paid and waits is shown with its dates; the days left count both."""
    with app.app_context():
        user, now = user_of(), clock.now()
        a_period(user, a_payment(user, status="succeeded"), now - timedelta(hours=1))
        a_period(
            user, a_payment(user, "PRO_YEARLY", "succeeded"), now - timedelta(hours=1) + timedelta(days=30)
        )

    page = text(browser)
    assert "Следующий срок" in page
    assert "600 000 писем" in page
    assert '<p class="figure__value">395 дней</p>' in page


@pytest.mark.parametrize(
    ("ahead", "folded"), ((3, ""), (4, "Ещё 1 оплаченный срок"), (8, "Ещё 5 оплаченных сроков"))
)
def test_many_paid_periods_are_folded(app: Flask, browser: Browser, ahead: int, folded: str) -> None:
    """Three in sight, the others at one click that needs no script; the first alone is the next one."""
    with app.app_context():
        user, begun = user_of(), clock.now() - timedelta(hours=1)
        for number in range(ahead + 1):
            a_period(user, a_payment(user, status="succeeded"), begun + number * timedelta(days=30))

    page = text(browser)
    seen, fold, hidden = page.partition('<details class="more">')
    assert (seen.count("Следующий срок оплачен"), seen.count("Затем «Про»")) == (1, 2)
    assert hidden.count("Затем «Про»") == ahead - 3
    assert bool(fold) == bool(folded)
    assert folded in hidden


def test_renewal_and_the_saved_card(app: Flask, browser: Browser) -> None:
    """Who agreed to renewals sees with which card, when and how much; never more than its last digits."""
    with app.app_context():
        ira = a_subscriber(clock.now(), user=user_of())
        token = (ira.method.token or b"").decode()
        day = filters.moment(ira.subscription.charge_due_at or "").replace(filters.NBSP, " ")

    page = text(browser)
    assert "Следующее списание" in page
    assert '<p class="figure__value">990 ₽</p>' in page
    assert day in page
    assert "Visa •• 4242" in page
    assert "12/2030" in page
    assert token not in page


def test_a_plan_that_is_over(app: Flask, browser: Browser) -> None:
    """A period ends at its end, whether or not a job has said so."""
    with app.app_context():
        a_period(user_of(), a_payment(user_of(), status="succeeded"), clock.now() - timedelta(days=31))

    page = text(browser)
    assert "Тариф закончился" in page
    assert "Действует<" not in page


def test_a_renewal_that_failed_is_marked(app: Flask, browser: Browser) -> None:
    """The plan still runs, and the page says that it was not renewed."""
    with app.app_context():
        a_period(user_of(), a_payment(user_of(), status="succeeded"), clock.now())
        with transaction() as session:
            session.scalars(select(Subscription)).one().status = SubscriptionStatus.PAST_DUE

    assert "Не удалось продлить" in text(browser)


def test_a_payment_without_an_answer_is_in_front(app: Flask, browser: Browser) -> None:
    """Nobody pays twice because the first payment was out of sight."""
    with app.app_context():
        waits = a_payment(user_of(), status="unknown", gateway="yookassa").transaction_id

    page = text(browser)
    assert "второй раз платить не нужно" in page
    assert ids(page)[0] == waits


def test_notices_are_told_in_words(app: Flask, browser: Browser) -> None:
    """A success and a refusal read as sentences; a kind without words here is a letter's alone."""
    facts = {"amount": "990.00", "currency": "RUB", "gateway": "cloudpayments", "plan_title": "<i>Про</i>"}
    with app.app_context(), transaction() as session:
        user, now = user_of(), clock.now()
        told = {**facts, "ends_at": "2027-01-05T10:00:00+00:00"}
        notices.announce(session, user.id, "payment_succeeded", "a", told, now)
        notices.announce(session, user.id, "payment_failed", "b", {**facts, "failure_code": "5051"}, now)
        notices.announce(session, user.id, "something_new", "c", {}, now)

    raw = browser.get("/dashboard/").text
    page = text(browser)
    assert "Тариф «<i>Про</i>» оплачен" in page
    assert "<i>" not in raw
    assert "Получили 990 ₽, тариф действует до 5 января 2027." in page
    assert "Платёж 990 ₽ не прошёл" in page
    assert "не хватило денег" in page


def test_quota_notices_are_told_in_words(app: Flask, browser: Browser) -> None:
    """How many e-mails were left, until when, and when there will be more."""
    with app.app_context(), transaction() as session:
        user, now = user_of(), clock.now()
        ends_at, following = "2027-01-05T10:00:00+00:00", {"next_starts_at": None, "next_emails": None}
        facts = {"plan_title": "Про", "emails_total": 50_000, "ends_at": ends_at, **following}
        low = {**facts, "percent": 80, "emails_left": 10_000}
        spent = {**facts, "percent": 100, "emails_left": 0, "next_starts_at": ends_at, "next_emails": 5_000}
        notices.announce(session, user.id, "quota_low", "a", low, now)
        notices.announce(session, user.id, "quota_spent", "b", spent, now)

    page = text(browser)
    assert "Использовано 80 % писем: тариф «Про»" in page
    assert "Осталось 10 000 писем до 5 января 2027. Новые появятся со следующим оплаченным сроком." in page
    assert "Письма закончились: тариф «Про»" in page
    assert "Отправка остановлена. 5 000 писем добавятся 5 января 2027, 13:00 МСК." in page


def test_an_admin_finds_the_way_to_the_admin(app: Flask, browser: Browser) -> None:
    """Only an operator's menu leads there."""
    assert "/admin/" not in text(browser)
    with app.app_context(), transaction():
        db.session.merge(user_of()).role = Role.VIEWER

    assert 'href="/admin/"' in text(browser)

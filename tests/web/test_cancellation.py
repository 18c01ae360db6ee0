"""The page that ends a plan."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import clock
from portal.billing import cancellation, settings
from portal.database import db, transaction
from portal.models import PurchasedPlan, Refund, Subscription, SubscriptionStatus
from portal.web.filters import NBSP
from tests.web.browser import Browser
from tests.web.shop import a_payment, a_period, user_of

PAGE = "/dashboard/cancel"


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody registered."""
    someone = Browser(app)
    someone.register()
    return someone


def a_plan(app: Flask, age: timedelta, used: int = 0, plan: str = "PRO_MONTHLY") -> None:
    """A plan bought so long ago; a negative age is one that has not begun."""
    with app.app_context():
        paid_at = clock.now() - max(age, timedelta(0))
        payment = a_payment(user_of(), plan, "succeeded", paid_at=paid_at)
        a_period(user_of(), payment, clock.now() - age, used)


def policy(app: Flask, name: str) -> None:
    """The operator's rule."""
    with app.app_context():
        settings.put("refund_policy", name, clock.now())


def words(browser: Browser) -> str:
    """The page as a person reads it."""
    answer = browser.get(PAGE)
    assert answer.status_code == 200
    main = answer.text.split("<main", 1)[1].split("</main>", 1)[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", main)).replace(NBSP, " "))


def test_a_visitor_signs_in_first(app: Flask) -> None:
    """The page is its owner's, and so is the click."""
    visitor = Browser(app)
    assert visitor.get(PAGE).location == "/login?next=/dashboard/cancel"
    assert visitor.post(PAGE, page="/login").location == "/login?next=/dashboard/cancel"


def test_a_forged_click_ends_nothing(app: Flask, browser: Browser) -> None:
    """A form that does not come from a page of ours is refused, and so is looking by POST elsewhere."""
    a_plan(app, timedelta(days=1))
    assert browser.send(PAGE).status_code == 400
    assert browser.send(PAGE, data={"csrf_token": "made up"}).status_code == 400
    with app.app_context():
        assert db.session.scalar(select(func.count(Refund.id))) == 0
        assert db.session.scalars(select(PurchasedPlan.revoked_at)).all() == [None]


def test_somebody_without_a_plan(browser: Browser) -> None:
    """There is nothing to end: the dashboard says so, whether it was a look or a click."""
    for act in (lambda: browser.get(PAGE), lambda: browser.post(PAGE, page="/plans")):
        assert act().location == "/dashboard/"
        assert "отменять нечего" in browser.get("/dashboard/").text


@pytest.mark.parametrize(
    ("rule", "age", "said", "button"),
    (
        ("full", 3, "Всё, что вы заплатили: так можно до ", "Отменить и вернуть 990 ₽"),
        ("unused_quota", 3, "за неотправленные письма: 36 750 из 50 000", "Отменить и вернуть 727,65 ₽"),
        ("unused_days", 3, "Часть от 990 ₽ за время, которое осталось до ", "Отменить и вернуть 890,99 ₽"),
        ("full", 14, "Срок возврата — 14 дней после оплаты, он прошёл ", "Отменить без возврата"),
    ),
)
def test_the_rule_and_the_sum(
    app: Flask, browser: Browser, rule: str, age: int, said: str, button: str
) -> None:
    """Before the click: what goes back to the kopeck, by which rule, to which card, and until when."""
    policy(app, rule)
    a_plan(app, timedelta(days=age, seconds=5), used=13_250)
    page = words(browser)
    assert said in page
    assert button in page
    assert ("Вернём тем же способом: Visa •• 4242." in page) is ("вернуть" in button)
    assert ("сумма понемногу уменьшается" in page) is (rule.startswith("unused") and age < 14)
    assert "отключится сразу, хотя оплачен до" in page


def test_all_that_was_paid_for_is_used(app: Flask, browser: Browser) -> None:
    """Nothing goes back of e-mails that were sent; nobody is told that the time is over."""
    policy(app, "unused_quota")
    a_plan(app, timedelta(days=3), used=50_000)
    page = words(browser)
    assert "Деньги не вернутся Всё, что было оплачено, уже использовано." in page
    assert "0 из 50 000" in page
    assert "он прошёл" not in page


def test_a_plan_that_has_not_begun(app: Flask, browser: Browser) -> None:
    """Two plans are named and end together; the one to come goes back in full."""
    a_plan(app, timedelta(days=20))
    a_plan(app, -timedelta(days=10), plan="BUSINESS_MONTHLY")
    page = words(browser)
    assert "Срок ещё не начался, поэтому возвращаем всё." in page
    assert "Тарифы «Про» и «Бизнес» отключатся сразу, хотя оплачены до" in page
    assert "Отменить и вернуть 2 990 ₽" in page
    assert browser.post(PAGE).location == "/dashboard/"
    assert "Тарифы «Про» и «Бизнес» отменены." in browser.get("/dashboard/").text


def test_instead_of_ending(app: Flask, browser: Browser) -> None:
    """Too late for a refund: who is renewed is led to switching that off, others are told when it ends."""
    a_plan(app, timedelta(days=20))
    assert "тариф сам закончится" in words(browser)
    with app.app_context(), transaction() as session:
        session.scalars(select(Subscription)).one().auto_renew = True
    assert "Отключить продление" in words(browser)
    assert 'href="/dashboard/renewal"' in browser.get(PAGE).text


def test_in_the_days_of_grace(app: Flask, browser: Browser) -> None:
    """The paid time is over and a renewal is being tried: ending stops that; there is nothing to return."""
    a_plan(app, timedelta(days=31))
    with app.app_context(), transaction() as session:
        row = session.scalars(select(Subscription)).one()
        row.status, row.grace_until = SubscriptionStatus.PAST_DUE, clock.now() + timedelta(days=5)
    page = words(browser)
    assert "Оплаченный срок закончился, возвращать нечего." in page
    assert "Что вернём" not in page
    browser.post(PAGE)
    with app.app_context():
        assert cancellation.preview(user_of().id, clock.now()) is None


def test_what_goes_back_is_shown(app: Flask, browser: Browser) -> None:
    """In the history: under way, then done, then, where it did not get through, that we are on it; the file
    for spreadsheets stays as it was.
    """
    a_plan(app, timedelta(days=1))
    before = browser.get("/dashboard/payments?format=csv").text
    browser.post(PAGE)
    shown = {"pending": "возвращаем 990 ₽", "failed": "возврат 990 ₽ задерживается, мы разбираемся"}
    for status, said in shown.items():
        with app.app_context(), transaction() as session:
            row = session.scalars(select(Refund)).one()
            row.status, row.next_check_at = status, clock.now() if status == "pending" else None  # type: ignore[assignment]
        for path in ("/dashboard/", "/dashboard/payments"):
            assert said in html.unescape(browser.get(path).text).replace(NBSP, " ").lower()
    assert browser.get("/dashboard/payments?format=csv").text == before

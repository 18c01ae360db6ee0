"""The home page and the tariffs."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from flask import Flask

from portal import clock
from portal.billing import plans, settings
from portal.billing.offers import Offer
from portal.database import transaction
from portal.models import Plan
from portal.web.filters import NBSP
from tests.web.browser import Browser
from tests.web.shop import a_payment, a_period, user_of


def seen(app: Flask, path: str) -> str:
    """A visitor's page with ordinary spaces."""
    answer = Browser(app).get(path)
    assert answer.status_code == 200
    return answer.text.replace(NBSP, " ")


def test_a_visitor_sees_every_plan_on_sale(app: Flask) -> None:
    """Each has its price, its letters and its way to the checkout; no account is needed to look."""
    page = seen(app, "/plans") + seen(app, "/plans?period=year")

    for code in ("START_MONTHLY", "PRO_MONTHLY", "BUSINESS_MONTHLY", "PRO_YEARLY", "BUSINESS_YEARLY"):
        assert f'href="/checkout/{code}"' in page
    for price in ("390 ₽", "990 ₽", "2 990 ₽", "9 900 ₽", "29 900 ₽"):
        assert f'<span class="price__now">{price}</span>' in page
    assert "50 000 писем" in page


def test_a_discount_is_shown_honestly(app: Flask) -> None:
    """The list price is struck through, the saving is in roubles, a year's plan tells its price per month."""
    page = seen(app, "/plans?period=year")

    assert '<s class="price__list">11 880 ₽</s>' in page
    assert "Дешевле на 1 980 ₽, это 16 %" in page  # a sixth, rounded down
    assert "825 ₽ в месяц, но оплата сразу" in page
    assert "2 491,67 ₽ в месяц" in page


def test_the_switch_promises_no_saving_that_one_of_the_plans_does_not_keep(app: Flask) -> None:
    """One saving is told as it is; of several only the largest, as the most that it can be."""
    assert "дешевле на 16 %" in seen(app, "/plans")
    with app.app_context(), transaction() as session:
        session.query(Plan).filter_by(code="BUSINESS_YEARLY").update({"discount": 0})

    page = seen(app, "/plans")
    assert "скидка до 16 %" in page
    assert "дешевле на" not in page


def cards(page: str) -> list[str]:
    """The plans of the cards, by the addresses of their checkouts."""
    return re.findall(r'href="/checkout/(\w+)"', page.partition('id="compare"')[0])


def test_the_switch_keeps_the_choice_in_the_address(app: Flask) -> None:
    """A link shows the plans for a year, and says which is shown; all are compared below."""
    month, year = seen(app, "/plans"), seen(app, "/plans?period=year")

    assert cards(month) == ["START_MONTHLY", "PRO_MONTHLY", "BUSINESS_MONTHLY"]
    assert cards(year) == ["PRO_YEARLY", "BUSINESS_YEARLY"]
    chosen = [re.findall(r'href="([^"]+)"\s+aria-current="true"', page) for page in (month, year)]
    assert chosen == [["/plans?period=month"], ["/plans?period=year"]]
    for page in (month, year):
        assert len(re.findall(r'scope="row"', page)) == 5
        assert 'href="/checkout/START_MONTHLY"' in page
        assert 'href="/checkout/BUSINESS_YEARLY"' in page


def test_a_period_that_is_not_sold_is_not_offered(app: Flask) -> None:
    """Without plans for a year there is no switch, and a strange address shows what there is."""
    with app.app_context(), transaction() as session:
        session.query(Plan).filter(Plan.period_days > 100).update({"on_sale": False})

    page = seen(app, "/plans?period=year")
    assert cards(page) == ["START_MONTHLY", "PRO_MONTHLY", "BUSINESS_MONTHLY"]
    assert 'href="/plans?period=' not in page


@pytest.mark.parametrize(
    ("window", "policy", "answer"),
    (
        (14, "full", "Да, всю сумму. Срок возврата — 14 дней"),
        (14, "unused_days", "Да, за неиспользованное время. Срок возврата — 14 дней"),
        (3, "unused_quota", "Да, за неотправленные письма. Срок возврата — 3 дня"),
        (0, "full", "За срок, который уже идёт, деньги не возвращаем"),
    ),
)
def test_the_answers_are_the_shop_s_own(app: Flask, window: int, policy: str, answer: str) -> None:
    """The home page promises what the settings keep."""
    with app.app_context():
        settings.put("refund_window_days", str(window), clock.now())
        settings.put("refund_policy", policy, clock.now())

    assert answer in seen(app, "/")


def test_the_home_page_says_who_sells(app: Flask) -> None:
    """The seller's facts stand where people decide, and nothing stands there while nobody filled them in."""
    assert "Кому вы платите" not in seen(app, "/")
    with app.app_context():
        settings.put("seller_name", "ООО «Ромашка»", clock.now())

    page = seen(app, "/")
    assert "Кому вы платите" in page
    assert "ООО «Ромашка»" in page


def test_a_plan_without_a_discount_strikes_nothing(app: Flask) -> None:
    """No invented old price."""
    with app.app_context():
        offer = Offer.of(plans.on_sale_by_code("PRO_MONTHLY"))

    assert (offer.list_price, offer.saving, offer.per_month) == (None, None, None)
    assert (offer.price, offer.per_thousand) == (Decimal("990.00"), Decimal("19.80"))


def test_what_is_off_sale_is_not_shown(app: Flask) -> None:
    """A plan taken off sale is on no page."""
    with app.app_context(), transaction() as session:
        session.query(Plan).filter_by(code="PRO_MONTHLY").update({"on_sale": False})

    assert "/checkout/PRO_MONTHLY" not in seen(app, "/plans") + seen(app, "/")


def test_an_empty_shop_says_so_calmly(app: Flask) -> None:
    """With nothing on sale both pages still open."""
    with app.app_context(), transaction() as session:
        session.query(Plan).update({"on_sale": False})

    assert "Сейчас тарифы не продаются" in seen(app, "/plans")
    assert "/checkout/" not in seen(app, "/")


@pytest.mark.parametrize("path", ("/", "/plans", "/plans?period=year"))
def test_nobody_is_led_to_a_checkout_that_takes_no_money(app: Flask, path: str) -> None:
    """While no gateway takes money the tariffs keep their prices, say so and lead nowhere; one is enough."""
    with app.app_context():
        settings.put("cloudpayments_enabled", "false", clock.now())
    assert "/checkout/" in seen(app, path)
    with app.app_context():
        settings.put("yookassa_enabled", "false", clock.now())

    page = seen(app, path)
    assert "Оплата сейчас не принимается" in page
    assert "/checkout/" not in page
    assert "Выбрать тариф" not in page
    assert "390 ₽" in page or "9 900 ₽" in page


@pytest.mark.parametrize(
    ("off", "said"), (("yookassa", "прямо на этом сайте"), ("cloudpayments", "SberPay, на странице ЮKassa"))
)
def test_the_home_page_names_no_way_of_paying_that_is_closed(app: Flask, off: str, said: str) -> None:
    """Three steps are told of the gateways that take money."""
    assert "на этом сайте или на странице ЮKassa" in seen(app, "/")
    with app.app_context():
        settings.put(f"{off}_enabled", "false", clock.now())

    page = seen(app, "/")
    assert said in page
    assert "на этом сайте или на странице" not in page


def test_a_customer_is_told_that_what_is_paid_goes_on(app: Flask) -> None:
    """The notice of a closed shop is not about the plan that runs."""
    browser = Browser(app)
    browser.register()
    with app.app_context():
        a_period(user_of(), a_payment(user_of(), status="succeeded"), clock.now())
        settings.put("cloudpayments_enabled", "false", clock.now())
        settings.put("yookassa_enabled", "false", clock.now())

    page = browser.get("/plans").text
    assert "Всё, что уже оплачено, действует как обычно." in page
    assert "Ваш тариф" in page
    assert "Продлить тариф" not in page


def test_a_plan_of_three_months_names_no_price_of_a_month(app: Flask) -> None:
    """What it costs as a whole is not what a month costs."""
    with app.app_context(), transaction() as session:
        session.query(Plan).filter_by(code="START_MONTHLY").update({"period_days": 90, "price": "1111"})

    row = seen(app, "/plans").partition('id="compare"')[2].partition("</tr>")[2].partition("</tr>")[0]
    assert "1 111 ₽" in row
    assert row.count("1 111 ₽") == 1


def test_a_plan_of_few_letters_and_a_hostile_title(app: Flask) -> None:
    """An operator's words are text, never markup; no price per thousand where there is no thousand."""
    with app.app_context(), transaction() as session:
        session.query(Plan).filter_by(code="START_MONTHLY").update(
            {"title": "<b>Мини</b>", "email_quota": 0, "description": '"><script>alert(1)</script>'}
        )

    page = seen(app, "/plans")
    assert "&lt;b&gt;Мини&lt;/b&gt;" in page
    assert "<script>alert" not in page
    assert "0 писем" in page


def test_the_home_page_leads_to_the_plans(app: Flask) -> None:
    """A short teaser of the monthly plans, and all the rest one click away."""
    page = seen(app, "/")

    assert 'href="/plans"' in page
    assert 'href="/checkout/PRO_MONTHLY"' in page
    assert 'href="/checkout/PRO_YEARLY"' not in page


def test_a_customer_s_own_plan_is_marked(app: Flask) -> None:
    """Who has a plan sees which, and may pay for it again."""
    browser = Browser(app)
    browser.register()
    with app.app_context():
        a_period(user_of(), a_payment(user_of(), status="succeeded"), clock.now())

    page = browser.get("/plans").text
    assert page.count("Ваш тариф") == 1
    assert "Сейчас у вас тариф «Про»" in page
    assert '<a href="/dashboard/plan">смените тариф</a>' in page
    assert page.count("offer--mine") == 1
    assert "Продлить тариф «Про»" in page

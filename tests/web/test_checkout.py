"""Checkout as a customer's browser meets it, with the sandbox as the gateways."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from config import Config
from portal import clock
from portal.database import db
from portal.models import Consent, Payment
from portal.web.filters import NBSP
from tests.desk import LiveSandbox
from tests.web.browser import Browser
from tests.web.shop import a_payment, a_period, user_of

PAGE = "/checkout/PRO_MONTHLY"
CHOSEN = re.compile(r'value="yookassa"\s+checked')


@pytest.fixture
def browser(app: Flask, sandbox: LiveSandbox) -> Browser:
    """Somebody registered; the gateways are at work."""
    someone = Browser(app)
    someone.register()
    return someone


def orders(app: Flask) -> list[Payment]:
    """Every order there is."""
    with app.app_context():
        return list(db.session.scalars(select(Payment).order_by(Payment.id)))


def text(browser: Browser, path: str = PAGE) -> str:
    """A page with ordinary spaces."""
    return browser.get(path).text.replace(NBSP, " ")


def test_a_visitor_registers_and_comes_back_to_the_plan(app: Flask) -> None:
    """Choosing a plan is not lost on the way through the registration."""
    browser = Browser(app)
    first = browser.get(PAGE)
    assert first.status_code == 303
    assert first.location == f"/register?next={PAGE}"

    registered = browser.post(
        first.location, email="ira@example.com", password="three calm herons", accept_privacy="y"
    )

    assert registered.location == PAGE
    assert browser.get(PAGE).status_code == 200


def test_a_form_sent_after_signing_out_leads_to_the_registration(app: Flask) -> None:
    """A page left open is no dead end, and makes no order."""
    browser = Browser(app)

    answer = browser.post(PAGE, page="/plans", gateway="yookassa", accept_offer="y")

    assert answer.location == f"/register?next={PAGE}"
    assert not orders(app)


@pytest.mark.parametrize("code", ("NO_SUCH", "pro_monthly", "PRO_MONTHLY%00", "x" * 300))
def test_a_plan_that_is_not_sold_is_not_found(browser: Browser, code: str) -> None:
    """An unknown code answers 404 to everybody."""
    assert browser.get(f"/checkout/{code}").status_code == 404


def test_the_page_says_what_is_bought(browser: Browser) -> None:
    """What, how much, for how long, from when; both gateways; nothing is ticked beforehand."""
    page = text(browser)

    for words in ("Тариф «Про»", "50 000", "30 дней", "сразу после оплаты", "Оплатить 990 ₽"):
        assert words in page
    assert 'value="cloudpayments"' in page
    assert 'value="yookassa"' in page
    assert page.count("checked") == 1  # the first gateway
    assert "accept_recurring" not in page


def test_a_discount_stands_beside_the_sum(browser: Browser) -> None:
    """List price, discount and what is charged are three different lines."""
    page = text(browser, "/checkout/PRO_YEARLY")

    assert "<s>11 880 ₽</s>" in page
    assert "−1 980 ₽" in page
    assert "Оплатить 9 900 ₽" in page


def test_a_second_plan_begins_when_the_first_ends(app: Flask, browser: Browser) -> None:
    """Who has a plan is told that the new one waits for its end."""
    with app.app_context():
        a_period(user_of(), a_payment(user_of(), status="succeeded"), clock.now())

    page = text(browser, "/checkout/BUSINESS_MONTHLY")
    assert "Сразу за оплаченным тарифом «Про»" in page
    assert "сразу после оплаты" not in page


def test_a_gateway_asked_for_is_chosen_beforehand(browser: Browser) -> None:
    """The way over from the other gateway's page keeps the choice; nonsense is ignored."""
    assert CHOSEN.search(text(browser, f"{PAGE}?gateway=yookassa"))
    assert not CHOSEN.search(text(browser, f"{PAGE}?gateway=paypal"))


def test_without_the_offer_there_is_no_order(app: Flask, browser: Browser) -> None:
    """The box must be ticked; the error stands at the box and, as a link to it, in what takes the focus;
    the other answers are kept.
    """
    answer = browser.post(PAGE, gateway="yookassa")

    assert answer.status_code == 400
    assert 'id="accept_offer-error"' in answer.text
    assert 'aria-describedby="accept_offer-error"' in answer.text
    assert CHOSEN.search(answer.text)
    summary = answer.text[answer.text.index("autofocus") :]
    assert '<a href="#accept_offer">Чтобы оплатить, нужно принять условия оферты.</a>' in summary
    assert 'id="accept_offer"' in summary
    assert not orders(app)


@pytest.mark.parametrize("gateway", ("", "paypal", "CLOUDPAYMENTS", "cloudpayments "))
def test_only_an_offered_gateway_can_be_chosen(app: Flask, browser: Browser, gateway: str) -> None:
    """Anything else is refused at the field."""
    answer = browser.post(PAGE, gateway=gateway, accept_offer="y")

    assert answer.status_code == 400
    assert 'id="gateway-error"' in answer.text
    assert 'href="#gateway-cloudpayments"' in answer.text
    assert 'id="gateway-cloudpayments"' in answer.text
    assert not orders(app)


def test_a_closed_gateway_is_not_offered(app: Flask, browser: Browser, portal_config: Config) -> None:
    """A gateway without credentials is neither shown nor taken."""
    app.extensions["portal_config"] = replace(portal_config, yookassa_shop_id="", yookassa_secret_key="")
    app.extensions.pop("shop_settings", None)

    assert 'value="yookassa"' not in text(browser)
    assert browser.post(PAGE, gateway="yookassa", accept_offer="y").status_code == 400
    assert not orders(app)


def test_a_shop_without_gateways_says_so_calmly(app: Flask, browser: Browser, portal_config: Config) -> None:
    """No form, no error: the plan waits."""
    app.extensions["portal_config"] = replace(
        portal_config,
        yookassa_shop_id="",
        yookassa_secret_key="",
        cloudpayments_public_id="",
        cloudpayments_api_secret="",
    )
    app.extensions.pop("shop_settings", None)

    page = text(browser)
    assert "Оплата сейчас не принимается" in page
    assert "accept_offer" not in page


def test_cloudpayments_leads_to_the_widget_s_page(app: Flask, browser: Browser) -> None:
    """The order is written and the customer goes on to pay it here."""
    answer = browser.post(PAGE, gateway="cloudpayments", accept_offer="y")

    (order,) = orders(app)
    assert answer.status_code == 303
    assert answer.location == f"/billing/payment/{order.transaction_id}/"


def test_yookassa_leads_to_its_own_page(app: Flask, browser: Browser, sandbox: LiveSandbox) -> None:
    """The browser is sent to the gateway's page of this very order."""
    answer = browser.post(PAGE, gateway="yookassa", accept_offer="y")

    (order,) = orders(app)
    assert answer.status_code == 303
    assert answer.location == order.confirmation_url
    assert urlsplit(answer.location).netloc == urlsplit(sandbox.url).netloc


def test_no_redirect_leads_to_a_strange_host(app: Flask, browser: Browser) -> None:
    """An address that is not YooKassa's is not followed, wherever it came from."""
    with app.app_context():
        a_payment(user_of(), gateway="yookassa", confirmation_url="https://yookassa.ru.evil.example/pay")

    answer = browser.post(PAGE, gateway="yookassa", accept_offer="y")

    (order,) = orders(app)
    assert answer.location == f"/billing/payment/{order.transaction_id}/"
    told = browser.get(answer.location)
    assert "evil.example" not in told.text
    assert told.location == f"/billing/payment/{order.transaction_id}/return"


def test_a_second_click_finds_the_same_order(app: Flask, browser: Browser) -> None:
    """One open order per customer and plan."""
    first = browser.post(PAGE, gateway="yookassa", accept_offer="y")
    second = browser.post(PAGE, gateway="yookassa", accept_offer="y")

    assert first.location == second.location
    assert len(orders(app)) == 1


def test_the_browser_names_no_price(app: Flask, browser: Browser) -> None:
    """Whatever else a form carries, the plan's price is charged and nothing is saved."""
    browser.post(
        PAGE, gateway="cloudpayments", accept_offer="y", amount="1.00", price="1", accept_recurring="y"
    )

    (order,) = orders(app)
    assert str(order.amount) == "990.00"
    assert order.billing_mode.value == "ONE_TIME"


@pytest.mark.usefixtures("recurring")
def test_renewal_is_offered_and_never_ticked(app: Flask, browser: Browser) -> None:
    """The whole agreement is in sight, its box is empty and need not be ticked."""
    page = text(browser)
    assert "Согласен на автоматическое продление тарифа «Про»: 990 ₽" in page
    box = page[page.index('id="accept_recurring"') - 200 : page.index('id="accept_recurring"') + 200]
    assert "checked" not in box
    assert "required" not in box

    answer = browser.post(PAGE, gateway="cloudpayments", accept_offer="y")

    (order,) = orders(app)
    assert answer.status_code == 303
    assert order.billing_mode.value == "ONE_TIME"


def test_one_payment_says_that_it_is_the_only_one(browser: Browser) -> None:
    """When again: never. The order says so beside the sum, and nothing about renewals stands on the page."""
    page = text(browser)

    assert re.search(r"Следующее списание</dt>\s*<dd class=\"if-once\">\s*не будет", page)
    assert "if-renewed" not in page
    assert "Это разовый платёж, сам он не повторится" in page
    assert 'popovertarget="refund"' in page
    assert "Срок возврата — 14 дней после оплаты" in page


@pytest.mark.usefixtures("recurring")
def test_renewal_says_when_how_much_and_how_to_stop(browser: Browser) -> None:
    """Both answers stand in the order; the box decides which of them is seen."""
    page = text(browser)

    again = re.search(r'<dd class="if-renewed">\s*(\d{1,2} \w+ \d{4}), 990 ₽', page)
    assert again
    assert f"первое списание — {again[1]}" in page
    assert "Отключить можно до этого дня" in page
    assert "не будет" in page


@pytest.mark.usefixtures("recurring")
def test_a_ticked_box_is_kept_as_evidence(app: Flask, browser: Browser) -> None:
    """The consent holds the words of the page and where they were accepted."""
    browser.post(PAGE, gateway="cloudpayments", accept_offer="y", accept_recurring="y")

    (order,) = orders(app)
    assert order.billing_mode.value == "RECURRING"
    with app.app_context():
        (consent,) = db.session.scalars(select(Consent))
    assert consent.text.startswith("Согласен на автоматическое продление")
    assert consent.address == "198.51.100.7"


def test_a_silent_gateway_leads_to_the_truth(app: Flask, browser: Browser, sandbox: LiveSandbox) -> None:
    """Nobody knows whether the order exists there: the customer is told not to pay twice, and cannot."""
    sandbox.control("faults", gateway="yookassa", operation="*", fault="drop_after_commit", times=9)

    answer = browser.post(PAGE, gateway="yookassa", accept_offer="y")

    (order,) = orders(app)
    assert answer.status_code == 303
    assert answer.location == f"/billing/payment/{order.transaction_id}/return"
    assert "второй раз платить не нужно" in browser.get(answer.location).text
    page = browser.get(PAGE).text
    assert "По прошлому платежу ещё нет ответа" in page
    assert "accept_offer" not in page


@pytest.mark.usefixtures("recurring")
def test_a_shop_without_the_right_is_told_so_with_403(browser: Browser, sandbox: LiveSandbox) -> None:
    """YooKassa's refusal of recurring payments is a page with the seed's words and 403, never 502."""
    sandbox.control("settings", yookassa_recurring=False)

    answer = browser.post(PAGE, gateway="yookassa", accept_offer="y", accept_recurring="y")

    assert answer.status_code == 403
    assert "временно недоступна" in answer.text
    assert re.search(rf'href="{PAGE}"[^>]*>Выбрать другой способ оплаты</a>', answer.text)


def test_a_busy_gateway_lets_the_customer_try_again(
    app: Flask, browser: Browser, sandbox: LiveSandbox
) -> None:
    """Nothing happened yet: the form stays, says so, and the second click goes on with the same order."""
    sandbox.control("faults", gateway="yookassa", operation="*", fault="http_429", times=1)

    busy = browser.post(PAGE, gateway="yookassa", accept_offer="y")

    assert busy.status_code == 502
    assert "Оплата не началась" in busy.text
    assert "По прошлому платежу" not in busy.text
    assert 'name="accept_offer"' in busy.text
    again = browser.post(PAGE, gateway="yookassa", accept_offer="y", page="/plans")
    (order,) = orders(app)
    assert again.location == order.confirmation_url

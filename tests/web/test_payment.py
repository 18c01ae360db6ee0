"""One payment's pages, with the sandbox as the gateways."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.billing import payments
from portal.database import db, transaction
from portal.models import Payment, PurchasedPlan, User
from portal.web.filters import NBSP
from tests.desk import LiveSandbox
from tests.web.browser import Browser, bare
from tests.web.shop import a_payment, a_period, user_of

GOOD_CARD = "4242424242424242"
CARD_WITHOUT_MONEY = "4000056655665556"


@pytest.fixture
def browser(app: Flask, sandbox: LiveSandbox) -> Browser:
    """Somebody registered; the gateways are at work."""
    someone = Browser(app)
    someone.register()
    return someone


def text(browser: Browser, path: str) -> str:
    """A page with ordinary spaces and without entities."""
    return html.unescape(browser.get(path).text).replace(NBSP, " ")


def ordered(app: Flask, browser: Browser, gateway: str) -> str:
    """Order the monthly plan and give the order's id."""
    answer = browser.post("/checkout/PRO_MONTHLY", gateway=gateway, accept_offer="y")
    assert answer.status_code == 303
    with app.app_context():
        return db.session.scalars(select(Payment.transaction_id).order_by(Payment.id.desc())).first() or ""


def parameters_in(page: str) -> Any:
    """What the page would start the widget with."""
    data = re.search(r'<script[^>]*id="widget-parameters"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert data
    return json.loads(data[1])


def pays(browser: Browser, sandbox: LiveSandbox, gateway: str, order: str, card: str = GOOD_CARD) -> None:
    """Do what the payer does in the widget or on YooKassa's page; no notification comes of it."""
    words: dict[str, Any] = {"gateway": gateway, "transaction_id": order, "card": card}
    if gateway == "cloudpayments":
        words["widget"] = parameters_in(browser.get(f"/billing/payment/{order}/").text)
    sandbox.control("settings", webhooks="drop")
    sandbox.control("pay", **words)


def buttons(page: str) -> list[str]:
    """What the page's buttons say, from the first to the last."""
    return re.findall(r'<a class="button [^>]*>([^<]+)</a>', page)


def seeded(app: Flask, **more: Any) -> str:
    """Write an order in some state and give its path."""
    with app.app_context():
        return f"/billing/payment/{a_payment(user_of(), **more).transaction_id}/"


def test_the_widget_gets_the_order_s_own_parameters(app: Flask, browser: Browser) -> None:
    """Sum, order and payer stand in the page as data; the script comes from the configured address."""
    order = ordered(app, browser, "cloudpayments")

    page = browser.get(f"/billing/payment/{order}/").text
    parameters = parameters_in(page)
    assert parameters["externalId"] == order
    assert (Decimal(str(parameters["amount"])), parameters["currency"]) == (Decimal(990), "RUB")
    with app.app_context():
        assert parameters["userInfo"]["accountId"] == user_of().public_id
    assert f'data-script="{app.extensions["portal_config"].cloudpayments_widget_url}"' in page
    assert 'data-open-at-once="yes"' in page
    assert 'href="/checkout/PRO_MONTHLY?gateway=yookassa"' in page


@pytest.mark.parametrize("page", ("", "return", "status"))
def test_a_stranger_s_payment_is_not_there(app: Flask, browser: Browser, page: str) -> None:
    """Another customer's id answers exactly as an id that does not exist."""
    order = ordered(app, browser, "cloudpayments")
    stranger = Browser(app)
    stranger.register("oleg@example.com")
    stranger.get("/plans")  # shows the welcome, which is shown once

    others = stranger.get(f"/billing/payment/{order}/{page}")
    nobodys = stranger.get(f"/billing/payment/00000000-0000-4000-8000-000000000000/{page}")

    assert others.status_code == nobodys.status_code == 404
    assert bare(others.text, "oleg@example.com") == bare(nobodys.text, "oleg@example.com")


@pytest.mark.parametrize("page", ("", "return"))
def test_a_visitor_signs_in_first(app: Flask, page: str) -> None:
    """Who comes back from the gateway in another browser signs in and is led back here."""
    answer = Browser(app).get(f"/billing/payment/x/{page}")

    assert answer.location == f"/login?next=/billing/payment/x/{page}"


def test_yookassa_s_order_leads_to_its_page(app: Flask, browser: Browser) -> None:
    """Its page with us has the sum and the link; paying happens there."""
    order = ordered(app, browser, "yookassa")
    with app.app_context():
        address = payments.owned(user_of().id, order).confirmation_url

    page = text(browser, f"/billing/payment/{order}/")
    assert f'href="{address}"' in page
    assert "990 ₽" in page


@pytest.mark.parametrize("status", ("succeeded", "authorized", "unknown"))
def test_what_is_decided_or_open_is_not_paid_again(app: Flask, browser: Browser, status: str) -> None:
    """The widget does not open for an order that has its money or may have it."""
    path = seeded(app, status=status)

    assert browser.get(path).location == f"{path}return"


@pytest.mark.parametrize(
    "late", ({"expires_at": timedelta(0)}, {"superseded_at": timedelta(0)}), ids=("expired", "set aside")
)
def test_an_order_that_is_over_is_not_paid(app: Flask, browser: Browser, late: dict[str, timedelta]) -> None:
    """After its time, or once another order took its place, the widget does not open."""
    path = seeded(app, **{name: clock.now() + after for name, after in late.items()})

    assert browser.get(path).location == f"{path}return"


@pytest.mark.parametrize("purpose", ("purchase", "binding"))
@pytest.mark.parametrize("order", ({"status": "authorized"}, {"status": "pending", "superseded_at": True}))
def test_an_order_of_before_the_account_was_closed_promises_no_plan(
    app: Flask, browser: Browser, purpose: str, order: dict[str, Any]
) -> None:
    """Whoever came back reads of it that its money goes back, whatever it was for."""
    aside = {"superseded_at": clock.now()} if order.get("superseded_at") else {}
    path = seeded(app, **{**order, **aside}, purpose=purpose) + "return"
    assert "закрывали" not in text(browser, path)
    with app.app_context(), transaction() as session:
        session.get_one(User, user_of().id).closed_at = clock.now()

    page = text(browser, path)

    assert "если деньги за него спишутся, мы их вернём" in page
    assert "включится" not in page
    assert "сохранится" not in page


def test_a_page_of_yookassa_that_is_closing_is_not_offered(app: Flask, browser: Browser) -> None:
    """An hour after the order the payer would find a dead page: the checkout makes another order instead."""
    order = {
        "gateway": "yookassa",
        "confirmation_url": f"{app.extensions['portal_config'].yookassa_api_url}/p",
    }
    young = seeded(app, **order)
    old = seeded(app, plan_code="START_MONTHLY", created_at=clock.now() - timedelta(minutes=56), **order)

    assert browser.get(young).status_code == 200
    assert browser.get(old).location == f"{old}return"
    page = text(browser, f"{old}return")
    assert 'href="/checkout/START_MONTHLY"' in page
    assert f'href="{old}"' not in page


def test_a_closed_form_claims_nothing(app: Flask, browser: Browser) -> None:
    """Who closed the form may have confirmed the payment in the bank: the page does not say that nothing was
    taken, and leads to where that is asked.
    """
    path = seeded(app)
    page = browser.get(path).text
    closed = page.partition('data-state="closed"')[2].partition('data-state="declined"')[0]

    assert "Если вы уже подтвердили оплату в банке" in closed
    assert "не списаны" not in closed
    assert f'href="{path}return"' in closed


def test_a_second_card_is_the_same_order(app: Flask, browser: Browser) -> None:
    """After a refusal the page tells why, does not throw the form at the payer, and takes another card."""
    path = seeded(app, status="failed")

    page = text(browser, path)
    assert "На карте или счёте не хватило денег" in page
    assert 'data-open-at-once="no"' in page


STATES = (
    ("pending", "cloudpayments", ("Ждём подтверждения", "Обычно до минуты", "Ещё не платили")),
    ("authorized", "cloudpayments", ("Платёж обрабатывается", "Делать ничего не нужно")),
    ("unknown", "yookassa", ("Ещё выясняем", "Банк ещё не ответил, второй раз платить не нужно")),
    (
        "failed",
        "cloudpayments",
        ("Оплата не прошла", "не хватило денег", "Попробовать ещё раз", "Заплатить через ЮKassa"),
    ),
    ("failed", "yookassa", ("Оплата не прошла", "Попробовать ещё раз", "Заплатить на этом сайте")),
    ("succeeded", "yookassa", ("Оплачено", "В кабинет")),
)


@pytest.mark.parametrize(("status", "gateway", "words"), STATES)
def test_the_return_page_tells_every_state(
    app: Flask, browser: Browser, status: str, gateway: str, words: tuple[str, ...]
) -> None:
    """What is known, what it means and what to do next; only an open payment is asked about again."""
    page = text(browser, seeded(app, status=status, gateway=gateway) + "return")

    for word in words:
        assert word in page
    is_open = status in {"pending", "authorized", "unknown"}
    assert ('<meta http-equiv="refresh" content="5">' in page) is is_open
    assert ("data-poll=" in page) is is_open
    assert ("Проверить сейчас" in page) is is_open
    assert ("/static/js/poll.js" in page) is is_open


@pytest.mark.parametrize(
    ("code", "words"),
    (
        ("5051", "Попробовать ещё раз"),  # money may be there tomorrow, on the same card
        ("5054", "Взять другую карту"),  # this card will never do
        ("5206", "Взять другую карту"),
    ),
)
def test_a_refusal_leads_to_what_helps(app: Flask, browser: Browser, code: str, words: str) -> None:
    """The first button says what the reason asks for; the other gateway and "later" stand below it."""
    page = text(browser, seeded(app, status="failed", failure_code=code) + "return")

    assert buttons(page) == [words, "Заплатить через ЮKassa", "Решу позже"]


def test_our_own_fault_leads_to_the_other_gateway(app: Flask, browser: Browser) -> None:
    """No other card helps against a shop that is set up wrongly, so the other gateway is the first choice."""
    page = text(browser, seeded(app, status="failed", failure_code="5030") + "return")

    chosen = re.search(r'class="button button--primary"\s+href="([^"]+)"', page)
    assert chosen
    assert chosen[1] == "/checkout/PRO_MONTHLY?gateway=yookassa"


@pytest.mark.parametrize(
    "over",
    (
        {"expires_at": timedelta(0)},
        {"superseded_at": timedelta(0)},
        {"status": "failed", "failure_code": "superseded"},
        {"status": "failed", "failure_code": "3004"},
    ),
    ids=("expired", "set aside", "replaced", "told by the gateway"),
)
def test_a_closed_order_is_no_refusal(app: Flask, browser: Browser, over: dict[str, Any]) -> None:
    """Nobody paid in time: nothing was refused, and a new order is one click away."""
    facts = {
        name: clock.now() + value if isinstance(value, timedelta) else value for name, value in over.items()
    }
    page = text(browser, seeded(app, **facts) + "return")

    assert "Оплата не прошла" not in page
    assert "Ждём подтверждения" not in page
    assert "state__mark--bad" not in page
    assert "Оформить заново" in buttons(page)
    assert 'href="/checkout/PRO_MONTHLY"' in page


def test_what_yookassa_refused_is_ordered_anew(app: Flask, browser: Browser) -> None:
    """A canceled YooKassa payment is final, so the next try is another order of the same plan."""
    path = seeded(app, status="failed", gateway="yookassa")

    page = text(browser, f"{path}return")
    assert 'href="/checkout/PRO_MONTHLY"' in page
    assert f'href="{path}"' not in page


def test_an_unknown_payment_is_not_offered_again(app: Flask, browser: Browser) -> None:
    """Nothing on the page leads to paying a second time."""
    page = text(browser, seeded(app, status="unknown", gateway="yookassa") + "return")

    assert "/checkout/" not in page
    assert "Вернуться к оплате" not in page


def test_coming_back_proves_nothing(app: Flask, browser: Browser) -> None:
    """Opening the return page without paying changes no status, whatever the address says."""
    order = ordered(app, browser, "yookassa")

    page = text(browser, f"/billing/payment/{order}/return?status=success&paid=1")

    assert "Ждём подтверждения" in page


@pytest.mark.parametrize("gateway", ("cloudpayments", "yookassa"))
def test_a_paid_order_is_told_and_active_on_return(
    app: Flask, browser: Browser, sandbox: LiveSandbox, gateway: str
) -> None:
    """Even if no notification arrived: the page asks the gateway, activates the plan and says until when."""
    order = ordered(app, browser, gateway)
    pays(browser, sandbox, gateway, order)

    page = text(browser, f"/billing/payment/{order}/return")

    assert "Тариф «Про» уже действует" in page
    assert "Действует до" in page
    assert "МСК" in page
    assert browser.get(f"/billing/payment/{order}/status").json["status"] == "succeeded"
    with app.app_context():
        assert len(db.session.scalars(select(PurchasedPlan)).all()) == 1


def test_a_declined_card_is_told_with_its_reason(app: Flask, browser: Browser, sandbox: LiveSandbox) -> None:
    """The refusal is in plain words, and the same order takes another card."""
    order = ordered(app, browser, "cloudpayments")
    pays(browser, sandbox, "cloudpayments", order, CARD_WITHOUT_MONEY)

    page = text(browser, f"/billing/payment/{order}/return")

    assert "не хватило денег" in page
    assert f'href="/billing/payment/{order}/"' in page


def test_a_plan_that_waits_its_turn_says_when_it_begins(app: Flask, browser: Browser) -> None:
    """Bought while another plan runs, it is paid but not yet in force."""
    with app.app_context():
        payment = a_payment(user_of(), status="succeeded")
        a_period(user_of(), payment, clock.now() + timedelta(days=10))

    page = text(browser, f"/billing/payment/{payment.transaction_id}/return")
    assert "начнётся сразу после текущего" in page
    assert "Начнётся" in page


def test_money_that_went_back_is_told(app: Flask, browser: Browser) -> None:
    """A refunded payment does not read as an active plan."""
    page = text(browser, seeded(app, status="succeeded", refunded_amount=Decimal("990.00")) + "return")

    assert "Деньги возвращены</h1>" in page
    assert "Вернули всю сумму, 990 ₽." in page
    assert "уже действует" not in page


def test_the_status_is_the_contract_s_json(app: Flask, browser: Browser) -> None:
    """The polling page reads the same answer as the API gives."""
    path = seeded(app, status="failed")

    answer = browser.get(f"{path}status")

    assert answer.json["status"] == "failed"
    assert answer.json["failure"]["code"] == "5051"
    assert answer.json["failure"]["message"].endswith("Деньги не списаны.")
    assert set(answer.json) == {
        "transaction_id",
        "gateway",
        "gateway_payment_id",
        "cloudpayments_id",
        "status",
        "amount",
        "refunded_amount",
        "currency",
        "plan_code",
        "billing_mode",
        "created_at",
        "paid_at",
        "failure",
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_polling_without_a_session_is_told_401(app: Flask) -> None:
    """The script reloads the page, which leads to the sign-in."""
    answer = Browser(app).get("/billing/payment/x/status")

    assert answer.status_code == 401
    assert answer.json["error"]["code"] == "AUTH_REQUIRED"

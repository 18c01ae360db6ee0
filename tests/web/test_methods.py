"""The pages of saved methods: listed, chosen, unlinked, added."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from flask import Flask

from portal import clock
from portal.billing import methods, settings
from portal.database import db, transaction
from portal.models import MethodBinding, Payment, PaymentMethod, PaymentPurpose
from portal.web.filters import NBSP
from tests.billing.subscribers import DAY, Subscriber, a_subscriber
from tests.desk import LiveSandbox
from tests.web.browser import Browser
from tests.web.shop import user_of

METHODS = "/dashboard/payment-methods"


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody registered and signed in."""
    someone = Browser(app)
    someone.register()
    return someone


def text(browser: Browser, path: str = METHODS) -> str:
    """A page with ordinary spaces, without entities and tags."""
    page = html.unescape(browser.get(path).text).replace(NBSP, " ")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def subscriber(app: Flask, days_ago: float = 0, *, agreed: bool = True) -> Subscriber:
    """The registered customer, who bought so many days ago."""
    return a_subscriber(clock.now() - days_ago * DAY, user=user_of(), agreed=agreed)


def place(method: PaymentMethod, what: str) -> str:
    """The address of what is done with a method."""
    return f"{METHODS}/{method.id}/{what}"


def test_the_list_names_what_is_charged_and_what_cannot_be(app: Flask, browser: Browser) -> None:
    """Mask, date, bank; which is charged; why one is no good any more; never a token."""
    with app.app_context():
        ira = subscriber(app)
        now, token = clock.now(), (ira.method.token or b"").decode()
        ira.another_card(now, "СБП, Т-Банк", kind="sbp", last4=None, bank="Т-Банк")
        ira.another_card(now, "Мир •• 0043", stopped_at=now, stop_code="5041")
        ira.another_card(now, "Мир •• 0011", expiry_month=1, expiry_year=2020)
    page = text(browser)
    assert re.search(r"Visa •• 4242 Отсюда списываем действует до 12/2030", page)
    assert "СБП, Т-Банк через CloudPayments Списывать отсюда Отвязать" in page
    assert "Карта заблокирована" in page
    assert "Срок карты закончился" in page
    assert token not in browser.get(METHODS).text


def test_a_card_past_its_month_is_charged_and_said_to_be(app: Flask, browser: Browser) -> None:
    """Nobody is told that nothing can be charged where it will be tried."""
    with app.app_context():
        ira = subscriber(app)
        with transaction():
            ira.method.expiry_year, ira.method.expiry_month = 2020, 1
    page = text(browser)
    assert "Visa •• 4242 Отсюда списываем" in page
    assert "банк может отказать" in page
    assert "Больше не подходит" not in page


def test_a_card_is_unlinked_after_the_page_that_says_what_follows(app: Flask, browser: Browser) -> None:
    """Always, in the mode in which no card is saved any more too; a second click changes nothing."""
    with app.app_context():
        card = subscriber(app).method
    page = text(browser, place(card, "unlink"))
    assert "Продление выключится: 990 ₽ не спишутся" in page
    assert "доработает до" in page
    for _ in range(2):
        assert browser.post(place(card, "unlink"), page=METHODS).location == METHODS
    with app.app_context():
        assert methods.owned(card.user_id, card.id).token is None
    assert "Сохранённых способов оплаты нет" in text(browser)
    assert browser.get(place(card, "unlink")).location == METHODS
    assert "Продление выключено" in text(browser, "/dashboard/")


def test_what_is_somebody_elses_is_not_there(app: Flask, browser: Browser) -> None:
    """The same 404 for a strange id, whatever it looks like."""
    with app.app_context():
        card = a_subscriber(clock.now()).method
    for strange in (str(card.id), "0", "999999999999999999999999", "x"):
        for what in ("unlink", "default"):
            answer = browser.post(f"{METHODS}/{strange}/{what}", page=METHODS)
            assert answer.status_code == 404, (strange, what)
        assert browser.get(f"{METHODS}/{strange}/unlink").status_code == 404
    assert Browser(app).get(METHODS).location.startswith("/login")
    assert browser.send(place(card, "unlink"), data={}).status_code == 400


def test_another_card_is_chosen(app: Flask, browser: Browser) -> None:
    """Renewals charge it from now on; after a refusal it is tried at once."""
    with app.app_context():
        ira = subscriber(app, 28)
        card = ira.another_card(clock.now())
    assert browser.post(place(card, "default"), page=METHODS).location == METHODS
    assert "Теперь продление списывается отсюда: Мир •• 0004" in text(browser)

    with app.app_context():
        ira.past_due(clock.now(), "5082")
        spare = ira.another_card(clock.now(), "Visa •• 0009")
    assert browser.post(place(spare, "default"), page=METHODS).location == "/dashboard/"
    assert "Продлеваем прямо сейчас: Visa •• 0009" in text(browser, "/dashboard/")


def test_nothing_is_saved_where_that_is_switched_off(app: Flask, browser: Browser) -> None:
    """Neither offered nor possible by a forged form; what is saved stays usable."""
    with app.app_context():
        subscriber(app)
    assert "сейчас не сохраняет" in text(browser)
    for gateway in ("cloudpayments", "yookassa"):
        assert browser.post(f"{METHODS}/add", page=METHODS, gateway=gateway).status_code == 403
    assert browser.post(f"{METHODS}/add", page=METHODS, gateway="x").status_code == 400


def test_a_card_is_added_by_a_rouble_or_for_nothing(
    app: Flask, browser: Browser, sandbox: LiveSandbox, recurring: None
) -> None:
    """CloudPayments' order of one rouble, one however often it is asked for; YooKassa's page."""
    page = text(browser)
    assert "1 ₽ спишем и сразу вернём" in page
    there = {browser.post(f"{METHODS}/add", page=METHODS, gateway="cloudpayments").location for _ in range(2)}
    assert len(there) == 1
    page = text(browser, there.pop())
    assert "Спишем сейчас 1 ₽ Сразу вернём 1 ₽" in page

    page = browser.post(f"{METHODS}/add", page=METHODS, gateway="yookassa").location
    assert page.startswith(f"{sandbox.url}/yookassa/")
    with app.app_context():
        order = db.session.query(Payment).one()
        assert (order.purpose, str(order.amount), order.plan_id) == (PaymentPurpose.BINDING, "1.00", None)
        key = db.session.query(MethodBinding).one().key
    assert "Проверяем карту" in text(browser, f"/billing/binding/{key}/return")
    stranger = Browser(app)
    stranger.register("eve@example.com")
    assert stranger.get(f"/billing/binding/{key}/return").status_code == 404


def test_a_gateway_that_is_closed_is_not_offered(app: Flask, browser: Browser, recurring: None) -> None:
    """Without credentials there is nothing to choose."""
    before = app.extensions["portal_config"]
    app.extensions["portal_config"] = replace(before, yookassa_shop_id="", yookassa_secret_key="")
    with app.app_context():
        settings.forget()
    page = text(browser)
    assert "Карта через ЮKassa" not in page
    assert browser.post(f"{METHODS}/add", page=METHODS, gateway="yookassa").status_code == 404
    app.extensions["portal_config"] = before

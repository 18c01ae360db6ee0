"""The life of a renewal in a real browser: seen on the dashboard, refused, recovered, unlinked, stopped."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import choose, let_in
from tests.desk import Desk
from tests.stories.renewing import link, refuse, subscribed, subscription
from tests.stories.weather import later

SAVED, ANOTHER = "4000 0000 0000 3055", "2200 0000 0000 0004"


def _pay_in_widget(page: Page, card: str, button: str) -> None:
    """Fill in the form that lies over our page; the bank asks for nothing, or for its code."""
    frame = page.frame_locator("iframe[src*='/cloudpayments/']")
    frame.locator("input[name=card_number]").fill(card)
    frame.locator("input[name=expiry]").fill("12/30")
    frame.locator("input[name=csc]").fill("123")
    frame.get_by_role("button", name=button).click()
    if card != SAVED:
        frame.get_by_role("button", name="Подтвердить").click()
    page.wait_for_url("**/return")


def _subscribe(page: Page, desk: Desk) -> None:
    """Buy the monthly plan in the widget with the agreement that it is renewed."""
    choose(page, desk, "cloudpayments", recurring=True)
    _pay_in_widget(page, SAVED, "Оплатить 990")
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")


def _dashboard(page: Page, desk: Desk, *words: str) -> None:
    """The dashboard says all of this."""
    page.goto(f"{desk.url}/dashboard/")
    for said in words:
        expect(page.locator("main")).to_contain_text(re.compile(said.replace(" ", r"\s")))


def test_a_renewal_is_seen_after_the_clock_has_moved(page: Page, desk: Desk, recurring: None) -> None:
    """What was announced has happened: the new term, the payment, the notice, and the next charge."""
    _subscribe(page, desk)
    _dashboard(page, desk, "Следующее списание", "30 дней", "•• 3055")
    later(desk, "28d")
    _dashboard(page, desk, "Тариф «Про» продлён", "Следующий срок", "32 дня")


def test_a_failed_charge_and_a_new_card_recover_the_plan(page: Page, desk: Desk, recurring: None) -> None:
    """The dashboard says why and what can be done; a card saved for a rouble pays at once."""
    let_in(page, subscribed(desk, "cloudpayments", SAVED))
    refuse(desk, "cloudpayments", "card_expired")
    later(desk, "27d")
    _dashboard(page, desk, "Не удалось списать 990 ₽", "Сами больше пробовать не будем")

    page.locator("main").get_by_role("link", name="Способы оплаты").click()
    expect(page.locator("main")).to_contain_text("Больше не подходит")
    page.get_by_role("button", name="Добавить").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Сохранение карты")
    _pay_in_widget(page, ANOTHER, "Оплатить 1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Карта сохранена")
    later(desk, "1m")

    _dashboard(page, desk, "Тариф «Про» продлён", "•• 0004", "Следующее списание")
    assert subscription(desk).status == "active"


def test_a_failed_charge_is_paid_by_another_card_from_the_letter(
    page: Page, desk: Desk, recurring: None
) -> None:
    """Another browser, nobody signed in: the link of the letter, the widget, and the plan goes on."""
    subscribed(desk, "cloudpayments", SAVED)
    refuse(desk, "cloudpayments", "card_expired")
    later(desk, "27d")

    page.goto(desk.url + link(desk, "pay"))
    expect(page.locator("main")).to_contain_text("К оплате")
    page.get_by_role("button", name=re.compile("Оплатить")).click()
    _pay_in_widget(page, ANOTHER, "Оплатить 990")
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    page.goto(desk.url + link(desk, "pay"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Платить не нужно")


def test_a_card_is_unlinked_in_one_click(page: Page, desk: Desk, recurring: None) -> None:
    """The page says what follows, the click does it, and nothing is charged any more."""
    let_in(page, subscribed(desk, "cloudpayments", SAVED))
    page.goto(f"{desk.url}/dashboard/payment-methods")
    page.get_by_role("link", name="Отвязать").click()
    expect(page.locator("main")).to_contain_text("Продление выключится")
    page.get_by_role("button", name="Отвязать").click()
    expect(page.locator("main")).to_contain_text("Сохранённых способов оплаты нет")
    later(desk, "31d")
    _dashboard(page, desk, "Тариф закончился")
    assert len(desk.sandbox.ledger()["payments"]) == 1


def test_the_letters_link_stops_the_renewal(page: Page, desk: Desk, recurring: None) -> None:
    """One button, nobody signed in."""
    subscribed(desk, "cloudpayments", SAVED)
    later(desk, "25d")
    page.goto(desk.url + link(desk, "stop"))
    expect(page.locator("main")).to_contain_text("Сейчас запланировано")
    page.get_by_role("button", name="Отключить продление").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Продление выключено")
    assert subscription(desk).auto_renew is False

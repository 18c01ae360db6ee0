"""With JavaScript switched off the whole purchase works, and so does what comes after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.browser.conftest import choose_and_register, let_in, order
from tests.desk import Desk


@pytest.fixture
def plain(chromium: Chromium) -> Iterator[Page]:
    """A new person's browser that runs no script."""
    context = chromium.new_context(java_script_enabled=False, locale="ru-RU")
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def test_a_plan_is_bought_looked_at_and_ended_without_script(plain: Page, desk: Desk) -> None:
    """YooKassa's way from the tariffs to an active plan; a refused form; the account's menu; the end."""
    choose_and_register(plain, desk, "yookassa")
    plain.wait_for_url("**/yookassa/checkout/**")
    plain.go_back()
    plain.uncheck("input[name=accept_offer]")
    plain.click("main form button[type=submit]")
    expect(plain.locator("[aria-invalid=true]").first).to_be_visible()
    order(plain, "yookassa")
    plain.wait_for_url("**/yookassa/checkout/**")
    plain.fill("input[name=card_number]", "5555 5555 5555 4444")
    plain.fill("input[name=expiry]", "12/30")
    plain.fill("input[name=csc]", "123")
    plain.get_by_role("button", name="Заплатить").click()

    plain.wait_for_url("**/return")
    expect(plain.get_by_role("heading", level=1)).to_have_text("Оплачено")
    plain.locator("main").get_by_role("link", name="В кабинет").click()
    expect(plain.locator("main")).to_contain_text("Действует")
    plain.locator(".menu summary").click()
    plain.locator(".menu").get_by_role("link", name="Платежи").click()
    expect(plain.locator("main")).to_contain_text("990 ₽")
    plain.goto(f"{desk.url}/dashboard/cancel")
    plain.get_by_role("button", name="Отменить и вернуть 990 ₽").click()
    expect(plain.locator("main")).to_contain_text("Возвращаем 990 ₽")


def test_the_widgets_page_says_what_it_needs_and_where_one_can_pay(plain: Page, desk: Desk) -> None:
    """The one page that cannot do without, with the way that can."""
    ira = desk.customer()
    let_in(plain, ira)
    plain.goto(f"{desk.url}/billing/payment/{ira.order('cloudpayments')['transaction_id']}/")
    expect(plain.locator("main noscript .notice")).to_be_visible()
    plain.locator("main").get_by_role("link", name="Заплатить через ЮKassa").click()
    plain.wait_for_url("**/checkout/PRO_MONTHLY?gateway=yookassa")
    expect(plain.locator("input[name=gateway][value=yookassa]")).to_be_checked()

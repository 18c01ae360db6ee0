"""A customer ends the plan in a real browser: on day 13 the money goes back, on day 15 it does not."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import let_in
from tests.desk import PASSWORD, Desk
from tests.desk import Browser as Person
from tests.stories import books
from tests.stories.weather import later, paid

PHONE = {"width": 390, "height": 844}


def a_plan(desk: Desk, gateway: str, age: str) -> Person:
    """Somebody whose plan was bought so long ago."""
    ira = desk.customer()
    paid(desk, ira.order(gateway))
    later(desk, age)
    return ira


def fits(page: Page) -> None:
    """Nothing stands out of a phone's screen."""
    before = page.viewport_size
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert before
    page.set_viewport_size(before)


@pytest.mark.parametrize("gateway", ("cloudpayments", "yookassa"))
def test_cancel_on_day_13(page: Page, desk: Desk, gateway: str) -> None:
    """Dashboard, the page that says what goes back, the click, and a dashboard without a plan; the refund
    shows as under way, then as done.
    """
    let_in(page, a_plan(desk, gateway, "13d"))
    page.goto(f"{desk.url}/dashboard/")
    page.get_by_role("link", name="Отменить тариф").click()
    main = page.locator("main")
    expect(page.get_by_role("heading", level=1)).to_have_text("Отмена тарифа")
    expect(main).to_contain_text("Всё, что вы заплатили")
    fits(page)

    page.get_by_role("button", name="Отменить и вернуть 990 ₽").click()

    page.wait_for_url("**/dashboard/")
    expect(main).to_contain_text("Тариф «Про» отменён. Возвращаем 990 ₽")
    expect(main).to_contain_text("Тариф отменён")
    page.goto(f"{desk.url}/dashboard/payments")
    expect(main).to_contain_text("Возвращаем 990 ₽")
    later(desk, "1m")
    page.reload()
    expect(main).to_contain_text("Возвращено 990 ₽")
    expect(main).to_contain_text("Возвращён")
    fits(page)
    assert [refund["amount"] for refund in desk.sandbox.ledger()["refunds"]] == ["990.00"]
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


def test_cancel_on_day_15(page: Page, desk: Desk) -> None:
    """Somebody signs in; the page says that nothing goes back and what can be done instead; whoever goes on
    gets nothing.
    """
    a_plan(desk, "cloudpayments", "15d")
    page.goto(f"{desk.url}/login")
    page.fill("input[name=email]", "ira@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.click("main form button[type=submit]")
    page.wait_for_url("**/dashboard/")
    page.get_by_role("link", name="Отменить тариф").click()
    main = page.locator("main")
    expect(main).to_contain_text("Деньги не вернутся")
    expect(main).to_contain_text(re.compile("тариф сам закончится"))
    fits(page)
    page.get_by_role("link", name="Оставить тариф").click()
    expect(main).to_contain_text("Действует")

    page.goto(f"{desk.url}/dashboard/cancel")
    page.get_by_role("button", name="Отменить без возврата").click()

    page.wait_for_url("**/dashboard/")
    expect(main).to_contain_text("Тариф отменён")
    later(desk, "1m")
    assert desk.sandbox.ledger()["refunds"] == []

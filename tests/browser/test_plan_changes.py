"""A change of plan in a real browser: compared, previewed to the kopeck, paid, in force."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import let_in
from tests.desk import Desk
from tests.stories.weather import later, paid


def test_an_upgrade_with_its_preview(page: Page, desk: Desk) -> None:
    """From the dashboard to the plans, the sum before the click and in the widget, the new plan after."""
    ira = desk.customer()
    paid(desk, ira.order("cloudpayments"))
    let_in(page, ira)
    later(desk, "15d")
    page.goto(f"{desk.url}/dashboard/")
    page.get_by_role("link", name="Другой тариф").click()
    business = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Бизнес", exact=True))
    expect(business).to_contain_text("Зачтём")
    business.get_by_role("link").click()

    button = page.get_by_role("button", name=re.compile("Оплатить"))
    expect(page.locator("main")).to_contain_text("Зачтём за «Про»")
    sum_ = re.search(r"\d+,?\d*", (button.text_content() or "").replace("\N{NO-BREAK SPACE}", ""))
    assert sum_
    assert sum_[0].startswith(("2494,9", "2495"))
    button.click()
    _pay(page)

    page.goto(f"{desk.url}/dashboard/")
    main = page.locator("main")
    expect(main).to_contain_text("Вы перешли на тариф «Бизнес»")
    expect(main).to_contain_text("250 000")
    expect(main).to_contain_text("30 дней")


def _pay(page: Page) -> None:
    """In the widget, with a card that needs no 3-D Secure."""
    frame = page.frame_locator("iframe[src*='/cloudpayments/']")
    frame.locator("input[name=card_number]").fill("4000 0000 0000 3055")
    frame.locator("input[name=expiry]").fill("12/30")
    frame.locator("input[name=csc]").fill("123")
    frame.get_by_role("button", name=re.compile("Оплатить 2 49")).click()
    page.wait_for_url("**/return")
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")

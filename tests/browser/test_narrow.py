"""A purchase on the narrowest screen that people have: 320 pixels, or a desk's window at 400 %."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.browser.conftest import order
from tests.desk import PASSWORD, Desk

WIDTH = 320


@pytest.fixture
def narrow(chromium: Chromium) -> Iterator[Page]:
    """A new person's small phone."""
    context = chromium.new_context(viewport={"width": WIDTH, "height": 640}, locale="ru-RU", has_touch=True)
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def fits(page: Page) -> None:
    """Nothing is reached only by scrolling sideways."""
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, page.url


def test_a_plan_is_bought_and_ended_on_320_pixels(narrow: Page, desk: Desk) -> None:
    """From the home page to YooKassa and back, the history, and the page that ends the plan."""
    narrow.goto(desk.url)
    fits(narrow)
    narrow.locator("a[href$='/plans']").first.tap()
    narrow.wait_for_url("**/plans")
    fits(narrow)
    narrow.locator("main a[href*='/checkout/PRO_MONTHLY']").first.tap()
    narrow.wait_for_url(re.compile("/register"))
    fits(narrow)
    narrow.fill("input[name=email]", "ira@example.com")
    narrow.fill("input[name=password]", PASSWORD)
    narrow.check("input[name=accept_privacy]")
    narrow.tap("main form button[type=submit]")
    narrow.wait_for_url(re.compile(r"^[^?]*/checkout/PRO_MONTHLY$"))
    fits(narrow)
    order(narrow, "yookassa")
    narrow.wait_for_url("**/yookassa/checkout/**")
    narrow.fill("input[name=card_number]", "5555 5555 5555 4444")
    narrow.fill("input[name=expiry]", "12/30")
    narrow.fill("input[name=csc]", "123")
    narrow.get_by_role("button", name="Заплатить").tap()

    narrow.wait_for_url("**/return")
    expect(narrow.get_by_role("heading", level=1)).to_have_text("Оплачено")
    fits(narrow)
    for path in ("/dashboard/", "/dashboard/payments", "/dashboard/plan", "/dashboard/cancel", "/account/"):
        narrow.goto(desk.url + path)
        fits(narrow)

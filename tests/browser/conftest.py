"""A real Chromium in front of a running portal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.chromium import PATIENCE
from tests.desk import PASSWORD, Desk


@pytest.fixture
def page(chromium: Browser, desk: Desk, sockets: None) -> Iterator[Page]:
    """A new person's browser; whatever its console complains about fails the test at the end."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="ru-RU")
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    opened.on("console", listen)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert not complaints


def choose_and_register(page: Page, desk: Desk, gateway: str, *, recurring: bool = False) -> None:
    """A visitor: from the tariffs through registration to the gateway's form."""
    page.goto(f"{desk.url}/plans")
    page.locator("a[href*='/checkout/PRO_MONTHLY']").first.click()
    page.fill("input[name=email]", "ira@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.check("input[name=accept_privacy]")
    page.click("main form button[type=submit]")
    page.wait_for_url("**/checkout/PRO_MONTHLY")
    order(page, gateway, recurring=recurring)


def order(page: Page, gateway: str, *, recurring: bool = False) -> None:
    """On the checkout page: choose a gateway, accept the offer, and renewals where wanted, go on."""
    page.check(f"input[name=gateway][value={gateway}]", force=True)
    page.check("input[name=accept_offer]")
    if recurring:
        page.check("input[name=accept_recurring]")
    page.click("main form button[type=submit]")

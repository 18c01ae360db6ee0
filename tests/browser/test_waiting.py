"""A page that waits for a gateway without a question of its own: loaded anew when it reads otherwise."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import let_in
from tests.desk import Desk


def test_a_page_that_waits_for_a_binding_tells_its_end(
    another_page: Page, desk: Desk, recurring: None
) -> None:
    """With a script nothing is refreshed by force while it reads the same."""
    page, ira = another_page, desk.customer()
    begun = ira.call("/billing/api/yookassa/bind_card_start/").json()
    let_in(page, ira)
    page.clock.install()
    page.goto(f"{desk.url}/billing/binding/{begun['binding_id']}/return")
    page.evaluate("window.here = true")
    with page.expect_event("requestfinished", lambda request: request.resource_type == "fetch"):
        page.clock.fast_forward(1000)  # the script's first question
    assert page.evaluate("window.here")

    key = begun["confirmation_url"].rpartition("=")[2]
    desk.sandbox.control("pay", gateway="yookassa", transaction_id=key, card="5555555555554444")
    page.clock.fast_forward(1500)  # and its second

    expect(page.get_by_role("heading", name="Карта сохранена")).to_be_visible()

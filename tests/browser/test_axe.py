"""axe on the pages where customers decide, also small and dark; all pages in all states: ``make audit``."""

from __future__ import annotations

from playwright.sync_api import Page

from dev.gallery.axe import findings
from tests.browser.conftest import let_in
from tests.desk import Desk
from tests.stories.weather import paid


def find_nothing(page: Page) -> None:
    """Light on a desk, dark on a small phone."""
    for width, scheme in ((1280, "light"), (320, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        assert findings(page) == [], (page.url, width, scheme)


def test_a_customers_way_is_free_of_findings(another_page: Page, desk: Desk) -> None:
    """Front, checkout, the payment page, the result, the dashboard, the history."""
    page, ira = another_page, desk.customer()
    for path in ("/", "/plans"):
        page.goto(desk.url + path)
        find_nothing(page)
    let_in(page, ira)
    order = ira.order("yookassa")
    payment = f"/billing/payment/{order['transaction_id']}/"
    for path in ("/checkout/PRO_MONTHLY", payment, f"{payment}return"):
        page.goto(desk.url + path)
        find_nothing(page)
    paid(desk, order)
    for path in (f"{payment}return", "/dashboard/", "/dashboard/payments"):
        page.goto(desk.url + path)
        find_nothing(page)


def test_axe_finds_what_is_wrong(page: Page) -> None:
    """A picture without words, a field without a name and grey on grey are told."""
    page.set_content(
        '<main><img src="data:,"><input><p style="color:#999;background:#aaa">Едва видно</p></main>'
    )
    assert {line.partition(":")[0] for line in findings(page)} >= {"image-alt", "label", "color-contrast"}

"""axe on the pages where customers decide, also small and dark; all pages in all states: ``make audit``."""

from __future__ import annotations

from playwright.sync_api import Page

from dev.gallery.axe import findings
from tests.browser.conftest import choose_and_register
from tests.desk import Desk
from tests.stories.weather import paid


def find_nothing(page: Page) -> None:
    """Light on a desk, dark on a small phone."""
    for width, scheme in ((1280, "light"), (320, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        assert findings(page) == [], (page.url, width, scheme)


def test_a_customers_way_is_free_of_findings(page: Page, desk: Desk) -> None:
    """Front, checkout, the payment page, the result, the dashboard, the history."""
    for path in ("/", "/plans"):
        page.goto(desk.url + path)
        find_nothing(page)
    choose_and_register(page, desk, "yookassa")
    page.goto(f"{desk.url}/checkout/PRO_MONTHLY")
    find_nothing(page)
    (order,) = desk.sandbox.ledger()["payments"]
    number = order["request"]["metadata"]["payment_id"]
    for path in (f"/billing/payment/{number}/", f"/billing/payment/{number}/return"):
        page.goto(desk.url + path)
        find_nothing(page)
    paid(desk, {"transaction_id": number, "gateway": "yookassa"})
    for path in (f"/billing/payment/{number}/return", "/dashboard/", "/dashboard/payments"):
        page.goto(desk.url + path)
        find_nothing(page)


def test_axe_finds_what_is_wrong(page: Page) -> None:
    """A picture without words, a field without a name and grey on grey are told."""
    page.set_content(
        '<main><img src="data:,"><input><p style="color:#999;background:#aaa">Едва видно</p></main>'
    )
    assert {line.partition(":")[0] for line in findings(page)} >= {"image-alt", "label", "color-contrast"}

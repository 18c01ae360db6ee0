"""A purchase without a mouse: Tab, Enter and Space alone, and one always sees where one is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from dev.gallery.axe import findings
from tests.chromium import await_widget, borrowed
from tests.desk import PASSWORD, Desk

#: What draws attention to the focused element: an outline, or a ring made of a shadow.
_SEEN = """
() => {
  const at = document.activeElement;
  if (!at || at === document.body || at.localName === "iframe") { return ""; }
  const looks = [at, at.closest("label"), at.parentElement, at.nextElementSibling]
    .filter(Boolean).map((node) => getComputedStyle(node));
  const ring = looks.some((look) =>
    (look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0) || look.boxShadow !== "none");
  const box = at.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return ring && inside ? "" : `${at.outerHTML.slice(0, 120)} ring=${ring} inside=${inside}`;
}
"""
MOST_STEPS = 60


@pytest.fixture
def typist(window: Page) -> Iterator[Page]:
    """A new person with a keyboard, whose forms may be refused: the console tells of each answer 400."""
    with borrowed(window, heard=""):
        yield window


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until *wanted* has the focus; wherever it is meanwhile, it is seen."""
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        assert not page.evaluate(_SEEN)
        if wanted.evaluate("(node) => node.matches(':focus')"):
            return
    raise AssertionError(f"the keyboard never came to {wanted}")


def press(page: Page, wanted: Locator, key: str = "Enter") -> None:
    """Go there with Tab and press it."""
    tab_to(page, wanted)
    page.keyboard.press(key)


def test_the_first_key_leads_past_the_header(page: Page, desk: Desk) -> None:
    """The link to the content is the first thing, is seen when it has the focus, and works."""
    page.goto(f"{desk.url}/plans")
    page.keyboard.press("Tab")
    skip = page.locator("a.skip")
    expect(skip).to_be_focused()
    assert skip.evaluate("(node) => node.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_plan_is_bought_with_the_keyboard(page: Page, desk: Desk) -> None:
    """From the tariffs over registration and the widget's form to the dashboard."""
    page.goto(f"{desk.url}/plans")
    press(page, page.locator("main a[href*='/checkout/PRO_MONTHLY']").first)
    page.wait_for_url(re.compile("/register"))
    for name, text in (("email", "ira@example.com"), ("password", PASSWORD)):
        tab_to(page, page.locator(f"input[name={name}]"))
        page.keyboard.type(text)
    press(page, page.locator("input[name=accept_privacy]"), "Space")
    press(page, page.locator("main form button[type=submit]"))

    page.wait_for_url(re.compile(r"^[^?]*/checkout/PRO_MONTHLY$"))
    tab_to(page, page.locator("input[name=gateway]:checked"))
    press(page, page.locator("input[name=accept_offer]"), "Space")
    press(page, page.locator("main form button[type=submit]"))

    page.wait_for_url("**/billing/payment/*/")
    form = page.frame_locator("iframe[src*='/cloudpayments/']")
    await_widget(page, form.locator("input[name=card_number]"))
    for name, text in (("card_number", "4000000000003055"), ("expiry", "1230"), ("csc", "123")):
        tab_to(page, form.locator(f"input[name={name}]"))
        page.keyboard.type(text)
    press(page, form.get_by_role("button", name="Оплатить 990"))

    page.wait_for_url("**/return")
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    press(page, page.locator("main").get_by_role("link", name="В кабинет"))
    page.wait_for_url("**/dashboard/")
    expect(page.locator("main")).to_contain_text("Действует")


def test_a_form_that_was_refused_says_why_where_one_is(typist: Page, desk: Desk) -> None:
    """The list of errors takes the focus and leads to the fields; each field is described by its own."""
    for path in ("/register", "/login"):
        typist.goto(desk.url + path)
        press(typist, typist.locator("main form button[type=submit]"))
        summary = typist.locator("main .notice--bad").first
        expect(summary).to_be_focused()
        assert findings(typist) == []
        press(typist, summary.locator("a[href^='#']").first)
        email = typist.locator("input[name=email]")
        expect(email).to_be_focused()
        expect(email).to_have_attribute("aria-invalid", "true")
        told = email.get_attribute("aria-describedby") or ""
        assert typist.locator(f"#{told.split()[-1]}").inner_text().strip()

"""A real Chromium in front of a running portal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from portal import clock
from portal.accounts import operators, sign_in
from portal.billing.audit import COMMAND_LINE
from portal.models import Role, User
from tests import lists, shares
from tests.chromium import a_window, borrowed
from tests.desk import PASSWORD, Desk
from tests.desk import Browser as Person


@pytest.fixture(autouse=True)
def lists_rest(request: pytest.FixtureRequest) -> None:
    """As in the stories: nobody looks through the gateways' lists, unless with ``COMBINATIONS=all``."""
    if "desk" in request.fixturenames and not shares.EVERY_ONE:
        with request.getfixturevalue("desk").app.app_context():
            lists.leave_alone()


@pytest.fixture
def page(window: Page, desk: Desk, sockets: None) -> Iterator[Page]:
    """Somebody new at the window; whatever its console complains about fails the test at the end."""
    with borrowed(window) as complaints:
        yield window
    assert not complaints


@pytest.fixture
def another_page(chromium: Browser, desk: Desk, sockets: None) -> Iterator[Page]:
    """A window of the test's own, for what no later test would find undone: another time, other colours."""
    page = a_window(chromium)
    with borrowed(page) as complaints:
        yield page
    page.context.close()
    assert not complaints


def let_in(page: Page, person: Person) -> None:
    """Sit down at the window as somebody who is signed in: the pages before that are another story."""
    page.context.add_cookies(
        [
            {"name": one.name, "value": str(one.value), "domain": one.domain, "path": one.path}
            for one in person.session.cookies
        ]
    )


def an_operator(page: Page, desk: Desk, role: Role) -> None:
    """An operator sits down at the window, ``support@example.com`` for example."""
    email = f"{role.value}@example.com"

    def verb() -> User:
        operators.create(email, PASSWORD, role, COMMAND_LINE, clock.now())
        return sign_in.verify(email, PASSWORD, "127.0.0.1")

    let_in(page, desk.let_in(verb))


def choose(page: Page, desk: Desk, gateway: str, *, recurring: bool = False) -> None:
    """A customer who has registered: from the checkout to the gateway's form."""
    let_in(page, desk.customer())
    page.goto(f"{desk.url}/checkout/PRO_MONTHLY")
    order(page, gateway, recurring=recurring)


def choose_and_register(page: Page, desk: Desk, gateway: str) -> None:
    """A visitor: from the tariffs through registration to the gateway's form."""
    page.goto(f"{desk.url}/plans")
    page.locator("a[href*='/checkout/PRO_MONTHLY']").first.click()
    page.fill("input[name=email]", "ira@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.check("input[name=accept_privacy]")
    page.click("main form button[type=submit]")
    page.wait_for_url("**/checkout/PRO_MONTHLY")
    order(page, gateway)


def order(page: Page, gateway: str, *, recurring: bool = False) -> None:
    """On the checkout page: choose a gateway, accept the offer, and renewals where wanted, go on."""
    page.check(f"input[name=gateway][value={gateway}]", force=True)
    page.check("input[name=accept_offer]")
    if recurring:
        page.check("input[name=accept_recurring]")
    page.click("main form button[type=submit]")

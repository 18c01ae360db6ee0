"""An operator looks at the shop's numbers: some thousand payments of two years."""

from __future__ import annotations

from datetime import timedelta

import psycopg
from playwright.sync_api import Page, expect

from dev.bench import payments as bench
from portal import clock
from portal.billing import figures
from portal.models import Role
from tests.browser.conftest import an_operator
from tests.desk import Desk

#: Of 160 customers, who pay each month for two years: no month is without them, nor without refusals.
PAYMENTS = 4_000


def test_statistics_of_some_thousand_payments(page: Page, desk: Desk, database_url: str) -> None:
    """A year by month, its charts and tables; a number leads to its rows; on a phone nothing runs out of the
    page.
    """
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        assert bench.fill(connection, PAYMENTS, clock.now()) > PAYMENTS
    with desk.app.app_context():
        figures.close_all(clock.now())
        today = figures.calendar().day(clock.now())
    months = {f"{today - timedelta(days=n):%Y-%m}" for n in range(365)}
    an_operator(page, desk, Role.VIEWER)
    page.goto(f"{desk.url}/admin/statistics/")
    page.get_by_role("navigation", name="Период").get_by_role("link", name="Год", exact=True).click()
    page.wait_for_url("**period=year")

    assert page.locator("svg.chart__drawing").count() == 2
    assert page.locator(".chart__bar--main").count() >= 24
    rows = page.get_by_role("region", name="Деньги", exact=True).locator("tbody tr")
    expect(rows).to_have_count(len(months))
    expect(page.locator(".tile").filter(has_text="Действует тарифов")).to_contain_text(
        str(PAYMENTS // bench.EACH)
    )
    renewals = page.get_by_role("region", name="Продления: что полагалось и что вышло")
    expect(renewals.locator("tr").filter(has_text="без объяснения").locator("td").nth(1)).to_have_text("0")

    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#gateway").select_option("yookassa")
    page.get_by_role("button", name="Показать").click()
    number = page.get_by_role("region", name="Причины отказов").locator("tbody a").first
    count = int(number.inner_text().replace("\N{NO-BREAK SPACE}", ""))
    number.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Платежи")
    assert page.locator("table tbody tr").count() == min(count, 50)

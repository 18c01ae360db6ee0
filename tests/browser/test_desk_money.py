"""Operators in a real browser: money given back within and beyond the day's sum, and a case decided."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from portal import clock
from portal.billing import cases, settings
from portal.database import transaction
from portal.models import CaseKind, GatewayName, Role
from tests.browser.conftest import an_operator
from tests.browser.test_cancel import fits
from tests.chromium import borrowed
from tests.desk import Desk
from tests.stories import books
from tests.stories.weather import later, paid


@pytest.fixture
def clerk(window: Page, desk: Desk) -> Iterator[Page]:
    """A support clerk, signed in; 500 roubles may go back in a day.

    Chromium's console tells of every page that answers 403; of nothing else may it complain.
    """
    with desk.app.app_context():
        settings.put("support_refund_daily_limit", "500", clock.now())
    with borrowed(window) as complaints:
        an_operator(window, desk, Role.SUPPORT)
        yield window
    assert not [one for one in complaints if "status of 403" not in one]


def give(page: Page, amount: str) -> None:
    """On the page before a refund: a part of it, with its reason."""
    page.get_by_label("Часть", exact=True).check()
    page.get_by_label("Сумма части").fill(amount)
    page.get_by_label("Причина").fill("Не работало два дня")
    page.get_by_role("button", name="Вернуть деньги").click()


def test_a_clerk_gives_back_within_and_beyond_the_day(clerk: Page, desk: Desk) -> None:
    """From the list to the payment, a part goes back; what is beyond the day's sum is refused in words, with
    what was typed kept.
    """
    paid(desk, desk.customer().order("yookassa"))
    main = clerk.locator("main")
    clerk.goto(f"{desk.url}/admin/payments/?flt0_customer=ira")
    clerk.locator("a.rows-table__way").first.click()
    expect(main).to_contain_text("Можно вернуть")
    fits(clerk)
    clerk.get_by_role("link", name="Вернуть деньги").click()
    expect(main).to_contain_text("500 ₽ из 500 ₽")
    fits(clerk)

    give(clerk, "450")

    expect(main).to_contain_text("оформлен, деньги отправляем")
    later(desk, "1m")
    clerk.reload()
    expect(main).to_contain_text("Возврат 450 ₽: возвращён")
    clerk.get_by_role("link", name="Вернуть деньги").click()
    expect(main).to_contain_text("50 ₽ из 500 ₽")

    with clerk.expect_response(lambda answer: answer.request.method == "POST") as sent:
        give(clerk, "50,01")

    assert sent.value.status == 403
    expect(main).to_contain_text("Ничего не сделано")
    expect(main).to_contain_text("Большую сумму вернёт владелец")
    expect(clerk.get_by_label("Сумма части")).to_have_value("50,01")
    fits(clerk)
    assert [refund["amount"] for refund in desk.sandbox.ledger()["refunds"]] == ["450.00"]
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


def test_a_case_is_decided(clerk: Page, desk: Desk) -> None:
    """The menu counts it, the queue leads to it, the page says what each decision does; decided, it is gone
    from the queue and tells who, how and why.
    """
    with desk.app.app_context(), transaction() as session:
        facts = {"outcome": "failed", "reference": "old-shop-17"}
        money = (Decimal("990.00"), "RUB")
        kind, gateway = CaseKind.UNKNOWN_PAYMENT, GatewayName.CLOUDPAYMENTS
        cases.open_case(session, kind, "one", gateway, "777", None, money, facts, clock.now())
    main = clerk.locator("main")
    clerk.goto(f"{desk.url}/admin/payments/")
    room = clerk.get_by_role("link", name="Случаи")
    expect(room).to_contain_text("1")
    room.click()
    clerk.locator("a.rows-table__way").first.click()
    expect(main).to_contain_text("заказа с таким номером у портала нет")
    fits(clerk)
    clerk.get_by_role("link", name="Закрыть с пометкой").click()
    expect(main).to_contain_text("случай уйдёт из очереди")
    clerk.get_by_label("Причина").fill("Деньги старого магазина")
    fits(clerk)

    clerk.get_by_role("button", name="Закрыть с пометкой").click()

    expect(main).to_contain_text("Как решён")
    expect(main).to_contain_text("Деньги старого магазина")
    expect(main).to_contain_text("support@example.com")
    expect(clerk.get_by_role("link", name="Случаи").first).not_to_contain_text("1")
    clerk.goto(f"{desk.url}/admin/cases/?flt0_open=1")
    expect(main).to_contain_text("Ничего не нашлось")

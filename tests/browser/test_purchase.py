"""Journeys of a customer in a real browser, from the tariffs to the dashboard."""

from __future__ import annotations

import re

from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.browser.conftest import choose, choose_and_register, let_in, order
from tests.chromium import await_widget
from tests.desk import Desk

PAYS_AFTER_3DS = "4242 4242 4242 4242"
PAYS_AT_ONCE = "4000 0000 0000 3055"
NO_MONEY = "4444 4444 4444 4444"
BLOCKED = "4000 0000 0000 0002"


def _widget(page: Page) -> FrameLocator:
    """The form of CloudPayments that lies over our page."""
    return page.frame_locator("iframe[src*='/cloudpayments/']")


def _pay_in_widget(page: Page, card: str) -> None:
    frame = _widget(page)
    frame.locator("input[name=card_number]").fill(card)
    frame.locator("input[name=expiry]").fill("12/30")
    frame.locator("input[name=csc]").fill("123")
    frame.get_by_role("button", name="Оплатить 990").click()


def _press_in_widget(page: Page, button: Locator) -> None:
    await_widget(page, button)
    button.click()


def _pay_at_yookassa(page: Page, card: str) -> None:
    page.wait_for_url("**/yookassa/checkout/**")
    page.fill("input[name=card_number]", card)
    page.fill("input[name=expiry]", "12/30")
    page.fill("input[name=csc]", "123")
    page.get_by_role("button", name="Заплатить").click()


def _expect_active_plan(page: Page, desk: Desk) -> None:
    """The dashboard shows the plan, its e-mails and days."""
    page.goto(f"{desk.url}/dashboard/")
    main = page.locator("main")
    expect(main).to_contain_text("Про")
    expect(main).to_contain_text("Действует")
    expect(main).to_contain_text("50 000")
    expect(main).to_contain_text("30 дней")


def _expect_payment_in_history(page: Page, desk: Desk) -> None:
    """The history has it too."""
    page.goto(f"{desk.url}/dashboard/payments")
    expect(page.locator("main")).to_contain_text("990 ₽")
    expect(page.locator("main")).to_contain_text("Оплачен")


def test_a_visitor_pays_in_the_widget_with_3d_secure(page: Page, desk: Desk) -> None:
    """Tariffs, registration, the widget's frame, the bank's page, and an active plan."""
    choose_and_register(page, desk, "cloudpayments")
    _pay_in_widget(page, PAYS_AFTER_3DS)
    _widget(page).get_by_role("button", name="Подтвердить").click()

    page.wait_for_url("**/return")
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    _expect_active_plan(page, desk)
    _expect_payment_in_history(page, desk)
    assert [payment["status"] for payment in desk.sandbox.ledger()["payments"]] == ["succeeded"]


def test_a_visitor_pays_at_yookassa_with_3d_secure(page: Page, desk: Desk) -> None:
    """Tariffs, registration, YooKassa's page, the bank's page, back, and an active plan."""
    choose_and_register(page, desk, "yookassa")
    _pay_at_yookassa(page, "5555 5555 5555 4477")
    page.get_by_role("button", name="Подтвердить").click()

    page.wait_for_url("**/return")
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    _expect_active_plan(page, desk)
    _expect_payment_in_history(page, desk)


def test_a_declined_card_in_the_widget_then_another_that_pays(page: Page, desk: Desk) -> None:
    """The refusal is told in words; the second card in the same window makes one paid order, not two."""
    choose(page, desk, "cloudpayments")
    _pay_in_widget(page, NO_MONEY)
    expect(_widget(page).locator("main")).to_contain_text("Недостаточно средств")

    _press_in_widget(page, _widget(page).get_by_role("button", name="Повторить"))
    _pay_in_widget(page, PAYS_AT_ONCE)

    page.wait_for_url("**/return")
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    _expect_active_plan(page, desk)
    statuses = [payment["status"] for payment in desk.sandbox.ledger()["payments"]]
    assert sorted(statuses) == ["declined", "succeeded"]


def test_a_declined_card_at_yookassa_then_another_that_pays(page: Page, desk: Desk) -> None:
    """YooKassa's page says that there is no money and takes the next card."""
    choose(page, desk, "yookassa")
    _pay_at_yookassa(page, NO_MONEY)
    expect(page.get_by_role("alert")).to_be_visible()

    _pay_at_yookassa(page, "5555 5555 5555 4444")

    page.wait_for_url("**/return")
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    _expect_active_plan(page, desk)


def test_a_blocked_card_in_the_widget_pays_nothing(page: Page, desk: Desk) -> None:
    """After a blocked card and a closed form the page names the reason, and nothing is active."""
    choose(page, desk, "cloudpayments")
    _pay_in_widget(page, BLOCKED)
    _press_in_widget(page, _widget(page).get_by_role("button", name="Закрыть").last)

    expect(page.locator("[data-state=declined]")).to_be_visible()
    page.goto(f"{desk.url}/dashboard/")
    expect(page.locator("main")).to_contain_text("Тарифа пока нет")


def test_a_blocked_card_at_yookassa_pays_nothing(page: Page, desk: Desk) -> None:
    """Whoever goes back without having paid is told that nothing was taken yet, and has no plan."""
    choose(page, desk, "yookassa")
    _pay_at_yookassa(page, BLOCKED)
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("link", name="Вернуться в магазин").click()

    page.wait_for_url("**/return")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ждём подтверждения")
    page.goto(f"{desk.url}/dashboard/")
    expect(page.locator("main")).to_contain_text("Тарифа пока нет")


def test_a_closed_widget_loses_nothing(page: Page, desk: Desk) -> None:
    """Closing the form says that nothing was paid; the same order is paid afterwards from the same page."""
    choose(page, desk, "cloudpayments")
    _press_in_widget(page, _widget(page).locator("[data-close]").first)
    expect(page.locator("[data-state=closed]")).to_be_visible()

    page.locator("[data-pay]").click()
    _pay_in_widget(page, PAYS_AT_ONCE)

    page.wait_for_url("**/return")
    _expect_active_plan(page, desk)
    assert len(desk.sandbox.ledger()["payments"]) == 1


def test_coming_back_before_paying_and_ordering_again_goes_on_with_the_same_order(
    page: Page, desk: Desk
) -> None:
    """A second checkout of the same plan leads to the payment that is open."""
    choose(page, desk, "yookassa")
    page.wait_for_url("**/yookassa/checkout/**")
    first = page.url
    page.goto(f"{desk.url}/checkout/PRO_MONTHLY")
    order(page, "yookassa")

    page.wait_for_url("**/yookassa/checkout/**")
    assert page.url == first
    assert len(desk.sandbox.ledger()["payments"]) == 1


def test_the_result_arrives_without_loading_the_page_anew(another_page: Page, desk: Desk) -> None:
    """Who waits on the return page is told in place, inside a live region, once the portal knows."""
    page, ira = another_page, desk.customer()
    let_in(page, ira)
    order_id = ira.order("yookassa")["transaction_id"]
    page.clock.install()
    page.goto(f"{desk.url}/billing/payment/{order_id}/return")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ждём подтверждения")
    page.evaluate("window.isTheSamePage = true")

    desk.sandbox.control("pay", gateway="yookassa", transaction_id=order_id, card="5555 5555 5555 4444")
    desk.settle()
    page.clock.fast_forward(1000)  # the script's first question

    told = page.locator("[aria-live=polite]")
    expect(told.get_by_role("heading", level=1)).to_have_text("Оплачено")
    expect(page).to_have_title(re.compile("Оплачено"))
    assert page.evaluate("window.isTheSamePage")


def test_the_payment_page_tells_of_a_form_that_cannot_load(page: Page, desk: Desk) -> None:
    """A blocked script: what happened, what became of the money, again, and the other way."""
    ira = desk.customer()
    let_in(page, ira)
    page.route("**/bundles/cloudpayments.js", lambda route: route.fulfill(body=""))
    page.goto(f"{desk.url}/billing/payment/{ira.order('cloudpayments')['transaction_id']}/")

    blocked = page.locator("[data-state=blocked]")
    expect(blocked).to_be_visible()
    expect(blocked).to_contain_text("Деньги не списаны")
    expect(page.get_by_role("link", name="Заплатить через ЮKassa")).to_be_visible()
    page.unroute("**/bundles/cloudpayments.js")
    page.locator("[data-load-again]").click()
    expect(page.locator("[data-pay]")).to_be_attached()
    expect(blocked).to_be_hidden()

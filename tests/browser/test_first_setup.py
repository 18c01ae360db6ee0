"""From an empty shop to the first paid order, by what is typed in the desk alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from portal.accounts import operators
from portal.billing import settings
from portal.billing.audit import COMMAND_LINE
from portal.clock import now
from portal.database import db
from portal.models import Role
from tests.browser.conftest import let_in
from tests.desk import PASSWORD, Desk

OWNER = "owner@example.com"


@pytest.fixture
def empty_shop(desk: Desk) -> Desk:
    """No credentials in the environment, no plan, nothing set; one owner, made on the server."""
    config = desk.app.extensions["portal_config"]
    nothing = {"yookassa_shop_id": "", "yookassa_secret_key": ""}
    nothing |= {"cloudpayments_public_id": "", "cloudpayments_api_secret": ""}
    desk.app.extensions["portal_config"] = replace(config, **nothing)
    with desk.app.app_context():
        db.session.execute(db.text("DELETE FROM plans"))
        db.session.commit()
        settings.forget()
        operators.create(OWNER, PASSWORD, Role.OWNER, COMMAND_LINE, now())
    return desk


def sign_in(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/login?next=/admin/")
    page.fill("input[name=email]", OWNER)
    page.fill("input[name=password]", PASSWORD)
    page.click("main form button[type=submit]")
    page.wait_for_url("**/admin/")


def save(page: Page, **typed: str) -> None:
    """Fill the form that is open, and save it."""
    for name, text in typed.items():
        page.fill(f"[name={name}]", text)
    page.get_by_role("button", name="Сохранить").click()
    expect(page.locator("main")).to_contain_text("Сохранено.")


def set_up_gateway_and_seller(page: Page, desk: Desk) -> None:
    """The way that the first page shows: keys, the connection looked at, the seller."""
    page.get_by_role("link", name="Задайте ключи шлюза").click()
    page.get_by_role("link", name="Изменить: ЮKassa").click()
    save(page, yookassa_shop_id="100500", yookassa_secret_key="test_sandbox-secret-key")
    assert "test_sandbox-secret-key" not in page.content()
    page.get_by_role("link", name="Подключение").click()
    page.get_by_role("button", name="Проверить ЮKassa").click()
    expect(page.locator("#yookassa")).to_contain_text("принят")
    expect(page.locator("#yookassa")).to_contain_text("разрешены")
    page.goto(f"{desk.url}/admin/")
    page.get_by_role("link", name="Назовите продавца").click()
    page.get_by_role("link", name="Изменить: Продавец").click()
    about = {"seller_name": "ООО «Ромашка»", "seller_inn": "7708806063", "seller_email": "shop@example.com"}
    save(page, **about, offer_url="https://example.com/offer", privacy_url="https://example.com/privacy")


def create_plan(page: Page, desk: Desk) -> None:
    """Looked at as customers will see it, then sold."""
    page.goto(f"{desk.url}/admin/")
    page.get_by_role("link", name="Создайте тариф").click()
    page.get_by_role("link", name="Новый тариф").first.click()
    terms = {"code": "FIRST", "title": "Первый", "price": "100,50", "email_quota": "500"}
    for name, text in terms.items():
        page.fill(f"[name={name}]", text)
    page.get_by_role("button", name="Посмотреть").click()
    expect(page.locator(".preview")).to_contain_text("100,50")
    page.get_by_role("button", name="Сохранить").click()
    expect(page.locator("main")).to_contain_text("FIRST")


def buy(page: Page, desk: Desk) -> None:
    """A customer finds the plan, pays at YooKassa and has an active plan."""
    let_in(page, desk.customer())
    page.goto(f"{desk.url}/plans")
    expect(page.locator("footer")).to_contain_text("Ромашка")
    page.locator("a[href*='/checkout/FIRST']").first.click()
    page.wait_for_url("**/checkout/FIRST")
    page.check("input[name=accept_offer]")
    page.click("main form button[type=submit]")
    page.wait_for_url("**/yookassa/checkout/**")
    page.fill("input[name=card_number]", "5555 5555 5555 4444")
    page.fill("input[name=expiry]", "12/30")
    page.fill("input[name=csc]", "123")
    page.get_by_role("button", name="Заплатить").click()
    page.wait_for_url("**/return")
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")


def test_first_set_up_to_the_first_paid_order(page: Page, chromium: Browser, empty_shop: Desk) -> None:
    """The owner types keys, seller and a plan; a customer pays; the first page counts it and asks no more."""
    sign_in(page, empty_shop)
    expect(page.locator("main")).to_contain_text("До первого заказа осталось")
    set_up_gateway_and_seller(page, empty_shop)
    create_plan(page, empty_shop)
    somebody = chromium.new_context(locale="ru-RU")
    somebody.set_default_timeout(20_000)

    buy(somebody.new_page(), empty_shop)

    somebody.close()
    page.goto(f"{empty_shop.url}/admin/")
    expect(page.locator("main")).not_to_contain_text("До первого заказа осталось")
    expect(page.locator("main")).to_contain_text("1 тестовых")
    (payment,) = empty_shop.sandbox.ledger()["payments"]
    assert (payment["status"], payment["captured"]) == ("succeeded", "100.50")

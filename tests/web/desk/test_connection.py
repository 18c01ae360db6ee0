"""Checking the connection in the desk: what each gateway says, and the addresses for its cabinet."""

from __future__ import annotations

from dataclasses import replace

from portal.billing import settings
from portal.clock import now
from tests.desk import Browser, Desk

CONNECTION = "/admin/connection/"


def test_right_keys_are_told_with_what_the_shop_may(desk: Desk, owner: Browser) -> None:
    """Accepted, play money, renewals allowed, receipts not asked for."""
    page = owner.send(CONNECTION, gateway="yookassa").text

    for words in ("принят", "100500", "тестовые", "разрешены", "не нужны"):
        assert words in page
    ledger = desk.sandbox.ledger()
    assert ledger["payments"] == ledger["refunds"] == []


def test_a_shop_without_recurring_is_told_403(desk: Desk, owner: Browser) -> None:
    """The reason why a renewal order would be refused stands there before a customer meets it."""
    desk.sandbox.control("settings", yookassa_recurring=False, yookassa_fiscalization=True)

    page = owner.send(CONNECTION, gateway="yookassa").text

    assert "запрещены: ответ 403" in page
    assert "нужны с каждым платежом" in page


def test_wrong_keys_and_silence_are_told_apart(desk: Desk, owner: Browser) -> None:
    """Refused is not the same as unreachable: only the first says that the key is wrong."""
    with desk.app.app_context():
        settings.put("yookassa_secret_key", "test_wrong-key", now())
    assert "Доступ не принят" in owner.send(CONNECTION, gateway="yookassa").text

    desk.sandbox.control("faults", gateway="cloudpayments", operation="*", fault="http_500", times=9)
    silent = owner.send(CONNECTION, gateway="cloudpayments").text
    assert "Шлюз не ответил" in silent
    assert "Доступ не принят" not in silent


def test_what_cannot_be_asked_is_said_to_be_open(desk: Desk, owner: Browser) -> None:
    """CloudPayments does not tell of renewals and receipts; its addresses are compared with ours."""
    page = owner.send(CONNECTION, gateway="cloudpayments").text

    assert "не проверено" in page
    assert "Адреса уведомлений в кабинете — эти самые" in page


def test_an_address_that_leads_elsewhere_is_shown(desk: Desk, owner: Browser) -> None:
    """A shop whose Pay goes to its old site is told so by name."""
    desk.sandbox.control("settings", cloudpayments_notify={"pay": "https://old.example/pay", "check": None})

    page = owner.send(CONNECTION, gateway="cloudpayments").text

    assert "Уведомления уходят не сюда" in page
    assert "check, pay" in page


def test_addresses_are_there_to_copy_and_say_when_they_were_heard_from(desk: Desk, owner: Browser) -> None:
    """Every kind has its address; after a payment its kinds have a moment."""
    page = owner.get(CONNECTION).text
    assert f"{desk.url}/billing/webhook/cloudpayments/pay/" in page
    assert f"{desk.url}/billing/webhook/yookassa/" in page
    silent = page.count("давно не приходило")
    ira = desk.customer()
    desk.sandbox.pay("cloudpayments", ira.order("cloudpayments")["transaction_id"])
    desk.settle()

    heard = owner.get(CONNECTION).text

    assert heard.count("давно не приходило") == silent - 1  # Check is answered and not kept, Pay is
    assert f"{now().year}" in heard


def test_no_keys_lead_to_the_settings(desk: Desk, owner: Browser) -> None:
    """A gateway that is not set up cannot be asked, and the page says where to begin."""
    config = desk.app.extensions["portal_config"]
    desk.app.extensions["portal_config"] = replace(config, yookassa_shop_id="", yookassa_secret_key="")
    with desk.app.app_context():
        settings.forget()

    page = owner.get(CONNECTION).text

    assert "Задать ключи ЮKassa" in page
    assert "Проверить ЮKassa" not in page
    for name in ("yookassa", "nobody"):
        assert owner.send(CONNECTION, gateway=name).status_code == 404


def test_only_the_owner_asks(clerk: Browser) -> None:
    """The clerk's role is not enough."""
    assert clerk.send(CONNECTION, gateway="yookassa").status_code == 403

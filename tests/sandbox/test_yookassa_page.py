"""The hosted page, first by plain requests and then in a real browser."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Page

from portal.sandbox.yookassa.cards import offered
from tests.chromium import borrowed
from tests.sandbox.conftest import Merchant, Sandbox, Shop

CARD = {"card_number": "5555 5555 5555 4444", "expiry": "12/30", "csc": "123"}


def _send(url: str, **form: str) -> requests.Response:
    return requests.post(url, data=form, allow_redirects=False)


def _page(payment: Any) -> str:
    return str(payment["confirmation"]["confirmation_url"])


def test_success_leads_back_to_the_unchanged_return_url(shop: Shop) -> None:
    """Not a parameter is added, whatever the shop has put there."""
    back = "http://127.0.0.1:1/back?order=1&x=%D1%8B#part"
    payment = shop.pay(confirmation={"type": "redirect", "return_url": back})
    answer = _send(_page(payment), **CARD)
    assert (answer.status_code, answer.headers["Location"]) == (303, back)
    assert shop.get(f"/payments/{payment['id']}")["status"] == "succeeded"
    over = requests.get(_page(payment)).text
    assert "Платёж проведён" in over
    assert "<form" not in over


def test_a_decline_shows_why_and_offers_another_try(shop: Shop) -> None:
    """The second card pays the same payment."""
    payment = shop.pay()
    answer = _send(_page(payment), **CARD | {"card_number": "4444444444444444"})
    again = requests.get(f"{shop.url.removesuffix('/yookassa/v3')}{answer.headers['Location']}").text
    assert "На карте не хватает денег." in again
    assert shop.get(f"/payments/{payment['id']}")["status"] == "pending"
    assert _send(_page(payment), **CARD).headers["Location"].startswith("http://127.0.0.1/back")


def test_a_decline_that_cancels_leads_back_to_the_shop(sandbox: Sandbox, shop: Shop) -> None:
    """With yookassa_decline_cancels the visit ends as after a success: by the return_url alone."""
    sandbox.control("settings", yookassa_decline_cancels=True)
    payment = shop.pay()
    answer = _send(_page(payment), **CARD | {"card_number": "4000000000000002"})
    assert answer.headers["Location"] == "http://127.0.0.1/back?order=1"
    assert "Платёж отменён" in requests.get(_page(payment)).text


@pytest.mark.parametrize(
    ("answer", "status"), (("confirm", "succeeded"), ("refuse", "pending"), ("nothing", "pending"))
)
def test_the_bank_asks_and_the_payer_answers(sandbox: Sandbox, shop: Shop, answer: str, status: str) -> None:
    """A 3-D Secure card is paid only after the bank's page; an attempt can be answered once."""
    payment = shop.pay()
    step = _send(_page(payment), **CARD | {"card_number": "5555555555554477"})
    bank = f"{sandbox.url}{step.headers['Location']}"
    assert "Код из СМС" in requests.get(bank).text
    assert shop.get(f"/payments/{payment['id']}")["status"] == "pending"
    _send(bank, code="123456", answer=answer)
    after = shop.get(f"/payments/{payment['id']}")
    assert after["status"] == status
    if status == "succeeded":
        assert after["authorization_details"]["three_d_secure"]["applied"] is True
    assert _send(bank, code="123456", answer="confirm").status_code == 404


def test_enforced_3d_secure_asks_every_card(shop: Shop) -> None:
    """confirmation.enforce sends a card that needs no 3-D Secure to the bank's page."""
    payment = shop.pay(
        confirmation={"type": "redirect", "return_url": "http://127.0.0.1/b", "enforce": True},
        payment_method_data={"type": "bank_card"},
    )
    assert "/3ds/" in _send(_page(payment), **CARD).headers["Location"]


@pytest.mark.parametrize(
    "wrong",
    (
        {"card_number": "4111111111111112"},
        {"card_number": ""},
        {"expiry": "13/30"},
        {"expiry": "1230x"},
        {"csc": "12"},
    ),
)
def test_a_mistyped_form_is_shown_again(sandbox: Sandbox, shop: Shop, wrong: dict[str, str]) -> None:
    """Nothing is attempted, and the page says what to check."""
    payment = shop.pay()
    answer = _send(_page(payment), **CARD | wrong)
    page = requests.get(f"{sandbox.url}{answer.headers['Location']}").text
    assert "Проверьте номер карты" in page
    assert sandbox.ledger()["payments"][0]["reason"] is None


def test_the_page_offers_what_can_do_the_job(sandbox: Sandbox, shop: Shop) -> None:
    """All means in general, none without holds for two stages, only the one that the shop has chosen."""

    def tabs(**more: Any) -> set[str]:
        page = requests.get(_page(shop.pay(**more))).text
        return set(re.findall(r"method=(\w+)", page))

    assert tabs() == {"bank_card", "sbp", "sberbank", "tinkoff_bank", "yoo_money"}
    assert tabs(capture=False) == {"bank_card", "sberbank", "tinkoff_bank", "yoo_money"}
    assert tabs(payment_method_data={"type": "sbp"}) == set()


def test_the_box_is_offered_when_the_flag_was_left_out(sandbox: Sandbox, shop: Shop) -> None:
    """Unticked, for cards and the wallet; with the flag there is a warning instead."""
    free, forced, never = shop.pay(), shop.pay(save_payment_method=True), shop.pay(save_payment_method=False)
    assert 'name="save"' in requests.get(_page(free)).text
    assert "checked" not in requests.get(_page(free)).text
    assert 'name="save"' in requests.get(f"{_page(free)}&method=yoo_money").text
    assert 'name="save"' not in requests.get(f"{_page(free)}&method=sbp").text
    assert "будет сохранён" in requests.get(_page(forced)).text
    assert "сохран" not in requests.get(_page(never)).text.lower()
    sandbox.control("settings", yookassa_recurring=False)
    assert 'name="save"' not in requests.get(_page(shop.pay())).text


@pytest.mark.parametrize(("choice", "status"), (("accept", "succeeded"), ("refuse", "pending")))
def test_other_means_are_accepted_or_refused(sandbox: Sandbox, shop: Shop, choice: str, status: str) -> None:
    """As in the bank's application; a means that was not offered is refused."""
    payment = shop.pay()
    url = f"{sandbox.url}/yookassa/checkout/other-means"
    _send(url, id=payment["id"], method="sberbank", answer=choice)
    assert shop.get(f"/payments/{payment['id']}")["status"] == status
    assert _send(url, id=payment["id"], method="cash", answer="accept").status_code == 400


def test_pages_of_unknown_payments_do_not_exist(sandbox: Sandbox, shop: Shop) -> None:
    """Nor does a payment have a binding page."""
    base = f"{sandbox.url}/yookassa/checkout"
    missing = requests.get(f"{base}/payments/v2/contract?orderId=x")
    assert missing.status_code == 404
    assert "Такого платежа здесь нет" in missing.text
    assert (
        requests.get(f"{base}/payment-methods/v1/contract?paymentMethodId={shop.pay()['id']}").status_code
        == 404
    )
    assert requests.get(f"{base}/3ds/x").status_code == 404


def test_the_table_of_cards_is_what_the_page_shows(shop: Shop) -> None:
    """Every test card of the table can be clicked."""
    page = requests.get(_page(shop.pay())).text
    numbers = {number for _, group in offered() for number in group}
    assert set(re.findall(r'data-card="(\d+)"', page)) == numbers
    assert len(numbers) == 64


@pytest.fixture
def tab(window: Page) -> Iterator[Page]:
    """A page whose console must stay empty of errors."""
    with borrowed(window, heard="error") as errors:
        yield window
    assert errors == []


def test_a_person_pays_by_one_click_and_passes_3d_secure(
    sandbox: Sandbox, shop: Shop, merchant: Merchant, tab: Page
) -> None:
    """Click a card, tick the box, pay, confirm at the bank, and be back in the shop."""
    payment = shop.pay(confirmation={"type": "redirect", "return_url": f"{merchant.url}/back?order=5"})
    tab.goto(_page(payment))
    tab.get_by_role("button", name="5555 5555 5555 4477").click()
    assert tab.get_by_label("Номер карты").input_value() == "5555 5555 5555 4477"
    tab.get_by_label("Сохранить карту").check()
    tab.get_by_role("button", name="Заплатить").click()
    tab.get_by_role("button", name="Подтвердить").click()
    tab.wait_for_url(f"{merchant.url}/back?order=5")
    paid = shop.get(f"/payments/{payment['id']}")
    assert (paid["status"], paid["payment_method"]["saved"]) == ("succeeded", True)


def test_typing_groups_the_digits_and_a_decline_lets_another_card_try(
    shop: Shop, merchant: Merchant, tab: Page
) -> None:
    """The form is usable by keyboard alone."""
    payment = shop.pay(confirmation={"type": "redirect", "return_url": f"{merchant.url}/back"})
    tab.goto(_page(payment))
    for number in ("4444444444444444", "4111111111111111"):
        tab.get_by_label("Номер карты").press_sequentially(number)
        assert tab.get_by_label("Номер карты").input_value().count(" ") == 3
        tab.get_by_label("Срок действия").press_sequentially("1230")
        assert tab.get_by_label("Срок действия").input_value() == "12/30"
        tab.get_by_label("CVC").press_sequentially("123")
        tab.keyboard.press("Enter")
        if number.startswith("44"):
            tab.get_by_role("alert").get_by_text("На карте не хватает денег").wait_for()
    tab.wait_for_url(f"{merchant.url}/back")


def test_a_person_binds_a_card(sandbox: Sandbox, shop: Shop, merchant: Merchant, tab: Page) -> None:
    """The binding page takes no money and makes the method active."""
    body = {
        "type": "bank_card",
        "confirmation": {"type": "redirect", "return_url": f"{merchant.url}/bound"},
    }
    method = shop.post("/payment_methods", body).json()
    tab.goto(_page(method))
    tab.get_by_role("button", name="4111 1111 1111 1111").click()
    tab.get_by_role("button", name="Привязать карту").click()
    tab.wait_for_url(f"{merchant.url}/bound")
    assert shop.get(f"/payment_methods/{method['id']}")["status"] == "active"


@pytest.mark.parametrize("width", (375, 1280))
def test_pages_fit_the_screen(sandbox: Sandbox, shop: Shop, tab: Page, width: int) -> None:
    """Nothing but tables in their own frames scrolls sideways."""
    payment = shop.pay(description="Подписка PRO на 30 дней")
    sandbox.control("pay", gateway="yookassa", transaction_id=shop.pay("x")["id"], card="4111111111111111")
    letter = "To: a@example.com\nSubject: Вход\n\n" + "http://127.0.0.1:8000/" + "x" * 300
    requests.post(f"{sandbox.url}/mailbox", data=letter.encode())
    tab.set_viewport_size({"width": width, "height": 800})
    for url in (_page(payment), sandbox.url):
        tab.goto(url)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        if folder := os.environ.get("SCREENSHOTS"):
            for scheme in ("light", "dark"):
                tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                name = "hosted" if url != sandbox.url else "overview"
                tab.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)

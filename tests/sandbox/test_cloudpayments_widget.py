"""The widget in a real Chromium, on a merchant's page with a strict content policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.chromium import a_window
from tests.sandbox.cloudpayments_customer import Customer, customers
from tests.sandbox.cloudpayments_shop import CloudShop


def test_pay_with_three_ds(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """The payer passes 3-D Secure; the promise and oncomplete give the documented result, Pay arrives."""
    buyer = customer()
    buyer.buy()
    buyer.pay_with("4242 4242 4242 4242")
    buyer.press("Подтвердить")
    got = buyer.result()
    pay = cp.hook("pay")

    expected = {"type": "payment", "data": {"transactionId": int(pay["TransactionId"])}, "status": "success"}
    assert got == {"result": expected, "seen": [expected]}
    assert (pay["InvoiceId"], pay["AccountId"], pay["Amount"]) == ("42", "user_x", "990.50")
    assert pay["Token"].startswith("tk_")
    assert (pay["Data"], pay["Email"]) == ('{"attempt": 1}', "u@example.com")
    buyer.press("Вернуться в магазин")
    buyer.page.locator("iframe").wait_for(state="detached")
    assert buyer.page.evaluate("document.activeElement.id") == "pay"


def test_three_ds_refused(customer: Callable[..., Customer]) -> None:
    """A payer who declines at the bank sees why; closing then resolves with the documented error."""
    buyer = customer()
    buyer.buy()
    buyer.pay_with("4242 4242 4242 4242")
    buyer.press("Отклонить")
    buyer.frame.get_by_text("3-D Secure авторизация не пройдена").wait_for()
    buyer.press("Закрыть", exact=True)
    result = buyer.result()["result"]

    assert (result["type"], result["status"], result["data"]["ReasonCode"]) == ("error", "fail", 5206)
    assert result["message"] == "3-D Secure авторизация не пройдена"


def test_decline_then_retry_succeeds(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """After a decline the payer tries another card in the same window: two transactions, one success."""
    buyer = customer()
    buyer.buy()
    buyer.pay_with("4444 4444 4444 4444")
    buyer.frame.get_by_text("Недостаточно средств на карте").wait_for()
    buyer.press("Повторить платёж")
    buyer.pay_with("4000 0000 0000 3055")
    got = buyer.result()

    assert [seen["status"] for seen in got["seen"]] == ["fail", "success"]
    assert got["result"]["status"] == "success"
    assert [entry["status"] for entry in cp.payments()] == ["declined", "succeeded"]


def test_without_retry_the_failure_is_final(customer: Callable[..., Customer]) -> None:
    """With retryPayment false there is no second try, and the promise resolves at once."""
    buyer = customer(retryPayment=False)
    buyer.buy()
    buyer.pay_with("4000 0000 0000 0002")
    result = buyer.result()["result"]

    assert (result["type"], result["data"]["ReasonCode"]) == ("error", 5005)
    assert buyer.frame.get_by_role("button", name="Повторить платёж").count() == 0


@pytest.mark.parametrize("way", ("button", "escape inside", "escape outside"))
def test_closing_is_cancel(cp: CloudShop, customer: Callable[..., Customer], way: str) -> None:
    """The close button and Escape, in the form or on the page, resolve with type cancel."""
    buyer = customer()
    buyer.buy()
    if way == "button":
        buyer.press("Закрыть окно оплаты")
    elif way == "escape inside":
        buyer.frame.get_by_label("Номер карты").press("Escape")
    else:
        buyer.page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")

    assert buyer.result() == {"result": {"type": "cancel"}, "seen": [{"type": "cancel"}]}
    assert buyer.page.locator("iframe").count() == 0
    assert buyer.page.evaluate("document.querySelectorAll('[inert]').length") == 0
    assert cp.payments() == []


def test_keyboard_alone_pays(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """The whole form can be filled and sent from the keyboard, focus order as it looks."""
    buyer = customer()
    buyer.buy()
    buyer.frame.get_by_label("Номер карты").focus()
    for text in ("4000000000003055", "1240", "123", ""):
        buyer.page.keyboard.type(text)
        buyer.page.keyboard.press("Tab")
    buyer.page.keyboard.press("Enter")

    assert buyer.result()["result"]["status"] == "success"
    assert cp.payments()[0]["method"] == "4000 00****** 3055"


def test_sbp_and_a_restricted_card(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """With cards switched off the payer pays by SBP, and Pay names the method."""
    buyer = customer(restrictedPaymentMethods=["Card", "SberPay"])
    buyer.page.get_by_role("button", name="Купить").click()
    buyer.press("Оплатить через СБП")
    buyer.press("Подтвердить")

    assert buyer.result()["result"]["type"] == "payment"
    assert cp.hook("pay")["PaymentMethod"] == "Sbp"


def test_redirect_after_success(customer: Callable[..., Customer]) -> None:
    """SuccessRedirectUrl takes the whole page there, by itself."""
    buyer = customer(successRedirectUrl="/back?to=won", failRedirectUrl="javascript:alert(1)")
    buyer.buy()
    buyer.pay_with("4000 0000 0000 3055")
    buyer.press("Вернуться в магазин")
    buyer.page.wait_for_url("**/back?to=won")

    assert buyer.page.title() == "won"


@pytest.fixture
def timed_customer(
    cp: CloudShop, site: tuple[str, dict[str, str]], chromium: Browser
) -> Iterator[Callable[..., Customer]]:
    """A customer in a window of their own, where time can be moved."""
    url, page = site
    page["sandbox"] = cp.sandbox.url
    window = a_window(chromium)
    with customers(window, page, url) as open_page:
        yield open_page
    window.context.close()


def test_auto_close(timed_customer: Callable[..., Customer]) -> None:
    """With autoClose the window leaves by itself after the success."""
    buyer = timed_customer(autoClose=3)
    buyer.buy()
    buyer.page.clock.install()
    buyer.pay_with("4000 0000 0000 3055")
    buyer.frame.get_by_text("Окно закроется через 3 с").wait_for()
    buyer.page.clock.run_for(2000)
    assert buyer.page.locator("iframe").count() == 1

    buyer.page.clock.run_for(1000)

    buyer.page.locator("iframe").wait_for(state="detached")


def test_resolving_on_close_is_a_setting(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """When start() resolves is not documented: it can wait until the payer closes the window."""
    cp.settings(cloudpayments_widget_resolves="close")
    buyer = customer()
    buyer.buy()
    buyer.pay_with("4000 0000 0000 3055")
    buyer.frame.get_by_text("Оплата прошла").wait_for()
    assert buyer.page.locator("#result").text_content() == ""
    buyer.press("Вернуться в магазин")

    assert buyer.result()["result"]["status"] == "success"


def test_wrong_parameters_are_an_error(customer: Callable[..., Customer]) -> None:
    """A page that passes nonsense is told so in the window, and closing resolves with an error."""
    buyer = customer(amount=0)
    buyer.page.get_by_role("button", name="Купить").click()
    buyer.frame.get_by_text("Магазин передал неверные параметры: Invalid amount value").wait_for()
    buyer.page.evaluate("widget.close()")

    assert buyer.result()["result"] == {"type": "error", "message": "Invalid amount value", "status": "fail"}
    buyer.complaints.clear()  # Chromium reports the 400 itself


def test_a_frame_listens_to_its_own_page_only(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """Messages from a foreign origin or window neither start a payment nor close the widget."""
    buyer = customer()
    buyer.buy()
    buyer.page.evaluate("window.postMessage({sandbox: 'cloudpayments', name: 'close'}, '*')")
    buyer.page.evaluate(
        "window.postMessage({sandbox: 'cloudpayments', name: 'result', final: true, resolves: 'result',"
        " result: {type: 'payment', data: {transactionId: 1}, status: 'success'}}, '*')"
    )
    buyer.frame.get_by_label("Номер карты").fill("1")

    assert buyer.page.locator("#result").text_content() == ""
    assert buyer.page.locator("iframe").count() == 1
    assert cp.payments() == []

"""The widget in a real Chromium, on a merchant's page with a strict content policy."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Response, request

from portal.sandbox.cloudpayments.terminal import PUBLIC_ID
from tests.sandbox.cloudpayments_shop import CloudShop
from tests.sandbox.conftest import serve

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is missing: make test installs it")

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
PAGE = """<!doctype html>
<html lang="ru"><head><meta charset="utf-8"><title>Магазин</title><link rel="icon" href="data:,"></head>
<body><button id="pay">Купить</button><output id="result"></output><p id="seen"></p>
<script src="{sandbox}/cloudpayments/bundles/cloudpayments.js"></script>
<script nonce="abc">
  const seen = [];
  document.getElementById("pay").addEventListener("click", async () => {{
    const widget = new cp.CloudPayments();
    window.widget = widget;
    widget.oncomplete = (result) => {{ seen.push(result); }};
    const result = await {call};
    document.getElementById("result").textContent = JSON.stringify({{result, seen}});
  }});
</script></body></html>
"""
START = {
    "publicTerminalId": PUBLIC_ID,
    "amount": 990.5,
    "currency": "RUB",
    "paymentSchema": "Single",
    "description": "Тариф «Про»",
    "externalId": "42",
    "receiptEmail": "u@example.com",
    "tokenize": True,
    "userInfo": {"accountId": "user_x"},
    "metadata": {"attempt": 1},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, or a loud skip that says how to get one."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Chromium is missing: install the package chromium, or set CHROMIUM to its path")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@dataclass
class Customer:
    """A payer in front of the merchant's page. ``complaints`` is all that the console said."""

    page: Any
    url: str
    complaints: list[str] = field(default_factory=list)

    @property
    def frame(self) -> Any:
        """The inside of the widget."""
        return self.page.frame_locator("iframe")

    def buy(self) -> None:
        """Press the merchant's button and wait for the form."""
        self.page.get_by_role("button", name="Купить").click()
        self.frame.get_by_label("Номер карты").wait_for()

    def pay_with(self, number: str) -> None:
        """Fill in a test card by its chip and pay."""
        self.frame.get_by_role("button", name=number).click()
        self.frame.get_by_role("button", name="Оплатить 990").click()

    def result(self) -> Any:
        """What the merchant's script got, once it got it: ``{"result", "seen"}``."""
        sync_api.expect(self.page.locator("#result")).not_to_be_empty(timeout=10_000)
        return json.loads(self.page.locator("#result").text_content())


@pytest.fixture
def customer(cp: CloudShop, browser: Any) -> Iterator[Callable[..., Customer]]:
    """Open the merchant's page for a call of the widget; the console must stay silent to the end."""
    app = Flask("shop")
    calls: dict[str, str] = {}
    opened: list[tuple[Any, Customer]] = []

    @app.get("/")
    def show() -> Response:
        page = Response(PAGE.format(sandbox=cp.sandbox.url, call=calls["now"]), mimetype="text/html")
        page.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self' 'nonce-abc' {cp.sandbox.url}; frame-src {cp.sandbox.url};"
            " style-src 'self'; style-src-attr 'unsafe-inline'; img-src data:; connect-src 'self'"
        )
        return page

    @app.get("/back")
    def back() -> str:
        return f"<!doctype html><link rel=icon href=data:,><title>{request.args['to']}</title>"

    server = serve(app)
    url = f"http://127.0.0.1:{server.server_port}"

    def open_page(call: str = "", **changes: Any) -> Customer:
        start = {**START, **changes}
        calls["now"] = call or f"widget.start({json.dumps(start)})"
        context = browser.new_context(viewport={"width": 375, "height": 700}, locale="ru-RU")
        buyer = Customer(context.new_page(), url)
        buyer.page.on("console", lambda message: buyer.complaints.append(message.text))
        buyer.page.on("pageerror", lambda error: buyer.complaints.append(str(error)))
        buyer.page.set_default_timeout(10_000)
        opened.append((context, buyer))
        buyer.page.goto(url)
        return buyer

    yield open_page
    for context, buyer in opened:
        assert buyer.complaints == []
        context.close()
    server.shutdown()
    server.server_close()


def test_pay_with_three_ds(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """The payer passes 3-D Secure; the promise and oncomplete give the documented result, Pay arrives."""
    buyer = customer()
    buyer.buy()
    buyer.pay_with("4242 4242 4242 4242")
    buyer.frame.get_by_role("button", name="Подтвердить").click()
    got = buyer.result()
    pay = cp.hook("pay")

    expected = {"type": "payment", "data": {"transactionId": int(pay["TransactionId"])}, "status": "success"}
    assert got == {"result": expected, "seen": [expected]}
    assert (pay["InvoiceId"], pay["AccountId"], pay["Amount"]) == ("42", "user_x", "990.50")
    assert pay["Token"].startswith("tk_")
    assert (pay["Data"], pay["Email"]) == ('{"attempt": 1}', "u@example.com")
    buyer.frame.get_by_role("button", name="Вернуться в магазин").click()
    buyer.page.locator("iframe").wait_for(state="detached")
    assert buyer.page.evaluate("document.activeElement.id") == "pay"


def test_three_ds_refused(customer: Callable[..., Customer]) -> None:
    """A payer who declines at the bank sees why; closing then resolves with the documented error."""
    buyer = customer()
    buyer.buy()
    buyer.pay_with("4242 4242 4242 4242")
    buyer.frame.get_by_role("button", name="Отклонить").click()
    buyer.frame.get_by_text("3-D Secure авторизация не пройдена").wait_for()
    buyer.frame.get_by_role("button", name="Закрыть", exact=True).click()
    result = buyer.result()["result"]

    assert (result["type"], result["status"], result["data"]["ReasonCode"]) == ("error", "fail", 5206)
    assert result["message"] == "3-D Secure авторизация не пройдена"


def test_decline_then_retry_succeeds(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """After a decline the payer tries another card in the same window: two transactions, one success."""
    buyer = customer()
    buyer.buy()
    buyer.pay_with("4444 4444 4444 4444")
    buyer.frame.get_by_text("Недостаточно средств на карте").wait_for()
    buyer.frame.get_by_role("button", name="Повторить платёж").click()
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
        buyer.frame.get_by_role("button", name="Закрыть окно оплаты").click()
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
    buyer.frame.get_by_role("button", name="Оплатить через СБП").click()
    buyer.frame.get_by_role("button", name="Подтвердить").click()

    assert buyer.result()["result"]["type"] == "payment"
    assert cp.hook("pay")["PaymentMethod"] == "Sbp"


def test_redirect_after_success(customer: Callable[..., Customer]) -> None:
    """SuccessRedirectUrl takes the whole page there, by itself."""
    buyer = customer(successRedirectUrl="/back?to=won", failRedirectUrl="javascript:alert(1)")
    buyer.buy()
    buyer.pay_with("4000 0000 0000 3055")
    buyer.frame.get_by_role("button", name="Вернуться в магазин").click()
    buyer.page.wait_for_url("**/back?to=won")

    assert buyer.page.title() == "won"


def test_auto_close(customer: Callable[..., Customer]) -> None:
    """With autoClose the window leaves by itself after the success."""
    buyer = customer(autoClose=3)
    buyer.buy()
    buyer.pay_with("4000 0000 0000 3055")
    buyer.frame.get_by_text("Окно закроется через").wait_for()

    buyer.page.locator("iframe").wait_for(state="detached")


def test_resolving_on_close_is_a_setting(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """When start() resolves is not documented: it can wait until the payer closes the window."""
    cp.settings(cloudpayments_widget_resolves="close")
    buyer = customer()
    buyer.buy()
    buyer.pay_with("4000 0000 0000 3055")
    buyer.frame.get_by_text("Оплата прошла").wait_for()
    assert buyer.page.locator("#result").text_content() == ""
    buyer.frame.get_by_role("button", name="Вернуться в магазин").click()

    assert buyer.result()["result"]["status"] == "success"


def test_wrong_parameters_are_an_error(customer: Callable[..., Customer]) -> None:
    """A page that passes nonsense is told so in the window, and closing resolves with an error."""
    buyer = customer(amount=0)
    buyer.page.get_by_role("button", name="Купить").click()
    buyer.frame.get_by_text("Магазин передал неверные параметры: Invalid amount value").wait_for()
    buyer.page.evaluate("widget.close()")

    assert buyer.result()["result"] == {"type": "error", "message": "Invalid amount value", "status": "fail"}
    buyer.complaints.clear()  # Chromium reports the 400 itself


def test_the_old_api(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """pay('auth', options, callbacks) of older sites holds the sum, calls back and carries its data along."""
    options = {
        "publicId": PUBLIC_ID,
        "description": "Счёт",
        "amount": 990.5,
        "currency": "RUB",
        "accountId": "user_x",
        "invoiceId": 43,
        "data": {"CloudPayments": {"CustomerReceipt": {"Items": []}}, "myProp": "x"},
    }
    told = "(name) => (...said) => seen.push([name, ...said.map((one) => one.success ?? one)])"
    callbacks = (
        f"Object.fromEntries(['onSuccess', 'onFail', 'onComplete'].map((name) => [name, ({told})(name)]))"
    )
    buyer = customer(f"widget.pay('auth', {json.dumps(options)}, {callbacks})")
    buyer.buy()
    buyer.pay_with("4000 0000 0000 3055")
    names = [seen[0] for seen in buyer.result()["seen"] if isinstance(seen, list)]
    pay = cp.hook("pay")

    assert names == ["onComplete", "onSuccess"]
    assert (pay["Status"], pay["InvoiceId"]) == ("Authorized", "43")
    assert pay["Token"] != ""
    assert '"myProp": "x"' in pay["Data"]


def test_the_old_charge_cancelled(customer: Callable[..., Customer]) -> None:
    """charge(options, onSuccess, onFail) of the oldest sites tells a closed window as a failure."""
    options = {"publicId": PUBLIC_ID, "amount": 990.5, "currency": "RUB"}
    call = f"new Promise((done) => widget.charge({json.dumps(options)}, () => done('paid'), done))"
    buyer = customer(call)
    buyer.buy()
    buyer.frame.get_by_label("Номер карты").press("Escape")

    assert buyer.result()["result"] == "User has cancelled"


def test_a_cryptogram_of_checkout_js(cp: CloudShop, customer: Callable[..., Customer]) -> None:
    """The packet of cp.Checkout pays through the API; a wrong number is refused by the field's code."""
    make = "new cp.Checkout({publicId: 'x'}).createPaymentCryptogram"
    card = "{cvv: '123', cardNumber: '%s', expDateMonth: '12', expDateYear: '40'}"
    load = (
        "await new Promise((done) => { const script = document.createElement('script');"
        f" script.src = '{cp.sandbox.url}/cloudpayments/checkout.js'; script.onload = done;"
        " document.head.append(script); })"
    )
    good, bad = (f"{make}({card % number})" for number in ("4000 0000 0000 3055", "4000 0000 0000 3056"))
    buyer = customer(f"({load}, {{packet: await {good}, wrong: await {bad}.catch((codes) => codes)}})")
    buyer.page.get_by_role("button", name="Купить").click()
    made = buyer.result()["result"]

    assert made["wrong"] == {"cardNumber": "CardNumber_Invalid"}
    assert cp.charge(CardCryptogramPacket=made["packet"])["Model"]["CardLastFour"] == "3055"


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

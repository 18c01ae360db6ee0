"""The widget's old API and checkout.js in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Callable

from portal.sandbox.cloudpayments.terminal import PUBLIC_ID
from tests.sandbox.cloudpayments_customer import Customer
from tests.sandbox.cloudpayments_shop import CloudShop


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

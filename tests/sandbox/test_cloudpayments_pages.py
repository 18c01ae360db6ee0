"""Payments without the widget's script: invoices, SBP links, the control API's payer."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
from flask import Flask, jsonify

from portal.sandbox.cloudpayments.terminal import PUBLIC_ID
from tests.sandbox.cloudpayments_shop import NO_FUNDS, SUCCESS, THREE_DS, CloudShop
from tests.sandbox.conftest import serve


def follow(page: requests.Response, **fields: str) -> requests.Response:
    """Send the page's last form as a browser would."""
    action = re.findall(r'<form method="post"(?:\s+action="([^"]*)")?', page.text)[-1]
    url = requests.compat.urljoin(page.url, action or page.url)
    return requests.post(url, data=fields, timeout=30)


def test_an_invoice_is_paid_on_its_page(cp: CloudShop) -> None:
    """orders/create gives a page on which the payer pays; the merchant gets ordinary Check and Pay."""
    order = cp.call(
        "/orders/create", Amount=10, Description="Счёт", InvoiceId="7", AccountId="u", Email="u@e.ru"
    )["Model"]
    form = follow(requests.get(order["Url"], timeout=30))
    assert "Счёт" in form.text
    assert "10,00" in form.text
    card = {"card_number": "4000 0000 0000 3055", "expiry": "12/40", "csc": "123", "email": "u@e.ru"}
    [action] = [path for path in re.findall(r'action="([^"]*)"', form.text) if path.endswith("/card")]
    done = requests.post(f"{cp.sandbox.url}{action}", data=card, timeout=30)

    assert order["Status"] == "Created"
    assert "Оплата прошла" in done.text
    assert (cp.hook("pay")["InvoiceId"], cp.hook("pay")["AccountId"]) == ("7", "u")
    assert "Счёт оплачен" in requests.get(order["Url"], timeout=30).text
    assert cp.call("/orders/cancel", Id=order["Id"])["Success"] is False


def test_a_cancelled_invoice_cannot_be_paid(cp: CloudShop) -> None:
    """After orders/cancel the page offers nothing."""
    order = cp.call("/orders/create", Amount=10, Description="Счёт")["Model"]

    assert cp.call("/orders/cancel", Id=order["Id"]) == {"Success": True, "Message": None}
    assert "Счёт отозван" in requests.get(order["Url"], timeout=30).text
    assert "Счёт отозван" in requests.post(f"{order['Url']}/pay", timeout=30).text
    assert cp.call("/orders/create", Amount=10)["Message"] == "Description is required"


def test_an_invoice_with_a_subscription(cp: CloudShop) -> None:
    """SubscriptionBehavior starts regular payments after the invoice."""
    order = cp.call(
        "/orders/create", Amount=10, Description="Счёт", AccountId="u", SubscriptionBehavior="CreateMonthly"
    )["Model"]
    paid = cp.sandbox.control("pay", gateway="cloudpayments", transaction_id=order["Id"], card=SUCCESS)

    assert paid["subscription"].startswith("sc_")
    assert cp.call("/subscriptions/find", AccountId="u")["Model"][0]["Interval"] == "Month"


def test_an_sbp_link_can_be_paid_twice(cp: CloudShop) -> None:
    """Check comes before the link; each payment of it is a transaction of its own with the same InvoiceId."""
    link = cp.call(
        "/payments/qr/sbp/link", PublicId=PUBLIC_ID, Amount=10, Currency="RUB", Scheme="charge", InvoiceId="7"
    )
    url, number = link["Model"]["QrUrl"], link["Model"]["TransactionId"]
    assert cp.kinds() == ["check"]
    for _ in range(2):
        assert "Оплачено" in follow(requests.get(url, timeout=30)).text
    first, second = cp.hook("pay"), cp.hook("pay", 1)

    assert first["TransactionId"] == str(number)
    assert second["TransactionId"] != first["TransactionId"]
    assert {first["InvoiceId"], second["InvoiceId"]} == {"7"}
    assert (first["PaymentMethod"], first["CardFirstSix"]) == ("Sbp", "")


def test_sbp_without_basic_and_its_limits(cp: CloudShop) -> None:
    """PublicId in the body is enough; an expired link takes no money; wrong terms are refused."""
    cp.auth = None  # type: ignore[assignment]  # no credentials at all is the point
    body = {"PublicId": PUBLIC_ID, "Amount": 10, "Currency": "RUB", "Scheme": "charge"}
    url = cp.call("/payments/qr/sbp/link", **body, TtlMinutes=1)["Model"]["QrUrl"]
    cp.advance("2m")

    assert "просрочена" in follow(requests.get(url, timeout=30)).text
    assert cp.payments()[0]["status"] == "pending"
    assert cp.raw("/payments/qr/sbp/link", {**body, "PublicId": "x"}).status_code == 401
    for change in (
        {"Currency": "USD"},
        {"TtlMinutes": 0},
        {"Scheme": "x"},
        {"SuccessRedirectUrl": "javascript:1"},
    ):
        assert cp.call("/payments/qr/sbp/link", **{**body, **change})["Success"] is False


def test_an_sbp_account_is_charged_later(cp: CloudShop) -> None:
    """The answer of a charge by SBP token is not final; Pay tells the end."""
    token = cp.pay("7", "sbp", account_id="user_x", tokenize=True)["token"]
    cp.merchant.hooks.clear()
    answer = cp.by_token(token, InvoiceId="8")
    before = cp.payments()[-1]["status"]
    cp.advance("1m")

    assert (answer["Success"], answer["Model"]["Status"], before) == (True, "Created", "pending")
    assert [pay["InvoiceId"] for pay in cp.hooks("pay") if pay["InvoiceId"] == "8"] == ["8"]
    assert cp.payments()[-1]["status"] == "succeeded"


def test_the_payer_of_the_control_api(cp: CloudShop) -> None:
    """/control/pay does what the widget does, 3-D Secure included, and answers the ledger's payment."""
    widget = {
        "amount": 12.34,
        "currency": "RUB",
        "userInfo": {"accountId": "u"},
        "tokenize": True,
        "metadata": {"a": 1},
    }
    entry = cp.pay("7", "4242 4242 4242 4242", widget=widget)

    assert (entry["transaction_id"], entry["amount"], entry["status"]) == ("7", "12.34", "succeeded")
    assert cp.hook("pay")["Token"] == entry["token"]
    assert cp.hook("pay")["Data"] == '{"a": 1}'
    assert entry["request"]["metadata"] == {"a": 1}
    assert cp.pay("8", "4444444444444444")["reason"] == "5051 InsufficientFunds"
    assert cp.pay("9", "4000000000000002")["reason"] == "5005 DoNotHonor"


def test_the_portal_is_asked_what_is_to_be_paid(cp: CloudShop) -> None:
    """With only three fields the parameters come from the portal; else it is 404 and says what to pass."""
    portal = Flask("portal")

    @portal.get("/billing/sandbox/widget/<reference>")
    def widget(reference: str) -> Any:
        if reference != "7":
            return "", 404
        start = {"publicTerminalId": PUBLIC_ID, "amount": 990, "currency": "RUB", "paymentSchema": "Single"}
        return jsonify({**start, "externalId": reference, "userInfo": {"accountId": "u"}})

    server = serve(portal)
    cp.settings(portal_url=f"http://127.0.0.1:{server.server_port}")
    body = {"gateway": "cloudpayments", "transaction_id": "7", "card": SUCCESS}
    answers = [
        requests.post(f"{cp.sandbox.url}/control/pay", json={**body, "transaction_id": reference}, timeout=30)
        for reference in ("7", "8")
    ]
    server.shutdown()
    server.server_close()

    assert (answers[0].json()["account"], answers[0].json()["captured"]) == ("u", "990.00")
    assert answers[1].status_code == 404
    assert "widget" in answers[1].json()["error"]["message"]


@pytest.mark.parametrize(
    "start",
    (
        {"amount": 0},
        {"amount": None},
        {"currency": ""},
        {"paymentSchema": "Triple"},
        {"publicTerminalId": "unknown"},
        {"userInfo": {"accountId": "x" * 255}},
        {"recurrent": {"interval": "Month", "period": 1}, "userInfo": {}},
    ),
)
def test_the_widget_refuses_wrong_parameters(cp: CloudShop, start: dict[str, Any]) -> None:
    """start() with a missing or wrong parameter opens no form."""
    good = {"publicTerminalId": PUBLIC_ID, "amount": 1, "currency": "RUB", "paymentSchema": "Single"}
    url = f"{cp.sandbox.url}/cloudpayments/widget/sessions"
    origin = "http://127.0.0.1:1"

    assert requests.post(url, json={"origin": origin, "start": good}, timeout=30).status_code == 201
    assert (
        requests.post(url, json={"origin": origin, "start": {**good, **start}}, timeout=30).status_code == 400
    )
    assert requests.post(url, json={"origin": "null", "start": good}, timeout=30).status_code == 400


def test_a_form_says_what_is_wrong(cp: CloudShop) -> None:
    """A card form with mistakes is shown again with a sentence at each field, and nothing is charged."""
    start = {"publicTerminalId": PUBLIC_ID, "amount": 1, "currency": "RUB", "paymentSchema": "Single"}
    made = requests.post(
        f"{cp.sandbox.url}/cloudpayments/widget/sessions",
        json={"origin": "http://127.0.0.1:1", "start": {**start, "emailBehavior": "Required"}},
        timeout=30,
    ).json()
    url = f"{cp.sandbox.url}{made['url']}"
    page = requests.post(f"{url}/card", data={"card_number": "1", "expiry": "13/40", "csc": "1"}, timeout=30)

    assert page.status_code == 422
    assert re.findall(r'id="(\w+)_error"', page.text) == ["card_number", "expiry", "csc", "email"]
    assert cp.payments() == []
    assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
    assert requests.get(f"{url}x", timeout=30).status_code == 404


def test_a_paid_form_cannot_pay_again(cp: CloudShop) -> None:
    """Sending a form twice charges once; after a decline it may be sent again."""
    start = {"publicTerminalId": PUBLIC_ID, "amount": 1, "currency": "RUB", "paymentSchema": "Single"}
    body = {"origin": "http://127.0.0.1:1", "start": start}
    made = requests.post(f"{cp.sandbox.url}/cloudpayments/widget/sessions", json=body, timeout=30).json()
    url = f"{cp.sandbox.url}{made['url']}"
    pages = [
        requests.post(
            f"{url}/card", data={"card_number": number, "expiry": "12/40", "csc": "123"}, timeout=30
        ).text
        for number in (NO_FUNDS, SUCCESS, SUCCESS)
    ]

    assert "Повторить платёж" in pages[0]
    assert "Недостаточно средств на карте" in pages[0]
    assert "Оплата прошла" in pages[1]
    assert "Оплата прошла" in pages[2]
    assert [entry["status"] for entry in cp.payments()] == ["declined", "succeeded"]
    assert "Оплата прошла" in requests.post(f"{url}/retry", timeout=30).text


def test_the_banks_answer_counts_once(cp: CloudShop) -> None:
    """Sending the bank's page again, with either button, changes nothing and notifies nobody."""
    start = {"publicTerminalId": PUBLIC_ID, "amount": 1, "currency": "RUB", "paymentSchema": "Single"}
    body = {"origin": "http://127.0.0.1:1", "start": start}
    made = requests.post(f"{cp.sandbox.url}/cloudpayments/widget/sessions", json=body, timeout=30).json()
    url = f"{cp.sandbox.url}{made['url']}"
    requests.post(f"{url}/card", data={"card_number": THREE_DS, "expiry": "12/40", "csc": "123"}, timeout=30)
    for answer in ("confirm", "confirm", "decline"):
        page = requests.post(f"{url}/3ds", data={"answer": answer}, timeout=30)
        assert "Оплата прошла" in page.text
    cp.advance("1m")

    assert cp.kinds() == ["check", "pay"]
    assert [entry["status"] for entry in cp.payments()] == ["succeeded"]

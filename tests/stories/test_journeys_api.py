"""The customer's JSON API over real HTTP, word for word as the contract has it: answers and refusals."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from portal.accounts import registration
from portal.billing import plans
from portal.clock import now
from portal.database import transaction
from tests.desk import PASSWORD, Desk
from tests.stories import books
from tests.stories.weather import error, held_by, orders, paid

GATEWAYS = ("cloudpayments", "yookassa")
CARD = "5555555555554444"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
POSTS = (
    "/billing/api/cloudpayments/create_payment/",
    "/billing/api/yookassa/create_payment/",
    "/billing/api/yookassa/bind_card_start/",
    "/billing/api/yookassa/create_test_live_payment/",
)
GETS = tuple(
    f"/billing/api/{gateway}/{what}/"
    for gateway in GATEWAYS
    for what in ("transaction_status", "transactions")
)


# What the API answers


def test_a_cloudpayments_order_in_the_contracts_words(desk: Desk) -> None:
    """A created payment has exactly the contract's fields, and the widget belongs to this order."""
    order = desk.customer().order("cloudpayments")

    widget = order.pop("widget")
    transaction_id = order.pop("transaction_id")
    assert UUID.fullmatch(transaction_id)
    assert order.pop("payment_url").endswith(f"/billing/payment/{transaction_id}/")
    assert order == {
        "gateway": "cloudpayments",
        "status": "pending",
        "amount": "990.00",
        "currency": "RUB",
        "plan_code": "PRO_MONTHLY",
        "billing_mode": "ONE_TIME",
    }
    assert widget["publicTerminalId"] == "test_api_00000000000000000000002"
    assert (widget["externalId"], widget["amount"], widget["currency"]) == (transaction_id, 990, "RUB")
    assert widget["userInfo"]["accountId"] not in {"", "ira@example.com"}
    assert widget["tokenize"] is False


def test_a_yookassa_order_in_the_contracts_words(desk: Desk) -> None:
    """The same for YooKassa, with its page's address in place of a widget."""
    order = desk.customer().order("yookassa", "BUSINESS_YEARLY")

    transaction_id = order.pop("transaction_id")
    (theirs,) = held_by(desk, "yookassa")
    assert theirs["id"] in order.pop("confirmation_url")
    assert order.pop("payment_url").endswith(f"/billing/payment/{transaction_id}/")
    assert order == {
        "gateway": "yookassa",
        "status": "pending",
        "amount": "29900.00",
        "currency": "RUB",
        "plan_code": "BUSINESS_YEARLY",
        "billing_mode": "ONE_TIME",
    }
    assert theirs["request"]["amount"] == {"value": "29900.00", "currency": "RUB"}
    assert theirs["request"]["metadata"]["payment_id"] == transaction_id
    assert theirs["request"]["metadata"]["billing_mode"] == "ONE_TIME"
    assert not {"save_payment_method", "payment_method_data", "merchant_customer_id"} & set(theirs["request"])


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_status_in_the_contracts_words(desk: Desk, gateway: str) -> None:
    """A status has exactly the contract's fields: amounts with two decimals, times in UTC with Z."""
    ira = desk.customer()
    order = ira.order(gateway)
    paid(desk, order)

    told = ira.status(order["transaction_id"], gateway)

    (theirs,) = held_by(desk, gateway)
    assert MOMENT.fullmatch(told.pop("created_at"))
    assert MOMENT.fullmatch(told.pop("paid_at"))
    if gateway == "cloudpayments":
        assert told.pop("cloudpayments_id") == theirs["id"]
    assert told == {
        "transaction_id": order["transaction_id"],
        "gateway": gateway,
        "gateway_payment_id": theirs["id"],
        "status": "succeeded",
        "amount": "990.00",
        "refunded_amount": "0.00",
        "currency": "RUB",
        "plan_code": "PRO_MONTHLY",
        "billing_mode": "ONE_TIME",
        "failure": None,
    }
    assert ira.get(f"/billing/payment/{order['transaction_id']}/status").json()["status"] == "succeeded"


def test_a_list_is_paged_by_its_cursor(desk: Desk) -> None:
    """Pages hold every payment of one gateway once, newest first, and the last one says that it is."""
    ira = desk.customer()
    codes = ("START_MONTHLY", "PRO_MONTHLY", "BUSINESS_MONTHLY", "PRO_YEARLY", "BUSINESS_YEARLY")
    made = [ira.order("cloudpayments", code)["transaction_id"] for code in codes]
    desk.customer("oleg@example.com").order("cloudpayments")

    pages, cursor = [], None
    for _ in range(3):
        where = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = ira.get("/billing/api/cloudpayments/transactions/", params=where).json()
        assert set(page) == {"transactions", "next_cursor"}
        pages.append([told["transaction_id"] for told in page["transactions"]])
        cursor = page["next_cursor"]

    newest = made[::-1]
    assert pages == [newest[:2], newest[2:4], newest[4:]]
    assert cursor is None
    assert orders(ira, "yookassa") == []


@pytest.mark.parametrize(
    "words",
    (
        {"cursor": "nonsense"},
        {"cursor": "e30"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"limit": "0000005"},
        {"limit": "1000000000"},
    ),
)
def test_a_list_refuses_what_it_cannot_read(desk: Desk, words: dict[str, str]) -> None:
    """A cursor that is none of ours and a limit out of bounds are 400, never a page of something else."""
    ira = desk.customer()
    assert error(ira.get("/billing/api/yookassa/transactions/", params=words)) == (400, "INVALID_REQUEST")


# What it refuses


def test_a_stranger_is_told_to_sign_in(desk: Desk) -> None:
    """Whoever is not signed in gets 401 from every endpoint, before anything else is looked at."""
    stranger = desk.browser()
    for path in GETS:
        assert error(stranger.get(path)) == (401, "AUTH_REQUIRED"), path
    for path in POSTS:
        assert error(stranger.session.post(desk.url + path, json={}, timeout=10)) == (401, "AUTH_REQUIRED"), (
            path
        )


def test_a_post_without_the_sessions_token_is_refused(desk: Desk) -> None:
    """A missing, a made-up and another session's CSRF token are 400 CSRF_FAILED, and no order comes of it."""
    ira, oleg = desk.customer(), desk.customer("oleg@example.com")
    words = {"plan_code": "PRO_MONTHLY"}
    for path in POSTS:
        for headers in ({}, {"X-CSRFToken": "made-up"}, {"X-CSRFToken": oleg.token()}):
            answer = ira.session.post(desk.url + path, json=words, headers=headers, timeout=10)
            assert error(answer) == (400, "CSRF_FAILED"), (path, headers)
    assert books.count(desk.app, "payments") == 0


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_only_plans_on_sale_are_sold(desk: Desk, gateway: str) -> None:
    """An unknown plan, one taken off sale and a text that is no code are 404 PLAN_NOT_FOUND alike."""
    ira = desk.customer()
    with desk.app.app_context(), transaction():
        plans.on_sale_by_code("START_MONTHLY").on_sale = False
    odd = ("", "x" * 10_000, "PRO_MONTHLY\x00", "PRO_MONTHLY\n", "pro_monthly", "\ud800")
    for code in ("NO_SUCH_PLAN", "START_MONTHLY", *odd):
        answer = ira.call(f"/billing/api/{gateway}/create_payment/", {"plan_code": code})
        assert error(answer) == (404, "PLAN_NOT_FOUND"), code
    assert books.count(desk.app, "payments") == 0


def test_a_body_that_is_no_order_is_refused(desk: Desk) -> None:
    """What is no order, or no JSON, is 400; fields that would cost money are ignored."""
    ira = desk.customer()
    where = "/billing/api/cloudpayments/create_payment/"
    for body in (
        {},
        {"plan_code": 5},
        {"plan_code": None},
        [],
        "text",
        {"plan_code": "PRO_MONTHLY", "accept_recurring": "yes"},
    ):
        assert error(ira.call(where, body)) == (400, "INVALID_REQUEST"), body
    headers = {"X-CSRFToken": ira.token(), "Content-Type": "application/json"}
    for raw in (b"{", b"\xff\xfe", b"[" * 5000):
        answer = ira.session.post(desk.url + where, data=raw, headers=headers, timeout=10)
        assert error(answer) == (400, "INVALID_REQUEST"), raw[:10]

    cheap = ira.call(
        where, {"plan_code": "PRO_MONTHLY", "amount": "1.00", "price": 1, "user_id": 1, "status": "succeeded"}
    )
    assert (cheap.json()["amount"], cheap.json()["status"]) == ("990.00", "pending")


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_another_customers_payment_does_not_exist(desk: Desk, gateway: str) -> None:
    """Somebody else's id, an id of the other gateway and one that never was are the same 404 to the byte."""
    ira, oleg = desk.customer(), desk.customer("oleg@example.com")
    theirs = oleg.order(gateway)["transaction_id"]
    other = ira.order("yookassa" if gateway == "cloudpayments" else "cloudpayments")["transaction_id"]
    where = f"/billing/api/{gateway}/transaction_status/"

    never = ira.get(where, params={"transaction_id": "00000000-0000-4000-8000-000000000000"})
    assert error(never) == (404, "NOT_FOUND")
    for strange in (theirs, other, "x", "", "\x00", "a" * 5000):
        answer = ira.get(where, params={"transaction_id": strange})
        assert (answer.status_code, answer.content) == (never.status_code, never.content)
    assert ira.get(where).content == never.content
    for page in ("", "return", "status"):
        answer = ira.get(f"/billing/payment/{theirs}/{page}")
        assert answer.status_code == 404
        assert "PRO" not in answer.text


def test_addresses_that_are_not_there(desk: Desk) -> None:
    """An unknown gateway or endpoint is a JSON 404, a wrong method a JSON 405 that says which are right."""
    ira = desk.customer()
    assert error(ira.get("/billing/api/stripe/transactions/")) == (404, "NOT_FOUND")
    assert error(ira.get("/billing/api/yookassa/nothing/")) == (404, "NOT_FOUND")
    wrong = ira.get("/billing/api/yookassa/create_payment/")
    assert error(wrong) == (405, "METHOD_NOT_ALLOWED")
    assert "POST" in wrong.headers["Allow"]


def test_too_many_orders_are_refused_for_a_while(app: Flask) -> None:
    """From outside one customer may ask for thirty orders in ten minutes, by the API and the form together;
    then it is 429 with the seconds to wait, and nobody else is refused.
    """
    app.config["RATELIMIT_ENABLED"] = True
    try:
        with app.app_context():
            for email in ("ira@example.com", "oleg@example.com"):
                registration.register(email, PASSWORD, "198.51.100.7", now())
        surroundings = {"REMOTE_ADDR": "198.51.100.7"}

        def signed_in(email: str) -> tuple[Any, str]:
            client = app.test_client()
            token = _token(client.get("/login", environ_overrides=surroundings).text)
            form = {"csrf_token": token, "email": email, "password": PASSWORD}
            assert client.post("/login", data=form, environ_overrides=surroundings).status_code == 303
            return client, _token(client.get("/plans", environ_overrides=surroundings).text)

        def ask(client: Any, token: str) -> Any:
            return client.post(
                "/billing/api/cloudpayments/create_payment/",
                json={"plan_code": "NO_SUCH_PLAN"},
                headers={"X-CSRFToken": token},
                environ_overrides=surroundings,
            )

        ira, oleg = signed_in("ira@example.com"), signed_in("oleg@example.com")
        assert {ask(*ira).status_code for _ in range(30)} == {404}
        refused = ask(*ira)
        assert (refused.status_code, refused.json["error"]["code"]) == (429, "RATE_LIMITED")
        assert 1 <= int(refused.headers["Retry-After"]) <= 601
        form = {"csrf_token": ira[1], "gateway": "cloudpayments", "accept_offer": "y"}
        assert (
            ira[0].post("/checkout/PRO_MONTHLY", data=form, environ_overrides=surroundings).status_code == 429
        )
        assert ask(*oleg).status_code == 404
    finally:
        app.config["RATELIMIT_ENABLED"] = False


def _token(page: str) -> str:
    found = re.search(r'<meta name="csrf-token" content="([^"]+)"', page)
    assert found
    return found[1]

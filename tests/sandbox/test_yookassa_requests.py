"""What YooKassa refuses, and in which words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Sandbox, Shop

REDIRECT = {"type": "redirect", "return_url": "http://127.0.0.1/back"}
RUB = {"value": "10.00", "currency": "RUB"}
INVALID = (
    "Invalid parameter's value (for example, the value is illegal or its format is incorrect). "
    "Send the value in accordance with the documentation."
)
RECURRING = "This store can't make recurring payments. Contact the YooMoney manager to learn more"


def _body(**more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"amount": RUB, "capture": True, "confirmation": REDIRECT, **more}
    return {name: value for name, value in body.items() if value is not ...}


def _error(answer: requests.Response) -> tuple[int, str, str | None, str]:
    body = answer.json()
    assert body["type"] == "error"
    assert len(body["id"]) == 36
    return answer.status_code, body["code"], body.get("parameter"), body["description"]


@pytest.mark.parametrize(
    ("auth", "text"),
    (
        (("100500", "test_wrong"), "Error in shopId or secret key."),
        (("100501", "test_sandbox-secret-key"), "Error in shopId or secret key."),
        (("100500", "secret"), "Incorrect password format in the Authorization header."),
        (("my-shop", "test_sandbox-secret-key"), "Login has illegal format"),
        (None, "Error in shopId or secret key."),
    ),
)
def test_wrong_credentials_are_401_in_the_known_words(shop: Shop, auth: Any, text: str) -> None:
    """Which text comes tells the merchant what is wrong with the key."""
    status, code, parameter, description = _error(shop.call("GET", "/me", auth=auth))
    assert (status, code, parameter) == (401, "invalid_credentials", "Authorization")
    assert description.startswith(text)


def test_a_wrong_method_and_a_wrong_content_type_have_empty_bodies(shop: Shop) -> None:
    """405 and 415 carry no JSON, as their documentation says nothing of a body."""
    for method, path in (("DELETE", "/payments"), ("PUT", "/refunds"), ("GET", "/payments/x/capture")):
        answer = shop.call(method, path)
        assert (answer.status_code, answer.content) == (405, b"")
    answer = shop.call("POST", "/payments", data="a=1", headers={"Idempotence-Key": "k"})
    assert (answer.status_code, answer.content) == (415, b"")
    form = {"Idempotence-Key": "k", "Content-Type": "application/x-www-form-urlencoded"}
    answer = shop.call("POST", "/payments", data="a=1", headers=form)
    assert (answer.status_code, answer.content) == (415, b"")


def test_an_unknown_address_is_404_with_an_error_object(shop: Shop) -> None:
    """Also below an existing collection."""
    assert _error(shop.call("GET", "/nothing"))[:2] == (404, "not_found")


@pytest.mark.parametrize("content", (b"{", b"[]", b"\xff\xfe"))
def test_a_body_that_is_no_json_object_is_400(shop: Shop, content: bytes) -> None:
    """Broken JSON makes no payment."""
    headers = {"Idempotence-Key": "k", "Content-Type": "application/json"}
    answer = shop.call("POST", "/payments", data=content, headers=headers)
    assert _error(answer)[:2] == (400, "invalid_request")


@pytest.mark.parametrize(
    ("change", "parameter"),
    (
        ({"amount": ...}, "amount"),
        ({"amount": {"value": "10.00"}}, "amount.currency"),
        ({"amount": {"value": "10.00", "currency": "rub"}}, "amount.currency"),
        ({"capture": "true"}, "capture"),
        ({"save_payment_method": 1}, "save_payment_method"),
        ({"description": "x" * 129}, "description"),
        ({"description": None}, "description"),
        ({"metadata": {f"k{n}": "v" for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 33: "v"}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata"),
        ({"metadata": {"k": 5}}, "metadata"),
        ({"client_ip": "300.1.1.1"}, "client_ip"),
        ({"merchant_customer_id": "x" * 201}, "merchant_customer_id"),
        ({"confirmation": ...}, "confirmation"),
        ({"confirmation": {"type": "teleport"}}, "confirmation.type"),
        ({"confirmation": {"type": "redirect"}}, "confirmation.return_url"),
        ({"confirmation": REDIRECT | {"return_url": "http://x/" + "y" * 2048}}, "confirmation.return_url"),
        ({"confirmation": REDIRECT | {"locale": "fr_FR"}}, "confirmation.locale"),
        ({"payment_method_data": {"type": "seashells"}}, "payment_method_data.type"),
        ({"payment_method_data": {"type": "sbp"}, "capture": False}, "capture"),
        ({"payment_method_data": {"type": "sbp"}, "payment_method_id": "x"}, "payment_method_data"),
        ({"payment_method_data": {"type": "sbp"}, "confirmation": {"type": "embedded"}}, "confirmation.type"),
        ({"payment_token": "x"}, "payment_token"),
    ),
)
def test_a_wrong_field_is_named(shop: Shop, change: dict[str, Any], parameter: str) -> None:
    """400 with the dotted path of the parameter and the gateway's sentence."""
    expected = (400, "invalid_request", parameter, INVALID)
    assert _error(shop.post("/payments", _body(**change))) == expected


@pytest.mark.parametrize(
    "value", ("-1.00", "0.00", "1,00", "1.005", "abc", "", "0.99", "700000.01", 10, None)
)
def test_a_wrong_sum_has_its_own_sentence(shop: Shop, value: Any) -> None:
    """The value is text with a dot, positive, within the limits of payment methods."""
    answer = shop.post("/payments", _body(amount={"value": value, "currency": "RUB"}))
    text = "Error in the payment amount. Specify the amount in correct format. For example, 100.00"
    assert _error(answer) == (400, "invalid_request", "amount.value", text)


def test_another_currency_has_its_own_sentence(shop: Shop) -> None:
    """The shop sells for roubles."""
    answer = shop.post("/payments", _body(amount={"value": "10.00", "currency": "USD"}))
    assert _error(answer)[2] == "amount.currency"
    assert _error(answer)[3].startswith("Incorrect currency of payment.")


def test_limits_let_the_largest_allowed_through(shop: Shop) -> None:
    """128 characters, 16 keys of 32 with 512: all of it comes back unchanged."""
    metadata = {f"{n:032d}": "ы" * 512 for n in range(16)}
    body = _body(description="ы" * 128, metadata=metadata, transfers=[], statements=[])
    answer = shop.post("/payments", body)
    assert answer.status_code == 200
    assert (answer.json()["metadata"], answer.json()["description"]) == (metadata, "ы" * 128)
    assert None not in answer.json().values()


def test_a_shop_without_recurring_is_refused_in_the_known_words(sandbox: Sandbox, shop: Shop) -> None:
    """403 forbidden without a parameter, and no payment; without the flag the same request succeeds."""
    saved = shop.pay(save_payment_method=True)
    sandbox.control("pay", gateway="yookassa", transaction_id=saved["id"], card="5555555555554444")
    sandbox.control("settings", yookassa_recurring=False)
    for path, body in (
        ("/payments", _body(save_payment_method=True)),
        ("/payments", _body(payment_method_id=saved["id"], confirmation=...)),
        ("/payment_methods", {"type": "bank_card", "confirmation": REDIRECT}),
    ):
        assert _error(shop.post(path, body)) == (403, "forbidden", None, RECURRING)
    assert len(sandbox.ledger()["payments"]) == 1
    assert shop.post("/payments", _body()).status_code == 200
    assert shop.post("/payments", _body(save_payment_method=False)).status_code == 200
    sandbox.control("settings", yookassa_recurring_blocks_saved=False)
    answer = shop.post("/payments", _body(payment_method_id=saved["id"], confirmation=...))
    assert answer.json()["status"] == "succeeded"


def test_unknown_objects_are_not_found(sandbox: Sandbox, shop: Shop) -> None:
    """404, or 400 for payments when the setting says so."""
    text = "Incorrect payment_id. Payment doesn't exist or access denied"
    assert _error(shop.call("GET", "/payments/x")) == (404, "not_found", "payment_id", text)
    for path in ("/refunds/x", "/receipts/x", "/payment_methods/x"):
        assert _error(shop.call("GET", path))[:2] == (404, "not_found")
    sandbox.control("settings", yookassa_unknown_payment="400")
    assert _error(shop.call("GET", "/payments/x"))[:2] == (400, "invalid_request")
    answer = shop.post("/refunds", {"payment_id": "x", "amount": RUB})
    assert _error(answer) == (400, "invalid_request", "payment_id", text)


def test_an_unknown_saved_method_is_named(shop: Shop) -> None:
    """So is one that was not saved."""
    unsaved = shop.pay()
    for key in ("nothing", unsaved["id"]):
        error = _error(shop.post("/payments", _body(payment_method_id=key, confirmation=...)))
        assert error[:3] == (400, "invalid_request", "payment_method_id")
        assert error[3].startswith("This payment_method_id doesn't exist.")


def test_a_key_is_needed_and_has_a_limit(shop: Shop) -> None:
    """Missing and over 64 characters are different refusals; both name the header."""
    answer = shop.call("POST", "/payments", json=_body())
    assert _error(answer)[2:] == ("Idempotence-Key", "Idempotence key is empty")
    error = _error(shop.post("/payments", _body(), key="k" * 65))
    assert error[2] == "Idempotence-Key"
    assert error[3].startswith("Idempotence key is too long")
    assert shop.post("/payments", _body(), key="k" * 64).status_code == 200


def test_a_repeat_gets_the_same_object_as_it_is_now(sandbox: Sandbox, shop: Shop) -> None:
    """One payment however often it is asked for, in its present state; key order does not matter."""
    first = shop.post("/payments", _body(), key="k").json()
    sandbox.control("pay", gateway="yookassa", transaction_id=first["id"], card="5555555555554444")
    turned = dict(reversed(_body().items()))
    again = shop.post("/payments", turned, key="k").json()
    assert (again["id"], again["status"]) == (first["id"], "succeeded")
    assert len(sandbox.ledger()["payments"]) == 1


def test_another_body_or_path_under_a_used_key_is_refused(sandbox: Sandbox, shop: Shop) -> None:
    """Also after a refusal: a key that was answered by 400 is burnt for a corrected body."""
    shop.post("/payments", _body(), key="k")
    refused = shop.post("/payments", _body(description="x" * 129), key="burnt")
    reused = "You've already used this idempotence key for another request within the past 24 hours."
    for path, body, key in (
        ("/payments", _body(description="other"), "k"),
        ("/refunds", _body(), "k"),
        ("/payments", _body(description="x"), "burnt"),
    ):
        error = _error(shop.post(path, body, key=key))
        assert error[:3] == (400, "invalid_request", "Idempotence-Key")
        assert error[3].startswith(reused)
    same = shop.post("/payments", _body(description="x" * 129), key="burnt")
    assert same.json() == refused.json()
    sandbox.control("settings", yookassa_idempotency="bytes")
    shop.post("/payments", _body(), key="exact")
    turned = dict(reversed(_body().items()))
    assert _error(shop.post("/payments", turned, key="exact"))[2] == "Idempotence-Key"


def test_a_key_is_forgotten_after_24_hours(sandbox: Sandbox, shop: Shop) -> None:
    """A minute before it still answers with the old payment, a minute after with a new one."""
    first = shop.post("/payments", _body(), key="k").json()["id"]
    sandbox.control("clock", advance="23h59m")
    assert shop.post("/payments", _body(), key="k").json()["id"] == first
    sandbox.control("clock", advance="2m")
    assert shop.post("/payments", _body(), key="k").json()["id"] != first


def test_concurrent_duplicates_make_one_object(sandbox: Sandbox, shop: Shop) -> None:
    """Ten requests at the same moment under one key: one charge, ten equal answers."""
    saved = shop.pay(save_payment_method=True)
    sandbox.control("pay", gateway="yookassa", transaction_id=saved["id"], card="5555555555554444")
    body = _body(payment_method_id=saved["id"], confirmation=...)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: shop.post("/payments", body, key="one").json()["id"], range(10)))
    assert len(set(answers)) == 1
    assert len(sandbox.ledger()["payments"]) == 2


def test_lists_are_filtered_and_paged(sandbox: Sandbox, shop: Shop) -> None:
    """Newest first, by status, method and time, going on from next_cursor."""
    made = [shop.pay(f"order-{n}")["id"] for n in range(5)]
    sandbox.control("pay", gateway="yookassa", transaction_id=made[1], card="5555555555554444")
    sandbox.control("pay", gateway="yookassa", transaction_id=made[2], card="sbp")
    first = shop.get("/payments", params={"limit": 2})
    assert [p["id"] for p in first["items"]] == made[:2:-1]
    rest = shop.get("/payments", params={"limit": 100, "cursor": first["next_cursor"]})
    assert [p["id"] for p in rest["items"]] == made[2::-1]
    assert "next_cursor" not in rest
    paid = shop.get("/payments", params={"status": "succeeded"})["items"]
    assert [p["id"] for p in paid] == [made[2], made[1]]
    sbp = shop.get("/payments", params={"payment_method": "sbp"})["items"]
    assert [p["id"] for p in sbp] == [made[2]]
    edge = paid[0]["captured_at"]
    assert len(shop.get("/payments", params={"captured_at.gte": edge})["items"]) == 1
    assert len(shop.get("/payments", params={"captured_at.lt": edge})["items"]) == 1
    assert shop.get("/payments", params={"created_at.gt": "2100-01-01T00:00:00Z"})["items"] == []


@pytest.mark.parametrize(
    ("params", "parameter"),
    (
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"created_at.gte": "yesterday"}, "createdBefore;createdAfter"),
    ),
)
def test_wrong_list_parameters_are_refused(shop: Shop, params: dict[str, str], parameter: str) -> None:
    """400 with the parameter's name."""
    assert _error(shop.call("GET", "/refunds", params=params))[2] == parameter

"""Every fault, seen by a real HTTP client."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from portal.sandbox.faults import FAULTS, Operation
from tests.sandbox.conftest import Sandbox, Shop

BODY = {
    "amount": {"value": "10.00", "currency": "RUB"},
    "capture": True,
    "confirmation": {"type": "redirect", "return_url": "http://127.0.0.1/"},
}


def _order(sandbox: Sandbox, fault: str, times: int = 1) -> None:
    sandbox.control("faults", gateway="yookassa", operation="create_payment", fault=fault, times=times)


@pytest.mark.parametrize(
    ("fault", "status", "made"),
    (
        ("http_500", 500, 0),
        ("http_429", 429, 0),
        ("garbage_502", 502, 0),
        ("http_500_after_commit", 500, 1),
        ("malformed_200", 200, 1),
        ("http_202", 202, 1),
    ),
)
def test_spoilt_answers_come_before_or_after_the_work(
    sandbox: Sandbox, shop: Shop, fault: str, status: int, made: int
) -> None:
    """The status is the promised one, and the payment exists when the fault comes after the commit."""
    _order(sandbox, fault)
    answer = shop.post("/payments", BODY, key="same")
    assert answer.status_code == status
    assert len(sandbox.ledger()["payments"]) == made
    if fault in {"garbage_502", "malformed_200"}:
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()
    else:
        word = {500: "internal_server_error", 429: "too_many_requests", 202: "processing"}[status]
        assert word in (answer.json().get("code"), answer.json()["type"])
    again = shop.post("/payments", BODY, key="same")
    assert again.status_code == 200
    assert len(sandbox.ledger()["payments"]) == 1


@pytest.mark.parametrize(("fault", "made"), (("drop_before_commit", 0), ("drop_after_commit", 1)))
def test_dropped_connections_end_without_a_byte(sandbox: Sandbox, shop: Shop, fault: str, made: int) -> None:
    """The client's connection is cut; only after the commit does the payment exist."""
    _order(sandbox, fault)
    with pytest.raises(requests.exceptions.ConnectionError):
        shop.post("/payments", BODY)
    assert len(sandbox.ledger()["payments"]) == made

    _order(sandbox, fault)
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rsplit(":", 1)[1])), timeout=10) as raw:
        raw.sendall(_raw_request())
        try:
            received = raw.recv(1000)
        except ConnectionResetError:
            received = b""
    assert received == b""


def _raw_request() -> bytes:
    body = json.dumps(BODY).encode()
    login = base64.b64encode(b"100500:test_sandbox-secret-key").decode()
    head = (
        "POST /yookassa/v3/payments HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Basic {login}\r\nIdempotence-Key: raw\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize(("fault", "made"), (("hang", 0), ("hang_after_commit", 1)))
def test_a_hanging_request_is_held_until_the_client_gives_up(
    sandbox: Sandbox, shop: Shop, wait_for: Callable[..., Any], fault: str, made: int
) -> None:
    """The client's own timeout strikes, others are served meanwhile, and then the sandbox lets go."""
    before = set(threading.enumerate())  # a browser of another test may keep connections open

    def serving() -> bool:
        new = set(threading.enumerate()) - before
        return any("process_request_thread" in thread.name for thread in new)

    _order(sandbox, fault)
    with pytest.raises(requests.exceptions.ReadTimeout):
        shop.post("/payments", BODY, timeout=0.4)
    assert len(sandbox.ledger()["payments"]) == made
    wait_for(lambda: not serving())


def test_a_hanging_request_ends_at_the_limit_that_was_set(sandbox: Sandbox, shop: Shop) -> None:
    """A client without a timeout is cut off after hang_seconds, and not before."""
    sandbox.control("settings", hang_seconds=0.5)
    _order(sandbox, "hang")
    begun = time.monotonic()
    with pytest.raises(requests.exceptions.ConnectionError):
        shop.post("/payments", BODY)
    assert 0.5 <= time.monotonic() - begun < 10


def test_a_fault_strikes_as_often_as_it_was_ordered(sandbox: Sandbox, shop: Shop) -> None:
    """Times counts the calls of that operation and no others."""
    _order(sandbox, "http_500", times=2)
    shop.get("/payments")
    codes = [shop.post("/payments", BODY, key="k").status_code for _ in range(3)]
    assert codes == [500, 500, 200]


def test_a_fault_for_any_operation_strikes_the_next_call(sandbox: Sandbox, shop: Shop) -> None:
    """Without an operation the first call to that gateway is hit."""
    sandbox.control("faults", gateway="yookassa", fault="http_500")
    assert shop.call("GET", "/me").status_code == 500
    assert shop.call("GET", "/me").status_code == 200


def test_forgotten_faults_do_not_strike(sandbox: Sandbox, shop: Shop) -> None:
    """DELETE takes back what was ordered."""
    _order(sandbox, "http_500", times=9)
    assert requests.delete(f"{sandbox.url}/control/faults").status_code == 200
    assert shop.post("/payments", BODY).status_code == 200


@pytest.mark.parametrize("fault", FAULTS)
def test_reading_operations_can_be_spoilt_too(sandbox: Sandbox, shop: Shop, fault: str) -> None:
    """Each fault works on a GET and is used up by it."""
    sandbox.control("settings", hang_seconds=0.2)
    payment = shop.pay()
    sandbox.control("faults", gateway="yookassa", operation="get_payment", fault=fault)
    url = f"/payments/{payment['id']}"
    try:
        spoilt = shop.call("GET", url)
        assert spoilt.status_code != 200 or not _is_json(spoilt)
    except requests.exceptions.ConnectionError:
        assert fault.startswith(("drop", "hang"))
    assert shop.get(url)["id"] == payment["id"]


def _is_json(answer: requests.Response) -> bool:
    try:
        answer.json()
    except requests.exceptions.JSONDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "matches"),
    (
        ("create_payment", True),
        ("payments/create", True),
        ("POST /payments", True),
        ("Payment.create", True),
        ("createPayment", True),
        ("payments", True),
        ("*", True),
        ("get_payment", False),
        ("refunds", False),
    ),
)
def test_operations_are_recognised_by_their_words(name: Any, matches: bool) -> None:
    """Order, number and punctuation of the words do not matter; other words do."""
    operation = Operation("yookassa", ("create_payment", "payments", "post_payments"))
    assert operation.answers_to(name) is matches


def test_latency_lets_the_notification_arrive_before_the_answer(
    sandbox: Sandbox, shop: Shop, merchant: Any
) -> None:
    """With api_latency_ms a charge's webhook is there when the API answers."""
    payment = shop.pay(save_payment_method=True)
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card="5555555555554444")
    sandbox.control("settings", api_latency_ms=600)
    charged = shop.pay(payment_method_id=payment["id"])
    assert charged["id"] in [hook.json["object"]["id"] for hook in merchant.hooks]

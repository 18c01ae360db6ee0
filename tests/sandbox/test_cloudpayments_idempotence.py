"""X-Request-ID, faults on charges, and the limit of concurrent requests: did money move?"""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from tests.sandbox.cloudpayments_shop import NO_FUNDS, CloudShop, packet


def charge(cp: CloudShop, token: str, key: str = "", **more: Any) -> requests.Response:
    """Charge a token with or without X-Request-ID, whatever comes back."""
    body = {"Amount": 990, "AccountId": "user_x", "Token": token, "TrInitiatorCode": 0, **more}
    headers = {"X-Request-ID": key} if key else {}
    return cp.raw("/payments/tokens/charge", body, headers=headers, timeout=5)


def charged(cp: CloudShop) -> int:
    """How many token charges took money, by the ledger."""
    return sum(entry["source"] == "token" and entry["captured"] != "0.00" for entry in cp.payments())


def test_a_repeat_within_the_hour_answers_alike(cp: CloudShop) -> None:
    """The same X-Request-ID charges once and answers the very same bytes for an hour."""
    token = cp.token()
    first = charge(cp, token, "a")
    cp.advance("59m59s")
    second = charge(cp, token, "a")

    assert first.content == second.content
    assert charged(cp) == 1


def test_after_the_hour_it_is_forgotten(cp: CloudShop) -> None:
    """An hour later the same X-Request-ID is a new charge."""
    token = cp.token()
    charge(cp, token, "a")
    cp.advance("1h")
    charge(cp, token, "a")

    assert charged(cp) == 2


def test_without_the_header_every_request_charges(cp: CloudShop) -> None:
    """No X-Request-ID, no protection; another one is another charge."""
    token = cp.token()
    for key in ("", "", "a", "b"):
        charge(cp, token, key)

    assert charged(cp) == 4


def test_the_scope_is_terminal_and_method(cp: CloudShop) -> None:
    """The same id on another method is another request."""
    token = cp.token()
    paid = charge(cp, token, "a").json()["Model"]["TransactionId"]
    body = {"TransactionId": paid, "Amount": 10}
    back = [cp.raw("/payments/refund", body, headers={"X-Request-ID": "a"}).json() for _ in range(2)]

    assert back[0] == back[1]
    assert cp.payments()[1]["refunded"] == "10.00"


@pytest.mark.parametrize(("keeps", "attempts"), (("all", 1), ("successes", 2)))
def test_whether_declines_are_remembered_is_a_setting(cp: CloudShop, keeps: str, attempts: int) -> None:
    """The documentation speaks of one successful request only, so both readings can be tried."""
    cp.settings(cloudpayments_request_id_keeps=keeps)
    for _ in range(2):
        body = {"Amount": 1, "IpAddress": "1.1.1.1", "CardCryptogramPacket": packet(NO_FUNDS)}
        cp.raw("/payments/cards/charge", body, headers={"X-Request-ID": "a"})

    assert len(cp.payments()) == attempts


def test_concurrent_duplicates_charge_once(cp: CloudShop) -> None:
    """Of eight simultaneous requests with one id a single one charges; all answer alike."""
    token, answers, start = cp.token(), [], threading.Barrier(8)

    def go() -> None:
        start.wait()
        answers.append(charge(cp, token, "a").content)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(answers), len(set(answers)), charged(cp)) == (8, 1, 1)


@pytest.mark.parametrize(
    ("fault", "status", "moved"),
    (
        ("http_500", 500, 0),
        ("http_429", 429, 0),
        ("garbage_502", 502, 0),
        ("drop_before_commit", None, 0),
        ("hang", None, 0),
        ("http_500_after_commit", 500, 1),
        ("drop_after_commit", None, 1),
        ("malformed_200", 200, 1),
        ("http_202", 202, 1),
    ),
)
def test_every_fault_on_a_charge(cp: CloudShop, fault: str, status: int | None, moved: int) -> None:
    """Each fault answers its own way, and money moved only where the work was done; a repeat charges once."""
    token = cp.token()
    cp.settings(hang_seconds=0.3)
    cp.sandbox.control("faults", gateway="cloudpayments", operation="tokens_charge", fault=fault, times=1)

    if status is None:
        with pytest.raises(requests.RequestException):
            charge(cp, token, "a", InvoiceId="7")
    else:
        assert charge(cp, token, "a", InvoiceId="7").status_code == status
    assert charged(cp) == moved

    again = charge(cp, token, "a", InvoiceId="7")
    assert (again.status_code, again.json()["Success"], charged(cp)) == (200, True, 1)


def test_malformed_is_no_json(cp: CloudShop) -> None:
    """The answer of malformed_200 cannot be parsed."""
    token = cp.token()
    cp.sandbox.control(
        "faults", gateway="cloudpayments", operation="tokens_charge", fault="malformed_200", times=1
    )

    with pytest.raises(ValueError):
        charge(cp, token).json()


@pytest.mark.parametrize(
    ("operation", "path"),
    (
        ("refund", "/payments/refund"),
        ("get", "/payments/get"),
        ("find", "/payments/find"),
        ("find", "/v2/payments/find"),
        ("list", "/v2/payments/list"),
        ("confirm", "/payments/confirm"),
        ("void", "/payments/void"),
        ("cards_charge", "/payments/cards/charge"),
        ("post3ds", "/payments/cards/post3ds"),
        ("charge", "/payments/tokens/charge"),
        ("payments/tokens/charge", "/payments/tokens/charge"),
        ("POST /payments/tokens/charge", "/payments/tokens/charge"),
        ("POST /v2/payments/find", "/payments/find"),
        ("tokens_auth", "/payments/tokens/auth"),
        ("subscriptions_create", "/subscriptions/create"),
        ("orders_create", "/orders/create"),
        ("test", "/test"),
    ),
)
def test_a_fault_strikes_its_operation_only(cp: CloudShop, operation: str, path: str) -> None:
    """A fault is used up by its own operation, however many others are called meanwhile."""
    cp.sandbox.control("faults", gateway="cloudpayments", operation=operation, fault="http_500", times=1)
    other = "/site/notifications/pay/get"

    assert [cp.raw(where).status_code for where in (other, path, path, other)] == [200, 500, 200, 200]


def test_wrong_credentials_do_not_use_a_fault_up(cp: CloudShop) -> None:
    """A fault waits for a request that was let in."""
    cp.sandbox.control("faults", gateway="cloudpayments", operation="test", fault="http_500", times=1)

    assert cp.raw("/test", auth=None).status_code == 401
    assert cp.raw("/test").status_code == 500


def test_more_than_the_limit_at_once_is_429(cp: CloudShop) -> None:
    """With the limit of a test terminal set, the request beyond it is answered 429 and does nothing."""
    token = cp.token()
    cp.settings(cloudpayments_concurrency_limit=1, hang_seconds=1)
    cp.sandbox.control("faults", gateway="cloudpayments", operation="get", fault="hang", times=1)
    slow = threading.Thread(target=_ignore, args=(lambda: cp.raw("/payments/get", timeout=4),))
    slow.start()
    cp.wait_for(lambda: not cp.sandbox.world.faults.all())
    refused = charge(cp, token)
    slow.join()

    assert (refused.status_code, charged(cp)) == (429, 0)
    cp.settings(cloudpayments_concurrency_limit=5)
    assert charge(cp, token).status_code == 200


def _ignore(call: Any) -> None:
    try:
        call()
    except requests.RequestException:
        return

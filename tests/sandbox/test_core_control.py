"""The control API and the page at / ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from portal.sandbox.app import create_sandbox
from tests.sandbox.conftest import Merchant, Sandbox, Shop

LETTER = (
    "From: Магазин <shop@example.com>\r\nTo: Anna <anna@example.com>, boris@example.com\r\n"
    "Subject: =?utf-8?b?0J/QuNGB0YzQvNC+?=\r\nDate: Sun, 22 Nov 2026 10:00:00 +0300\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nСсылка: http://127.0.0.1:8000/x?a=1&b=2. Всё <b>\r\n"
)


def test_settings_are_merged_and_unknown_ones_change_nothing(sandbox: Sandbox) -> None:
    """A known value is taken, an unknown name or value is 400 and leaves all as it was."""
    assert sandbox.control("settings", yookassa_recurring=False)["yookassa_recurring"] is False
    for body in (
        {"webhooks": "drop", "nonsense": 1},
        {"webhooks": "sometimes"},
        {"yookassa_recurring": "no"},
    ):
        answer = requests.post(f"{sandbox.url}/control/settings", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] in {"UNKNOWN_SETTING", "BAD_VALUE"}
    settings = requests.get(f"{sandbox.url}/control/settings").json()["settings"]
    assert (settings["webhooks"], settings["yookassa_recurring"]) == ("normal", False)


def test_reset_empties_books_mailbox_faults_settings_and_clock(sandbox: Sandbox, shop: Shop) -> None:
    """After a reset the sandbox is as new, and ids are still not given out again."""
    payment = shop.pay()
    requests.post(f"{sandbox.url}/mailbox", data=LETTER.encode())
    sandbox.control("settings", webhooks="drop")
    sandbox.control("faults", gateway="yookassa", operation="create_payment", fault="http_500", times=3)
    sandbox.control("clock", advance="40d")
    sandbox.control("reset")
    ledger = sandbox.ledger()
    assert [ledger["payments"], ledger["notifications"]] == [[], []]
    assert requests.get(f"{sandbox.url}/control/mailbox").json() == {"letters": []}
    assert requests.get(f"{sandbox.url}/control/faults").json() == {"faults": []}
    assert requests.get(f"{sandbox.url}/control/settings").json()["settings"]["webhooks"] == "normal"
    assert requests.get(f"{sandbox.url}/control/clock").json()["offset_seconds"] == 0
    assert shop.call("GET", f"/payments/{payment['id']}").status_code == 404


def test_only_this_machine_may_drive_the_sandbox() -> None:
    """A request from another address is refused by control and page, not by the gateways."""
    app = create_sandbox()
    client = app.test_client()
    far = {"REMOTE_ADDR": "203.0.113.7"}
    for path in ("/control/ledger", "/control/mailbox", "/control/settings", "/"):
        assert client.get(path, environ_base=far).status_code == 403
        assert client.get(path, environ_base={"REMOTE_ADDR": "127.0.0.1"}).status_code == 200
    for path in ("/control/reset", "/control/clock", "/mailbox", "/clock"):
        assert client.post(path, environ_base=far, data=LETTER.encode()).status_code == 403
    assert client.get("/yookassa/v3/me", environ_base=far).status_code == 401
    app.extensions["sandbox"].stop()


@pytest.mark.parametrize(
    "headers",
    (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ),
)
def test_a_foreign_page_in_a_browser_here_may_not_drive_the_sandbox(
    sandbox: Sandbox, headers: dict[str, str]
) -> None:
    """Neither another origin nor a foreign name that resolves to loopback moves the clock."""
    for path, body in (("/clock", {"advance": "27d"}), ("/control/reset", {})):
        answer = requests.post(f"{sandbox.url}{path}", data=body, headers=headers, allow_redirects=False)
        assert answer.status_code == 403
    assert requests.get(f"{sandbox.url}/control/clock").json()["offset_seconds"] == 0


def test_the_page_shows_what_happened_and_moves_the_clock(sandbox: Sandbox, shop: Shop) -> None:
    """Ledger, notifications and letters are on it, and its own form advances the time."""
    payment = shop.pay("order-77")
    sandbox.control("pay", gateway="yookassa", transaction_id="order-77", card="5555555555554444")
    requests.post(f"{sandbox.url}/mailbox", data=LETTER.encode())
    answer = requests.post(
        f"{sandbox.url}/clock",
        data={"advance": "27d"},
        headers={"Origin": sandbox.url},
        allow_redirects=False,
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/#clock")
    page = requests.get(f"{sandbox.url}/").text
    assert payment["id"] in page
    assert "order-77" in page
    assert "payment.succeeded" in page
    assert "впереди на 27 д" in page
    assert '<a href="http://127.0.0.1:8000/x?a=1&amp;b=2">' in page
    assert "Всё &lt;b&gt;" in page


def test_letters_are_read_and_their_links_found(sandbox: Sandbox) -> None:
    """Headers are decoded, links cut from their sentence, and one person's letters can be asked for."""
    assert requests.post(f"{sandbox.url}/mailbox", data=LETTER.encode()).status_code == 200
    url = f"{sandbox.url}/control/mailbox"
    letter = requests.get(url, params={"to": "ANNA@example.com"}).json()["letters"][0]
    assert letter["subject"] == "Письмо"
    assert letter["to"] == ["anna@example.com", "boris@example.com"]
    assert letter["links"] == ["http://127.0.0.1:8000/x?a=1&b=2"]
    assert requests.get(url, params={"to": "eve@example.com"}).json()["letters"] == []
    assert requests.post(f"{sandbox.url}/mailbox", data=b"").status_code == 400


@pytest.mark.parametrize(
    ("header", "said"),
    (
        (b"=?utf-8?b?0J/RgA==?=\r\n =?utf-8?q?=D0=B8?= x", "При x"),
        ("Привет".encode(), "Привет"),
        (b"one\r\n two", "one two"),
        (b"=?no-such-charset?q?x?=", "=?no-such-charset?q?x?="),
        ("Счёт =?".encode(), "Счёт =?"),
    ),
)
def test_a_subject_is_read_however_it_is_written(sandbox: Sandbox, header: bytes, said: str) -> None:
    """Encoded, folded, not encoded at all, in letters that nobody knows: a person sees what can be shown."""
    requests.post(f"{sandbox.url}/mailbox", data=b"To: a@example.com\r\nSubject: " + header + b"\r\n\r\nx")
    assert requests.get(f"{sandbox.url}/control/mailbox").json()["letters"][0]["subject"] == said


def test_a_letter_with_two_bodies_shows_its_text(sandbox: Sandbox) -> None:
    """Of text and HTML the text is read; both are kept."""
    raw = (
        b"To: a@example.com\nSubject: x\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/alternative; boundary=b\n\n"
        b"--b\nContent-Type: text/plain\n\nplain http://127.0.0.1/1\n"
        b"--b\nContent-Type: text/html\n\n<a href='http://127.0.0.1/2'>x</a>\n--b--\n"
    )
    requests.post(f"{sandbox.url}/mailbox", data=raw)
    letter = requests.get(f"{sandbox.url}/control/mailbox").json()["letters"][0]
    assert letter["text"].startswith("plain")
    assert letter["links"] == ["http://127.0.0.1/1"]
    assert "<a" in letter["html"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    (
        ("pay", {"gateway": "paypal", "transaction_id": "x", "card": "4111111111111111"}, "UNKNOWN_GATEWAY"),
        ("pay", {"gateway": "yookassa", "card": "4111111111111111"}, "MISSING_FIELD"),
        (
            "pay",
            {"gateway": "yookassa", "transaction_id": "x", "card": "4111111111111111"},
            "UNKNOWN_PAYMENT",
        ),
        ("refund", {"gateway": "yookassa", "transaction_id": "x"}, "UNKNOWN_PAYMENT"),
        ("cards", {"payment_method_id": "x", "outcome": "success"}, "UNKNOWN_METHOD"),
        (
            "faults",
            {"gateway": "yookassa", "operation": "create_payment", "fault": "meteor"},
            "UNKNOWN_FAULT",
        ),
        ("faults", {"gateway": "yookassa", "operation": "fly", "fault": "http_500"}, "UNKNOWN_OPERATION"),
        ("faults", {"gateway": "yookassa", "fault": "http_500", "times": 0}, "BAD_VALUE"),
        ("clock", {"advance": "soon"}, "BAD_DURATION"),
        ("clock", {"advance": "99999999d"}, "BAD_DURATION"),
        ("clock", {"to": "tomorrow"}, "BAD_TIME"),
    ),
)
def test_orders_that_make_no_sense_say_why(sandbox: Sandbox, path: str, body: Any, code: str) -> None:
    """Every refusal is JSON with a code and a sentence."""
    answer = requests.post(f"{sandbox.url}/control/{path}", json=body)
    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["code"] == code


def test_notification_addresses_follow_the_portal_or_the_settings(
    start_sandbox: Callable[..., Sandbox], merchant: Merchant
) -> None:
    """A portal gives default addresses; a base, a template or a map overrides them; empty is nowhere."""
    world = start_sandbox(portal="http://127.0.0.1:9/").world
    assert world.notification_url("yookassa", "x") == "http://127.0.0.1:9/billing/webhook/yookassa/"
    assert world.notification_url("cloudpayments", "pay").endswith(":9/billing/webhook/cloudpayments/pay/")
    world.settings.merge({"cloudpayments_notify": "http://127.0.0.1/a?k={kind}", "yookassa_notify": ""})
    assert world.notification_url("cloudpayments", "pay") == "http://127.0.0.1/a?k=pay"
    assert world.notification_url("yookassa", "x") is None
    world.settings.merge({"cloudpayments_notify": {"pay": "http://127.0.0.1/only", "check": None}})
    assert world.notification_url("cloudpayments", "pay") == "http://127.0.0.1/only"
    assert world.notification_url("cloudpayments", "check") is None
    assert world.notification_url("cloudpayments", "fail").endswith("/cloudpayments/fail/")
    alone = start_sandbox().world
    assert alone.notification_url("yookassa", "x") is None

from __future__ import annotations

import base64
import json
import logging
import threading
from copy import deepcopy
from pathlib import Path

import pytest
from yookassa import Configuration

from portal.gateways.base import (
    Credentials,
    GatewayClosed,
    GatewayError,
    GatewayForbidden,
    GatewayRejected,
)
from portal.gateways.yookassa import build_yookassa_payment_payload
from portal.gateways.yookassa.transport import Transport
from tests.gateways.stage import an_order, answer
from tests.gateways.yookassa_transport_stage import (
    BODY,
    PAYLOADS,
    PAYMENT,
    Start,
    a_transport,
    an_error,
)


def test_the_body_goes_out_exactly_as_it_was_built(start_server: Start) -> None:
    """The SDK adds nothing to the metadata on the wire and changes nothing in our dict."""
    server = start_server(answer(200, PAYMENT))
    payload = build_yookassa_payment_payload(an_order())
    before = deepcopy(payload)
    transport = a_transport(server.url)

    transport.post("/payments", "key", payload)
    transport.post("/payments", "key", payload)

    assert payload == before
    assert server.seen[0].json == before
    assert server.seen[0].body == server.seen[1].body
    assert (server.seen[0].method, server.seen[0].target) == ("POST", "/v3/payments")
    assert server.seen[0].headers["content-type"] == "application/json"
    assert "YooKassa.Python/3.13.0" in server.seen[0].headers["ym-user-agent"]


def test_the_machines_netrc_and_proxies_are_not_read(
    start_server: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed_port: int
) -> None:
    """The credentials sent are ours, whatever ~/.netrc and HTTP_PROXY say."""
    server = start_server(answer(200, PAYMENT))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login stranger password hunter2\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")

    a_transport(server.url).get("/me")

    assert server.seen[0].headers["authorization"] == "Basic " + base64.b64encode(b"100500:test_key").decode()


def test_two_shops_in_one_process_never_mix(start_server: Start) -> None:
    """Many threads, two shops: every request carries the id and the key of its own shop, and no global
    changes.
    """
    server = start_server(answer(200, {"id": "x"}))
    Configuration.account_id, Configuration.secret_key = "global", "global-key"
    before = {name: value for name, value in vars(Configuration).items() if not name.startswith("__")}
    shops = [Transport(Credentials(f"shop{n}", f"key{n}", api_url=f"{server.url}/{n}")) for n in (1, 2)]

    def ask(number: int) -> None:
        for _turn in range(10):
            shops[number].get("/me")

    threads = [threading.Thread(target=ask, args=(n % 2,)) for n in range(6)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {n: v for n, v in vars(Configuration).items() if not n.startswith("__")} == before
    finally:
        Configuration.account_id = Configuration.secret_key = None

    assert len(server.seen) == 60
    for request in server.seen:
        number = request.target[1]
        sent = base64.b64decode(request.headers["authorization"].removeprefix("Basic "))
        assert sent == f"shop{number}:key{number}".encode()


def test_blanks_around_the_credentials_are_not_sent(start_server: Start) -> None:
    """A pasted newline would be answered "Login has illegal format"."""
    server = start_server(answer(200, {"id": "x"}))

    Transport(Credentials(" 100500\n", "test_key ", api_url=f"{server.url}/v3/")).get("/me")

    assert server.seen[0].headers["authorization"] == "Basic " + base64.b64encode(b"100500:test_key").decode()
    assert server.seen[0].target == "/v3/me"


@pytest.mark.parametrize(("shop", "secret"), (("", "key"), ("100500", ""), (" ", "\n")))
def test_a_shop_without_credentials_is_closed(shop: str, secret: str) -> None:
    """Nothing is ever sent with an empty key."""
    with pytest.raises(GatewayClosed):
        Transport(Credentials(shop, secret))


def test_the_sdks_logger_never_sees_a_request(start_server: Start, caplog: pytest.LogCaptureFixture) -> None:
    """A logger set anywhere in the process would be given the Authorization header; ours is not asked."""
    server = start_server(answer(200, PAYMENT))
    Configuration.configure_logger(logging.getLogger("sdk"))
    try:
        with caplog.at_level(logging.DEBUG):
            a_transport(server.url).post("/payments", "key", BODY)
    finally:
        Configuration.logger = None

    assert not [record for record in caplog.records if record.name == "sdk"]
    assert "test_key" not in caplog.text


def test_what_the_gateway_said_is_kept_for_the_operator(start_server: Start) -> None:
    """Description and parameter of a refusal are kept, printable and of bounded length; the customer's
    sentence is ours.
    """
    told = an_error("invalid_request", description="Why\r\nnot " + "x" * 1000, parameter="receipt")
    server = start_server(answer(400, told))

    with pytest.raises(GatewayRejected) as caught:
        a_transport(server.url).post("/payments", "key", BODY)

    assert caught.value.parameter == "receipt"
    assert caught.value.detail.startswith("Why  not x")
    assert len(caught.value.detail) == 300
    assert caught.value.message == GatewayRejected.message


def test_a_refusal_of_recurring_payments_is_the_seeds_error(
    start_server: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """HTTP 403 becomes YOOKASSA_FORBIDDEN with status 403 and the seed's sentence, and a line in the log."""
    server = start_server(answer(403, (PAYLOADS / "error-recurring-forbidden.json").read_bytes()))

    with pytest.raises(GatewayForbidden) as caught:
        a_transport(server.url).post("/payments", "key", BODY)

    assert (caught.value.code, caught.value.status) == ("YOOKASSA_FORBIDDEN", 403)
    assert (
        caught.value.message
        == "Платёжная система временно недоступна. Попробуйте позже или свяжитесь с поддержкой."
    )
    assert "YOOKASSA_FORBIDDEN" in caplog.text
    assert "recurring" in caught.value.detail


@pytest.mark.parametrize(
    ("move", "seconds"),
    (
        (answer(202, json.loads((PAYLOADS / "processing.json").read_text())), 1.8),
        (answer(429, an_error("too_many_requests", retry_after=2500)), 2.5),
        (answer(429, an_error("too_many_requests"), Retry_After="7"), 7),
        (answer(429, an_error("too_many_requests", retry_after=-1)), None),
        (answer(429, an_error("too_many_requests", retry_after="soon"), Retry_After="tomorrow"), None),
    ),
)
def test_the_time_to_wait_is_told_in_seconds(move: bytes, seconds: float | None, start_server: Start) -> None:
    """YooKassa writes milliseconds in the body; a header is seconds; nonsense is nothing."""
    with pytest.raises(GatewayError) as caught:
        a_transport(start_server(move).url).post("/payments", "key", BODY)

    assert caught.value.retry_after == seconds

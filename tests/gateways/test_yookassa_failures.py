from __future__ import annotations

import json
import ssl
import time
from typing import Any

import pytest
from yookassa import Configuration
from yookassa.client import ApiClient

from portal.gateways.base import (
    GatewayError,
    GatewayForbidden,
    GatewayRejected,
    GatewayThrottled,
    GatewayUnknown,
)
from portal.gateways.yookassa.transport import NoSuchObject
from tests.gateways.stage import answer
from tests.gateways.yookassa_transport_stage import (
    BODY,
    PATIENT,
    PAYLOADS,
    PAYMENT,
    QUICK,
    Start,
    a_transport,
    an_error,
)

# The SDK's error table: what a server does, and what the portal makes of it over http and
# https alike.
DROPPED = b""
TABLE = (
    pytest.param(answer(400, an_error("invalid_request")), GatewayRejected, id="400"),
    pytest.param(answer(401, an_error("invalid_credentials")), GatewayRejected, id="401"),
    pytest.param(answer(403, an_error("forbidden")), GatewayForbidden, id="403"),
    pytest.param(answer(404, an_error("not_found")), NoSuchObject, id="404"),
    pytest.param(answer(405), GatewayRejected, id="405 empty"),
    pytest.param(answer(410, an_error("gone")), GatewayRejected, id="410"),
    pytest.param(answer(415), GatewayRejected, id="415 empty"),
    pytest.param(answer(429, an_error("too_many_requests")), GatewayThrottled, id="429"),
    pytest.param(answer(429, "slow down", Retry_After="3"), GatewayThrottled, id="429 with Retry-After"),
    pytest.param(answer(500, an_error("internal_server_error")), GatewayUnknown, id="500"),
    pytest.param(answer(500), GatewayUnknown, id="500 empty"),
    pytest.param(answer(502, "<html>Bad Gateway</html>"), GatewayUnknown, id="502 of a proxy"),
    pytest.param(answer(503, an_error("x"), Retry_After="1"), GatewayUnknown, id="503 with Retry-After"),
    pytest.param(answer(409, an_error("conflict")), GatewayUnknown, id="409"),
    pytest.param(answer(422, an_error("odd")), GatewayUnknown, id="422"),
    pytest.param(answer(400, "<html>"), GatewayUnknown, id="400 of a proxy"),
    pytest.param(answer(403, "<html>"), GatewayForbidden, id="403 of a proxy"),
    pytest.param(answer(403), GatewayForbidden, id="403 empty"),
    pytest.param(answer(403, ["not", "an", "object"]), GatewayForbidden, id="403 with a list"),
    pytest.param(answer(404), GatewayUnknown, id="404 empty"),
    pytest.param(answer(400, ["not", "an", "object"]), GatewayUnknown, id="400 with a list"),
    pytest.param(answer(201, PAYMENT), GatewayUnknown, id="201"),
    pytest.param(answer(204), GatewayUnknown, id="204"),
    pytest.param(
        answer(202, json.loads((PAYLOADS / "processing.json").read_text())), GatewayUnknown, id="202"
    ),
    pytest.param(answer(200), GatewayUnknown, id="200 empty"),
    pytest.param(answer(200, "<html>"), GatewayUnknown, id="200 of a proxy"),
    pytest.param(answer(200, "[]"), GatewayUnknown, id="200 with a list"),
    pytest.param(answer(200, "[" * 100_000), GatewayUnknown, id="200 nested too deeply"),
    pytest.param(answer(200, '{"amount": %s}' % ("9" * 5000)), GatewayUnknown, id="200 with a huge number"),
    pytest.param(answer(200, b'{"id": "\xff"}'), GatewayUnknown, id="200 in broken UTF-8"),
    pytest.param(answer(200, PAYMENT)[:-20], GatewayUnknown, id="200 cut short"),
    pytest.param(answer(200, b"junk", Content_Encoding="gzip"), GatewayUnknown, id="200 that is not gzip"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc", GatewayUnknown, id="cut in a chunk"
    ),
    pytest.param(b"\x00\x01garbage\r\n\r\n", GatewayUnknown, id="no HTTP at all"),
    pytest.param(DROPPED, GatewayUnknown, id="dropped"),
    pytest.param(None, GatewayUnknown, id="silence"),
)


@pytest.mark.parametrize("scheme", ("http", "https"))
@pytest.mark.parametrize(("move", "expected"), TABLE)
def test_every_failure_says_what_may_have_happened_to_money(
    move: bytes | None,
    expected: type[GatewayError],
    scheme: str,
    start_server: Start,
    authority: tuple[ssl.SSLContext, str],
) -> None:
    """Refused, throttled or unknown: no failure is anything else, and nothing is sent a second time."""
    context, ca_file = authority
    server = start_server(move, tls=context if scheme == "https" else None)
    transport = a_transport(server.url, QUICK if move is None else PATIENT, ca_file)

    with pytest.raises(GatewayError) as caught:
        transport.post("/payments", "key-1", BODY)

    assert type(caught.value) is expected
    assert len(server.seen) == 1
    assert server.seen[0].headers["idempotence-key"] == "key-1"


def test_a_refused_connection_is_unknown(closed_port: int) -> None:
    """Nobody listening is told as unknown: the payment is asked about rather than guessed."""
    with pytest.raises(GatewayUnknown) as caught:
        a_transport(f"http://127.0.0.1:{closed_port}").post("/payments", "key", BODY)

    assert "ConnectionError" in caught.value.detail


def test_a_certificate_that_nobody_vouches_for_is_unknown(
    start_server: Start, authority: tuple[ssl.SSLContext, str]
) -> None:
    """Without the authority's file a self-signed server gets neither the key nor the request."""
    server = start_server(answer(200, PAYMENT), tls=authority[0])

    with pytest.raises(GatewayUnknown) as caught:
        a_transport(server.url).post("/payments", "key", BODY)

    assert "SSLError" in caught.value.detail
    assert server.seen == []


@pytest.mark.parametrize("url", ("ftp://127.0.0.1", "127.0.0.1:1", "http://"))
def test_a_mistyped_address_sends_nothing_and_says_so(url: str) -> None:
    """Where nothing can have been sent, nothing is left unknown."""
    with pytest.raises(GatewayRejected) as caught:
        a_transport(url).post("/payments", "key", BODY)

    assert "nothing was sent" in caught.value.detail


@pytest.mark.parametrize(
    "body",
    (
        BODY | {"amount": {"value": "0.00", "currency": "RUB"}},
        BODY | {"description": "x" * 129},
        BODY | {"amount": "990.00"},
    ),
)
def test_what_the_sdk_would_refuse_is_not_sent(body: dict[str, Any], start_server: Start) -> None:
    """The SDK's local checks run before the call, so their errors are never taken for an unknown outcome."""
    server = start_server(answer(200, PAYMENT))

    with pytest.raises(GatewayRejected) as caught:
        a_transport(server.url).post("/payments", "key", body)

    assert "nothing was sent" in caught.value.detail
    assert server.seen == []


def test_a_trickling_answer_is_not_waited_for_for_ever(start_server: Start) -> None:
    """One byte now and then would keep every single read alive; the body as a whole has its time."""
    server = start_server(answer(200, PAYMENT), trickle=0.1)
    began = time.monotonic()

    with pytest.raises(GatewayUnknown) as caught:
        a_transport(server.url, QUICK).post("/payments", "key", BODY)

    assert "too long" in caught.value.detail
    assert time.monotonic() - began < 3


def test_an_endless_answer_is_cut(start_server: Start) -> None:
    """A worker's memory is not the gateway's to fill."""
    server = start_server(answer(200, b" " * (9 * 1024 * 1024)))

    with pytest.raises(GatewayUnknown) as caught:
        a_transport(server.url).get("/payments")

    assert "too long" in caught.value.detail


@pytest.mark.parametrize("status", (301, 302, 303, 307, 308))
def test_a_redirect_is_not_followed(status: int, start_server: Start) -> None:
    """The key and the payment go to the configured address only."""
    elsewhere = start_server(answer(200, PAYMENT))
    server = start_server(answer(status, Location=f"{elsewhere.url}/v3/payments"))

    with pytest.raises(GatewayUnknown):
        a_transport(server.url).post("/payments", "key", BODY)

    assert elsewhere.seen == []
    assert len(server.seen) == 1


def test_the_sdk_alone_would_fail_these_promises(closed_port: int) -> None:
    """Control: the unwrapped client turns a refused connection into AttributeError, so the wrapping is still
    needed.
    """
    Configuration.configure("100500", "key", api_url=f"http://127.0.0.1:{closed_port}/v3")
    try:
        with pytest.raises(AttributeError):
            ApiClient().request("GET", "/me")
    finally:
        Configuration.configure(None, None)

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yookassa import Configuration
from yookassa.client import ApiClient

from portal.gateways.base import (
    Credentials,
    GatewayClosed,
    GatewayError,
    GatewayForbidden,
    GatewayRejected,
    GatewayThrottled,
    GatewayUnknown,
    Timeouts,
)
from portal.gateways.yookassa import build_yookassa_payment_payload
from portal.gateways.yookassa.transport import NoSuchObject, Transport
from tests.gateways.stage import BadServer, an_order, answer

PAYLOADS = Path(__file__).parents[1] / "payloads" / "yookassa"
PAYMENT = json.loads((PAYLOADS / "pending.json").read_text())
BODY = {"amount": {"value": "990.00", "currency": "RUB"}, "capture": True}
QUICK = Timeouts(connect=2, read=0.3)
PATIENT = Timeouts(connect=2, read=5)

Start = Callable[..., BadServer]


def a_transport(url: str, timeouts: Timeouts = PATIENT, ca_file: str | None = None) -> Transport:
    return Transport(
        Credentials("100500", "test_key", api_url=f"{url}/v3", timeouts=timeouts), ca_file=ca_file
    )


def an_error(code: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "error",
        "id": "019be80c-1dee-7fd2-8b7f-6ad874638be2",
        "code": code,
        "description": "Why",
    } | more


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A self-signed certificate for 127.0.0.1: the server's context and the file that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + pem)
    (folder / "ca.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, str(folder / "ca.pem")


# The SDK's error table (yookassa.md 9.4): what a server does, and what the portal makes of it over http and
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
    pytest.param(answer(403, "<html>"), GatewayUnknown, id="403 of a proxy"),
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

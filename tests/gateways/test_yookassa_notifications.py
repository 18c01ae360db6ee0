from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.gateways.wire import MalformedNotification
from portal.gateways.yookassa import YooKassaNotification, is_from_yookassa, read

PAYLOADS = Path(__file__).parents[1] / "payloads" / "yookassa"
PAYMENT = "22e18a2f-000f-5000-a000-1db6312b7767"


def a_body(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "expected"),
    (
        ("payment.succeeded", (PAYMENT, PAYMENT)),
        ("payment.canceled", ("24a40656-000f-5000-9000-134108dd5325",) * 2),
        (
            "refund.succeeded",
            ("216749f7-0016-50be-b000-078d43a63ae4", "21740069-000f-50be-b000-0486ffbf45b0"),
        ),
        ("payment_method.active", ("24e89cb0-000f-5000-9000-1de77fa0d6df", None)),
    ),
)
def test_a_notification_names_the_objects_to_read_back(name: str, expected: tuple[str, str | None]) -> None:
    """Of a payment its id, of a refund its own and its payment's, of a binding the method's."""
    assert read(a_body(f"{name}.json")) == YooKassaNotification(name, *expected)


@pytest.mark.parametrize(
    ("event", "id_"),
    (("payout.succeeded", "po-285e5ee7-0022-5000-8000-01516a44b147"), ("deal.closed", "dl-1")),
)
def test_an_event_that_we_did_not_ask_for_is_still_readable(event: str, id_: str) -> None:
    """It is answered 200 and forgotten; calling it malformed would bring it back for a day."""
    body = json.dumps({"type": "notification", "event": event, "object": {"id": id_}}).encode()

    assert read(body) == YooKassaNotification(event, id_, None)


def notified(event: Any = "payment.succeeded", told: Any = None, **more: Any) -> bytes:
    return json.dumps({"type": "notification", "event": event, "object": told} | more).encode()


@pytest.mark.parametrize(
    "raw",
    (
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="broken UTF-8"),
        pytest.param(b"event=payment.succeeded", id="a form"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 200_000, id="nested too deeply"),
        pytest.param(b'{"object":' * 100_000, id="nested objects"),
        pytest.param(b'{"event": ' + b"9" * 100_000 + b"}", id="a huge number"),
        pytest.param(notified(told={"id": PAYMENT}) + b" " * 1024 * 1024, id="too long"),
        pytest.param(notified(None), id="no event"),
        pytest.param(notified(1, {"id": PAYMENT}), id="a number for the event"),
        pytest.param(notified("payment", {"id": PAYMENT}), id="an event without a dot"),
        pytest.param(notified("payment.succeeded\n", {"id": PAYMENT}), id="a line break in the event"),
        pytest.param(notified("x" * 100 + ".y", {"id": PAYMENT}), id="a long event"),
        pytest.param(notified(told=None), id="no object"),
        pytest.param(notified(told=PAYMENT), id="text for the object"),
        pytest.param(notified(told={}), id="no id"),
        pytest.param(notified(told={"id": 1}), id="a number for the id"),
        pytest.param(notified(told={"id": PAYMENT + "\n"}), id="an id and a line break"),
        pytest.param(notified(told={"id": PAYMENT.upper()}), id="an id in capitals"),
        pytest.param(notified(told={"id": "../me?x=1#"}), id="a path for the id"),
        pytest.param(notified(told={"id": "２" * 8 + PAYMENT[8:]}), id="an id of full-width digits"),
        pytest.param(notified("refund.succeeded", {"id": PAYMENT}), id="a refund without a payment"),
        pytest.param(
            notified("refund.succeeded", {"id": PAYMENT, "payment_id": "x"}), id="a refund of nothing"
        ),
        pytest.param(notified("deal.closed", {"id": "../me"}), id="a path for a foreign id"),
        pytest.param(notified(told={"id": PAYMENT}, type="error"), id="another type"),
        pytest.param(b'{"event":"a.b","event":"c.d","object":{"id":"x"}}', id="a name twice"),
    ),
)
def test_a_malformed_body_is_told_so_and_nothing_else(raw: bytes) -> None:
    """Anybody can send anything; the only error is MalformedNotification."""
    with pytest.raises(MalformedNotification):
        read(raw)


@given(
    raw=st.binary(max_size=200)
    | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    """Arbitrary bytes are a notification or malformed."""
    try:
        read(raw)
    except MalformedNotification:
        return


# Edges of every documented network, and their neighbours.
@pytest.mark.parametrize(
    ("address", "expected"),
    (
        ("185.71.76.0", True),
        ("185.71.76.31", True),
        ("185.71.76.32", False),
        ("185.71.77.31", True),
        ("185.71.75.255", False),
        ("77.75.153.127", True),
        ("77.75.153.128", False),
        ("77.75.154.128", True),
        ("77.75.154.127", False),
        ("77.75.156.11", True),
        ("77.75.156.12", False),
        ("77.75.156.35", True),
        ("2a02:5180::1", True),
        ("2a02:5180:ffff::1", True),
        ("2a02:5181::1", False),
        ("::ffff:185.71.76.1", True),
        ("::ffff:185.71.78.1", False),
        ("127.0.0.1", False),
        ("", False),
        ("unknown", False),
        ("185.71.76.1, 8.8.8.8", False),
        ("185.71.76.1:443", False),
        ("185.71.76.01", False),
        ("１85.71.76.1", False),
        ("185.71.76", False),
        ("2a02:5180::1%eth0", True),
    ),
)
def test_only_the_documented_networks_are_trusted(address: str, expected: bool) -> None:
    """Addresses inside the documented networks count, also in IPv6's clothes; garbage is nobody's."""
    assert is_from_yookassa(address) is expected


def test_the_networks_are_the_operators_to_choose() -> None:
    """A simulator's notifications come from loopback; an empty list trusts nobody; a mistyped one is an
    error.
    """
    assert is_from_yookassa("::ffff:127.0.0.1", ["127.0.0.0/8"])
    assert is_from_yookassa("::1", ["::1"])
    assert not is_from_yookassa("185.71.76.1", [])
    with pytest.raises(ValueError, match="300"):
        is_from_yookassa("127.0.0.1", ["300.0.0.0/8"])

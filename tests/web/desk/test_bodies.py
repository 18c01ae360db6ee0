"""What of a notification's body an operator may read: real bodies, and bodies made to leak."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from portal.admin import bodies
from portal.models import GatewayName, WebhookEvent

PAYLOADS = Path(__file__).parents[2] / "payloads"
FORM = "application/x-www-form-urlencoded"


def event(gateway: str, kind: str, raw: bytes, content_type: str = FORM) -> WebhookEvent:
    return WebhookEvent(gateway=GatewayName(gateway), kind=kind, raw_payload=raw, content_type=content_type)


def shown(found: WebhookEvent) -> dict[str, str]:
    """Value by path."""
    lines = bodies.lines(found)
    assert lines is not None
    return {line.name: line.value for line in lines}


@pytest.mark.parametrize("name", ("pay.form", "pay.json", "pay-sbp.form", "fail.form", "confirm.form"))
def test_cloudpayments_bodies_keep_their_token(name: str) -> None:
    """Sum, card's first six and last four, reason and merchant's data are read; the token is not."""
    raw = (PAYLOADS / "cloudpayments" / name).read_bytes()
    media = "application/json" if name.endswith("json") else FORM

    told = shown(event("cloudpayments", "pay", raw, media))

    assert told["TransactionId"] == "3355303842"
    assert told["Amount"] in {"10.00", "10.0"}
    assert told["Token"] == "•••• (32 зн.)"
    assert "tk_" not in " ".join(told.values())
    if "sbp" not in name:
        assert (told["CardFirstSix"], told["CardLastFour"]) == ("220432", "7233")
    if name.startswith("pay"):
        assert told["Data.tariffCode"] == "STANDARD"


def test_a_saved_method_s_id_is_a_token_too() -> None:
    """YooKassa charges by the method's id, so it is hidden, wherever the method stands."""
    read = (PAYLOADS / "yookassa" / "payment.succeeded.json").read_bytes
    told = shown(event("yookassa", "payment.succeeded", read()))
    assert told["object.amount.value"] == "2.00"
    assert told["object.payment_method.card.last4"] == "4444"
    assert told["object.payment_method.id"].startswith("••••")

    read = (PAYLOADS / "yookassa" / "payment_method.active.json").read_bytes
    told = shown(event("yookassa", "payment_method.active", read()))
    assert told["object.id"].startswith("••••")
    assert told["object.status"] == "active"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    (
        ("Description", "карта 4242 4242 4242 4242, спасибо", "карта 424242••••••4242, спасибо"),
        ("Name", "5555555555554444", "555555••••••4444"),
        ("CardCryptogramPacket", "01424242424202ab", "•••• (16 зн.)"),
        ("client_secret", "x", "•••• (1 зн.)"),
        ("SomethingNew", "c2VjcmV0LXNlY3JldC1zZWNyZXQ", "•••• (27 зн.)"),
        ("SomethingNew", "два слова", "два слова"),
        ("FiscalNumber", "9999078900000001", "9999078900000001"),
        ("Description", "заказ 1234567890123456", "заказ 1234567890123456"),  # no card: Luhn says so
        ("Data", '{"a": {"apiKey": "12"}}', None),
    ),
)
def test_what_could_be_used_is_hidden_under_any_name(name: str, value: str, expected: str | None) -> None:
    """By its name, by its looks under a name that nobody knows, or as a card's number inside any text."""
    told = shown(event("cloudpayments", "pay", urlencode({name: value}).encode()))
    if expected is None:
        assert told == {"Data.a.apiKey": "•••• (2 зн.)"}
    else:
        assert told == {name: expected}


def test_the_same_inside_json() -> None:
    """A secret is hidden at any depth, in lists as well."""
    raw = json.dumps({"event": "x.y", "object": {"list": [{"access_token": "abc"}, "4111111111111111"]}})
    told = shown(event("yookassa", "x.y", raw.encode()))
    assert told["object.list.1.access_token"] == "•••• (3 зн.)"
    assert told["object.list.2"].startswith("••••")


def test_a_body_that_cannot_be_read_is_not_shown_at_all() -> None:
    """Bytes that are no form and no JSON could hold anything."""
    assert bodies.lines(event("cloudpayments", "unreadable", b"Token=%ff", FORM)) is None
    assert bodies.lines(event("yookassa", "unreadable", b"[1]")) is None

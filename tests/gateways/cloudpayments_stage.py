"""CloudPayments' answers and notifications for the tests of its room."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from portal.gateways.base import (
    Credentials,
    Timeouts,
)
from portal.gateways.cloudpayments import CloudPayments, CloudPaymentsNotification, Kind, read
from tests.gateways.stage import BadServer, answer

PAYLOADS = Path(__file__).parents[1] / "payloads" / "cloudpayments"
PATIENT, QUICK = Timeouts(connect=2, read=5), Timeouts(connect=2, read=0.3)
ID = "897749645"


Start = Callable[..., BadServer]


def a_gateway(server: BadServer, timeouts: Timeouts = PATIENT) -> CloudPayments:
    return CloudPayments(Credentials("pk_1", "секрет", api_url=server.url, timeouts=timeouts))


def a_payload(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return told


def an_envelope(success: bool = True, **model: Any) -> bytes:
    return answer(
        200, {"Model": a_payload("transaction")["Model"] | model, "Success": success, "Message": None}
    )


NOT_FOUND = answer(200, a_payload("not-found"))


def a_list(*models: dict[str, Any]) -> bytes:
    return answer(
        200, {"Model": [a_payload("transaction")["Model"] | model for model in models], "Success": True}
    )


FORM = "application/x-www-form-urlencoded"
KINDS = [kind.value for kind in Kind]


def a_body(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def changed(name: str, **fields: str | None) -> bytes:
    """A payload with some fields set, or left out where ``None``."""
    body = dict(parse_qsl(a_body(name).decode(), keep_blank_values=True)) | fields
    return urlencode({key: value for key, value in body.items() if value is not None}).encode()


def read_form(raw: bytes, kind: str | None = None) -> CloudPaymentsNotification:
    return read(raw, FORM, kind=kind)

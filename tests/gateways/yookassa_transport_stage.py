"""Bare requests to YooKassa for the tests of its transport."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portal.gateways.base import (
    Credentials,
    Timeouts,
)
from portal.gateways.yookassa.transport import Transport
from tests.gateways.stage import BadServer

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

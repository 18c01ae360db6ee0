"""YooKassa's answers for the tests of its room."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portal.gateways.base import (
    Credentials,
    Timeouts,
)
from portal.gateways.yookassa import YooKassa
from tests.gateways.stage import BadServer, answer

PAYLOADS = Path(__file__).parents[1] / "payloads" / "yookassa"
ID = "22e18a2f-000f-5000-a000-1db6312b7767"
OTHER_ID = "30ea8d53-000f-5001-9000-1c965a6160df"


Start = Callable[..., BadServer]


def a_payload(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return told


def a_gateway(server: BadServer) -> YooKassa:
    return YooKassa(Credentials("100500", "key", api_url=f"{server.url}/v3", timeouts=Timeouts(2, 5)))


def a_payment(reference: str | None = None, **changes: Any) -> dict[str, Any]:
    told = a_payload("succeeded") | changes
    return told | {"metadata": {"payment_id": reference, "user_id": "17"}} if reference else told


def a_page(*items: dict[str, Any], cursor: str | None = None) -> bytes:
    return answer(200, {"type": "list", "items": list(items)} | ({"next_cursor": cursor} if cursor else {}))

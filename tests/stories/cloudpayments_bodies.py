"""What CloudPayments would send: observed bodies with an order of ours in them, encoded and signed alike."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, quote_plus

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
SECRET = "sandbox-api-secret"
KINDS = ("check", "pay", "fail", "confirm", "refund", "cancel", "recurrent", "receipt")

_PAYLOADS = Path(__file__).parents[1] / "payloads" / "cloudpayments"


@cache
def _observed(name: str) -> tuple[tuple[str, str], ...]:
    """An observed body, its fields in the order in which they came."""
    text = (_PAYLOADS / f"{name}.form").read_text(encoding="utf-8").strip()
    return tuple(parse_qsl(text, keep_blank_values=True))


def fields(name: str, **changes: str | None) -> dict[str, str]:
    """An observed notification with some values changed in place; ``None`` leaves a field out."""
    told = dict(_observed(name))
    return {key: value for key, value in (told | changes).items() if value is not None}


def net_urlencode(text: str) -> str:
    """Percent-encode as .NET does: lower-case hex, plus for a space (cloudpayments.md 3.7)."""
    quoted = quote_plus(text, safe="-_.!*()", encoding="utf-8").replace("~", "%7e")
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


def form(told: dict[str, str]) -> bytes:
    """The body as a form."""
    return "&".join(f"{name}={net_urlencode(value)}" for name, value in told.items()).encode()


def parsed(raw: bytes) -> dict[str, str]:
    """The fields of a form."""
    return dict(parse_qsl(raw.decode(), keep_blank_values=True))


def as_json(told: dict[str, str]) -> bytes:
    """The body as JSON: ids and amounts as numbers written the way they are, TestMode as a flag."""
    parts = []
    for name, value in told.items():
        if name in {"Amount", "TransactionId", "PaymentTransactionId", "ReasonCode"} and value:
            written = value
        elif name == "TestMode":
            written = "true" if value == "1" else "false"
        else:
            written = json.dumps(value, ensure_ascii=False)
        parts.append(f"{json.dumps(name)}:{written}")
    return ("{" + ",".join(parts) + "}").encode()


def content_hmac(raw: bytes, secret: str = SECRET) -> str:
    """CloudPayments' own signature of these bytes."""
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()


def relay_signature(told: dict[str, str], secret: str = SECRET) -> str:
    """The seed's signature: hex over the values in the order of their names, each followed by a semicolon."""
    message = "".join(f"{told[name]};" for name in sorted(told) if name != "Signature")
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()

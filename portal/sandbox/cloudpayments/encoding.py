"""How CloudPayments writes a notification down: form encoding, JSON, and the two signature headers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus, unquote_plus

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_ESCAPE = re.compile(r"%[0-9A-F]{2}")


def net_urlencode(text: str, encoding: str = "utf-8") -> str:
    """Encode like .NET's ``HttpUtility.UrlEncode``: space is ``+``, hex is lower case, ``-_.!*()`` stay.

    Raw bodies of real notifications were written this way, which is why a receiver must never re-encode
    what it parsed before checking ``Content-HMAC``. Characters the encoding lacks are sent as ``?``.
    """
    quoted = quote_plus(text, safe="-_.!*()", encoding=encoding, errors="replace").replace("~", "%7e")
    return _ESCAPE.sub(lambda match: match.group(0).lower(), quoted)


def form_body(fields: Mapping[str, str], encoding: str = "utf-8") -> str:
    """Join the fields in their own order as ``key=value&key=value``; the result is pure ASCII."""
    return "&".join(f"{name}={net_urlencode(value, encoding)}" for name, value in fields.items())


def mac(secret: str, message: bytes) -> str:
    """Return base64 of HMAC-SHA256 over the message, the key being the API Secret in UTF-8."""
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def signature_headers(
    secret: str, message: str, content_type: str = FORM, encoding: str = "utf-8"
) -> dict[str, str]:
    """Return both documented headers for a body (POST) or a query string without ``?`` (GET).

    ``Content-HMAC`` covers the text as it travels, ``X-Content-HMAC`` the URL-decoded text in the same order.
    A JSON body has nothing to decode, so there the two are equal (CloudPayments, "Проверка уведомлений").
    """
    decoded = unquote_plus(message, encoding=encoding, errors="replace") if content_type == FORM else message
    return {
        "X-Content-HMAC": mac(secret, decoded.encode("utf-8")),
        "Content-HMAC": mac(secret, message.encode("utf-8")),
    }


_INTEGERS = frozenset({"TransactionId", "PaymentTransactionId", "FallBackScenarioDeclinedTransactionId",
                       "ReasonCode", "StatusCode", "Period", "MaxPeriods", "SuccessfulTransactionsNumber",
                       "FailedTransactionsNumber"})  # fmt: skip
_AMOUNTS = frozenset({"Amount", "TotalFee"})


def json_body(fields: Mapping[str, str]) -> str:
    """Write the fields as a JSON object for shops that chose "POST + JSON".

    Which values are numbers there is not documented; the sandbox sends ids, counters and sums as numbers
    (with their two decimals), ``TestMode`` as a boolean, and everything else as a string.
    """
    return (
        "{" + ",".join(f"{_quoted(name)}:{_json_value(name, value)}" for name, value in fields.items()) + "}"
    )


def _json_value(name: str, value: str) -> str:
    if name in _INTEGERS | _AMOUNTS:
        return value or "null"
    if name in {"TestMode", "RequireConfirmation"}:
        return "true" if value == "1" else "false"
    return _quoted(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def in_order(fields: Mapping[str, str], order: Iterable[str]) -> dict[str, str]:
    """Return the fields arranged in the given order; a name missing from ``fields`` is left out."""
    return {name: fields[name] for name in order if name in fields}

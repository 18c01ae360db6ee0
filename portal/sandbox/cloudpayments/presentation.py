"""How the CloudPayments pages look from outside: sums for a person, and who may frame them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Response

_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; frame-ancestors *; form-action {targets}"
)


def money(doc: dict[str, Any]) -> str:
    """Return a sum as a Russian reader expects it: ``11 880,00 ₽`` with no-break spaces."""
    text = f"{Decimal(doc['amount']):,.2f}".replace(",", "\u00a0").replace(".", ",")
    return f"{text}\u00a0{_SIGNS.get(doc['currency'], doc['currency'])}"


def framed(response: Response) -> Response:
    """Let any site frame a page, and let the page itself load nothing from elsewhere."""
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", content_policy("'self'"))
        response.headers["Cache-Control"] = "no-store"
    return response


def content_policy(form_targets: str) -> str:
    """Return the policy of a page whose forms may go to the given sources."""
    return _POLICY.format(targets=form_targets)

"""Pieces of YooKassa's objects: money, and fields in the documented order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

_ORDER = (
    "id", "type", "saved", "status", "paid", "payment_id", "amount", "income_amount", "authorization_details",
    "captured_at", "confirmation", "created_at", "expires_at", "description", "metadata", "payment_method",
    "recipient", "refundable", "refunded_amount", "test", "cancellation_details", "receipt_registration",
    "merchant_customer_id", "title", "card", "holder",
)  # fmt: skip

FEE = Decimal("0.035")
VAT_ON_FEE = Decimal("0.22")
_KOPECK = Decimal("0.01")


def money(value: Decimal) -> dict[str, str]:
    """A sum in roubles as the API writes it."""
    return {"value": f"{value:.2f}", "currency": "RUB"}


def income(amount: Decimal) -> Decimal:
    """What the shop receives of a payment: the sum without the fee and the VAT on the fee."""
    fee = (amount * FEE).quantize(_KOPECK)
    return amount - fee - (fee * VAT_ON_FEE).quantize(_KOPECK)


def tidy(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is None, as the API does, and put the fields into its usual order."""
    known = [name for name in _ORDER if document.get(name) is not None]
    rest = [name for name in document if name not in _ORDER and document[name] is not None]
    return {name: document[name] for name in known + rest}

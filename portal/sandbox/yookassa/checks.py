"""Is a request well formed? Limits from YooKassa's OpenAPI file; every refusal names the parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_address
from typing import Any

from portal.sandbox.yookassa.means import MEANS
from portal.sandbox.yookassa.refusals import BAD_AMOUNT, WRONG_CURRENCY, RefusalError, invalid

CURRENCIES = {"RUB", "EUR", "USD", "KZT", "BYN", "UAH", "UZS", "TRY", "INR", "MDL", "AZN", "AMD"}
_CONFIRMATIONS = {"redirect", "embedded", "qr", "external", "mobile_application"}
_NEEDS_RETURN_URL = {"redirect", "mobile_application"}
_TYPES: dict[str, type] = {
    "capture": bool,
    "save_payment_method": bool,
    "description": str,
    "metadata": dict,
    "confirmation": dict,
    "payment_method_id": str,
    "payment_method_data": dict,
    "payment_token": str,
    "receipt": dict,
    "client_ip": str,
    "merchant_customer_id": str,
    "recipient": dict,
    "transfers": list,
    "statements": list,
}


def check_types(body: Mapping[str, Any], types: Mapping[str, type]) -> None:
    """Refuse a field that is present with another JSON type, null included."""
    for name, kind in types.items():
        if name in body and not isinstance(body[name], kind):
            raise invalid(name)


def check_amount(container: Mapping[str, Any], name: str = "amount") -> Decimal:
    """Read ``{"value": "100.00", "currency": "RUB"}``; the value must be text, positive, at most two
    decimals.
    """
    given = container.get(name)
    if not isinstance(given, dict):
        raise invalid(name)
    value, currency = given.get("value"), given.get("currency")
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,12}(\.\d{1,2})?", value, re.ASCII):
        raise invalid(f"{name}.value", BAD_AMOUNT)
    if currency not in CURRENCIES:
        raise invalid(f"{name}.currency")
    if currency != "RUB":
        raise invalid(f"{name}.currency", WRONG_CURRENCY)
    if Decimal(value) <= 0:
        raise invalid(f"{name}.value", BAD_AMOUNT)
    return Decimal(value)


def check_metadata(body: Mapping[str, Any]) -> None:
    """At most 16 keys of 32 characters, each with a text of at most 512."""
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict) or len(metadata) > 16:
        raise invalid("metadata")
    for key, value in metadata.items():
        if len(key) > 32 or not isinstance(value, str) or len(value) > 512:
            raise invalid("metadata")


def check_confirmation(body: Mapping[str, Any], allowed: set[str]) -> None:
    """A known type, and a return address where the type needs one."""
    confirmation = body["confirmation"]
    kind = confirmation.get("type")
    if kind not in allowed:
        raise invalid("confirmation.type")
    url = confirmation.get("return_url")
    if url is None and kind in _NEEDS_RETURN_URL:
        raise invalid("confirmation.return_url")
    if url is not None and (not isinstance(url, str) or not 0 < len(url) <= 2048 or ":" not in url):
        raise invalid("confirmation.return_url")
    if confirmation.get("locale", "ru_RU") not in {"ru_RU", "en_US"}:
        raise invalid("confirmation.locale")
    if not isinstance(confirmation.get("enforce", False), bool):
        raise invalid("confirmation.enforce")


def check_payment(body: Mapping[str, Any]) -> Decimal:
    """Check the body of ``POST /payments`` and return its sum; what depends on the shop is checked
    elsewhere.
    """
    amount = check_amount(body)
    check_types(body, _TYPES)
    for name, most in (("description", 128), ("merchant_customer_id", 200)):
        if len(body.get(name, "")) > most:
            raise invalid(name)
    check_metadata(body)
    _check_address(body)
    _check_source(body, amount)
    if "confirmation" in body:
        check_confirmation(body, _CONFIRMATIONS)
    elif "payment_method_id" not in body:
        raise invalid("confirmation")
    return amount


def _check_address(body: Mapping[str, Any]) -> None:
    try:
        ip_address(body.get("client_ip", "127.0.0.1"))
    except ValueError as error:
        raise invalid("client_ip") from error


def _check_source(body: Mapping[str, Any], amount: Decimal) -> None:
    """One source of money at most, of a known type, within its limits."""
    given = [name for name in ("payment_method_id", "payment_token", "payment_method_data") if name in body]
    if len(given) > 1:
        raise invalid(given[1])
    if "payment_token" in body:
        raise invalid("payment_token")  # Checkout.js, which makes such tokens, is not simulated
    if body.get("confirmation", {}).get("type") == "embedded" and given:
        raise invalid("confirmation.type")
    data = body.get("payment_method_data", {})
    if "payment_method_data" in body and data.get("type") not in MEANS:
        raise invalid("payment_method_data.type")
    if "card" in data:
        raise RefusalError(403, "This store can't accept card data. A PCI DSS certificate is required")
    means = MEANS.get(data.get("type", "sbp"), MEANS["sbp"])
    if not Decimal(1) <= amount <= means.most:
        raise invalid("amount.value", BAD_AMOUNT)
    if "payment_method_data" in body and means.hold is None and body.get("capture") is not True:
        raise invalid("capture")

"""Is the data of a fiscal receipt complete? Rules of YooKassa's "Receipts" for FFD 1.2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from portal.sandbox.yookassa.checks import check_amount
from portal.sandbox.yookassa.refusals import BAD_RECEIPT, invalid

PROVIDER_OWN = "yoo_receipt"
"""Receipts from YooKassa: e-mail and measure are mandatory, at most 80 items."""

_MODES = {
    "full_prepayment", "partial_prepayment", "advance", "full_payment", "partial_payment", "credit",
    "credit_payment",
}  # fmt: skip
_SUBJECTS = {
    "commodity", "excise", "job", "service", "gambling_bet", "gambling_prize", "lottery", "lottery_prize",
    "intellectual_activity", "payment", "agent_commission", "property_right", "non_operating_gain",
    "insurance_premium", "sales_tax", "resort_fee", "composite", "another", "fine", "tax", "lien", "cost",
    "pension_insurance_without_payouts", "pension_insurance_with_payouts", "health_insurance_without_payouts",
    "health_insurance_with_payouts", "health_insurance", "casino", "agent_withdrawals", "non_marked_excise",
    "marked_excise", "marked", "non_marked",
}  # fmt: skip
_MEASURES = {
    "piece", "gram", "kilogram", "ton", "centimeter", "decimeter", "meter", "square_centimeter",
    "square_decimeter", "square_meter", "milliliter", "liter", "cubic_meter", "kilowatt_hour", "gigacalorie",
    "day", "hour", "minute", "second", "kilobyte", "megabyte", "gigabyte", "terabyte", "another",
}  # fmt: skip


def check_receipt(receipt: Mapping[str, Any], total: Decimal, provider: str) -> None:
    """Refuse a receipt without a customer, with a wrong item, or with items that are not ``total`` in sum."""
    _check_customer(receipt, provider)
    items = receipt.get("items")
    if not isinstance(items, list) or not 0 < len(items) <= (80 if provider == PROVIDER_OWN else 100):
        raise invalid("receipt.items", BAD_RECEIPT)
    code = receipt.get("tax_system_code", 1)
    if isinstance(code, bool) or not isinstance(code, int) or not 1 <= code <= 6:
        raise invalid("receipt.tax_system_code")
    if not isinstance(receipt.get("internet", True), bool):
        raise invalid("receipt.internet")
    if sum((_item_total(item, provider) for item in items), Decimal()) != total:
        raise invalid("receipt", BAD_RECEIPT)


def _check_customer(receipt: Mapping[str, Any], provider: str) -> None:
    customer = receipt.get("customer", {})
    if not isinstance(customer, dict):
        raise invalid("receipt.customer")
    # E-mail and phone beside "customer" are the older spelling, still accepted.
    email = customer.get("email", receipt.get("email"))
    phone = customer.get("phone", receipt.get("phone"))
    if email is None and (phone is None or provider == PROVIDER_OWN):
        raise invalid("receipt", BAD_RECEIPT)
    if email is not None and not (
        isinstance(email, str) and len(email) <= 254 and re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email)
    ):
        raise invalid("receipt.customer.email")
    if phone is not None and not (isinstance(phone, str) and re.fullmatch(r"[0-9]{4,15}", phone, re.ASCII)):
        raise invalid("receipt.customer.phone")


def _item_total(item: Any, provider: str) -> Decimal:
    """Check one item and return unit price times quantity."""
    if not isinstance(item, dict):
        raise invalid("receipt.items")
    description = item.get("description")
    if not isinstance(description, str) or not 1 <= len(description) <= 128:
        raise invalid("receipt.items.description")
    vat = item.get("vat_code")
    if isinstance(vat, bool) or not isinstance(vat, int) or not 1 <= vat <= 12:
        raise invalid("receipt.items.vat_code")
    for field, known in (("payment_mode", _MODES), ("payment_subject", _SUBJECTS), ("measure", _MEASURES)):
        if field in item and item[field] not in known:
            raise invalid(f"receipt.items.{field}")
    if provider == PROVIDER_OWN and "measure" not in item:
        raise invalid("receipt.items.measure", BAD_RECEIPT)
    amount = item.get("amount")
    if not isinstance(amount, dict):
        raise invalid("receipt.items.amount")
    return _quantity(item.get("quantity")) * check_amount(item)


def _quantity(given: Any) -> Decimal:
    """Read a quantity (JSON number or text) of at most three decimals."""
    try:
        quantity = Decimal(str(given)) if isinstance(given, int | float | str) else Decimal("NaN")
    except InvalidOperation as error:
        raise invalid("receipt.items.quantity") from error
    whole = quantity.is_finite() and quantity == quantity.quantize(Decimal("0.001"))
    if isinstance(given, bool) or not whole or not 0 < quantity <= Decimal("99999.999"):
        raise invalid("receipt.items.quantity")
    return quantity

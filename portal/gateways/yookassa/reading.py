"""YooKassa's objects in our words. They are read as raw JSON: the SDK's models fail on a null after the money
has moved.

An object that cannot be read raises GatewayUnknown: whatever it was, it happened.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from portal.gateways.base import (
    BindingSnapshot,
    GatewayUnknown,
    Outcome,
    PaymentSnapshot,
    RefundSnapshot,
    SavedMethod,
)
from portal.gateways.titles import brand_title, last_four, method_title
from portal.gateways.wire import NotAnId
from portal.money import NotAnAmount, money

log = logging.getLogger("portal.gateways.yookassa")

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

# "succeeded" and "canceled" are final and immutable; refunds never change the status of a payment.
PAYMENT_OUTCOMES = {
    "pending": Outcome.PENDING,
    "waiting_for_capture": Outcome.AUTHORIZED,
    "succeeded": Outcome.SUCCEEDED,
    "canceled": Outcome.FAILED,
}
REFUND_OUTCOMES = {
    "pending": Outcome.PENDING,
    "succeeded": Outcome.SUCCEEDED,
    "canceled": Outcome.FAILED,
}
BINDING_OUTCOMES = {
    "pending": Outcome.PENDING,
    "active": Outcome.SUCCEEDED,
    "inactive": Outcome.FAILED,
}


def is_id(text: object) -> bool:
    """Tell whether *text* is an id of a YooKassa payment, refund or payment method."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def checked_id(text: str) -> str:
    """Return *text* if it is an id, so that it may stand in a URL. Raises NotAnId: the SDK does
    not escape.
    """
    if not is_id(text):
        raise NotAnId(detail="not a YooKassa id")
    return text


def payment(told: Mapping[str, Any], accept_url: Callable[[str], bool]) -> PaymentSnapshot:
    """Read a payment. A confirmation address that *accept_url* refuses is left out and logged."""
    amount, currency = _amount(told)
    outcome = _outcome(told, PAYMENT_OUTCOMES)
    metadata = _part(told, "metadata")
    method = _part(told, "payment_method")
    return PaymentSnapshot(
        gateway_payment_id=_own_id(told),
        outcome=outcome,
        amount=amount,
        currency=currency,
        reference=_text(metadata, "payment_id"),
        test=_flag(told, "test"),
        shop=_text(_part(told, "recipient"), "account_id"),
        account=_text(metadata, "user_id"),
        refunded=_amount(told, "refunded_amount")[0] if told.get("refunded_amount") else None,
        method_title=_title(method) if method else None,
        saved_method=_saved(method),
        failure_code=_reason(told) if outcome is Outcome.FAILED else None,
        happened_at=moment(told.get("captured_at")),
        created_at=moment(told.get("created_at")),
        fee=_fee(told, amount) if outcome is Outcome.SUCCEEDED else None,
        confirmation_url=_confirmation_url(told, accept_url),
        needs_payer=outcome is Outcome.PENDING and bool(_part(told, "confirmation")),
    )


def refund(told: Mapping[str, Any]) -> RefundSnapshot:
    """Read a refund."""
    amount, currency = _amount(told)
    outcome = _outcome(told, REFUND_OUTCOMES)
    payment_id = _text(told, "payment_id")
    if payment_id is None or not is_id(payment_id):
        raise GatewayUnknown(detail="a refund without its payment")
    return RefundSnapshot(
        gateway_refund_id=_own_id(told),
        gateway_payment_id=payment_id,
        outcome=outcome,
        amount=amount,
        currency=currency,
        failure_code=_reason(told) if outcome is Outcome.FAILED else None,
        happened_at=moment(told.get("created_at")),
        created_at=moment(told.get("created_at")),
    )


def binding(told: Mapping[str, Any], accept_url: Callable[[str], bool]) -> BindingSnapshot:
    """Read a payment method that was to be saved without a payment."""
    metadata = _part(told, "metadata")
    return BindingSnapshot(
        gateway_method_id=_own_id(told),
        outcome=_outcome(told, BINDING_OUTCOMES),
        user_id=_text(metadata, "user_id"),
        reference=_text(metadata, "binding_id"),
        shop=_text(_part(told, "holder"), "account_id"),
        test=_flag(told, "test"),
        confirmation_url=_confirmation_url(told, accept_url),
        method=_saved(told) if told.get("status") == "active" else None,
    )


def moment(value: object) -> datetime | None:
    """Read ISO 8601 with its zone, as UTC; ``None`` for anything else."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _own_id(told: Mapping[str, Any]) -> str:
    found = told.get("id")
    if not isinstance(found, str) or not is_id(found):
        raise GatewayUnknown(detail="an object without an id")
    return found


def _outcome(told: Mapping[str, Any], table: Mapping[str, Outcome]) -> Outcome:
    status = told.get("status")
    if not isinstance(status, str) or status not in table:
        raise GatewayUnknown(detail="a status that is not in the handbook")
    return table[status]


def _amount(told: Mapping[str, Any], name: str = "amount") -> tuple[Decimal, str]:
    part = _part(told, name)
    value, currency = part.get("value"), part.get("currency")
    if not isinstance(value, str) or not isinstance(currency, str):
        raise GatewayUnknown(detail="an object without an amount")
    try:
        return money(value), currency
    except NotAnAmount as error:
        raise GatewayUnknown(detail=f"an unreadable amount: {error}") from error


def _fee(told: Mapping[str, Any], amount: Decimal) -> Decimal | None:
    """What does not reach the shop: the fee with its VAT. ``None`` where YooKassa does not say."""
    try:
        income, _ = _amount(told, "income_amount")
    except GatewayUnknown:
        return None
    return amount - income if income <= amount else None


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A nested object, empty when it is missing or something else."""
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _text(told: Mapping[str, Any], name: str) -> str | None:
    value = told.get(name)
    return value if isinstance(value, str) and value else None


def _flag(told: Mapping[str, Any], name: str) -> bool | None:
    value = told.get(name)
    return value if isinstance(value, bool) else None


def _reason(told: Mapping[str, Any]) -> str | None:
    return _text(_part(told, "cancellation_details"), "reason")


def _saved(method: Mapping[str, Any]) -> SavedMethod | None:
    """The method if YooKassa says that it was saved. A revoked one still says so: this is no sign of life."""
    token, kind = _text(method, "id"), _text(method, "type")
    if method.get("saved") is not True or token is None or kind is None:
        return None
    card = _part(method, "card")
    return SavedMethod(
        token=token,
        kind=kind,
        title=_title(method),
        last4=last_four(card.get("last4")),
        brand=brand_title(card.get("card_type")),
        expiry_month=_number(card.get("expiry_month"), 1, 12),
        expiry_year=_number(card.get("expiry_year"), 2000, 2999),
        bank=_text(card, "issuer_name") or _bank(method),
    )


def _title(method: Mapping[str, Any]) -> str:
    card = _part(method, "card")
    return method_title(
        _text(method, "type") or "bank_card",
        brand=brand_title(card.get("card_type")),
        last4=last_four(card.get("last4")),
        bank=_bank(method),
    )


def _bank(method: Mapping[str, Any]) -> str | None:
    return _text(_part(method, "payer_bank_details"), "bank_name")


def _number(value: object, least: int, most: int) -> int | None:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,4}", value, re.ASCII):
        return None
    return int(value) if least <= int(value) <= most else None


def _confirmation_url(told: Mapping[str, Any], accept_url: Callable[[str], bool]) -> str | None:
    url = _text(_part(told, "confirmation"), "confirmation_url")
    if url is not None and not accept_url(url):
        log.error("YooKassa sent a confirmation address outside its own hosts; it is not used")
        return None
    return url

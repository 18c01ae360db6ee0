"""CloudPayments' transaction model in our words (https://developers.cloudpayments.ru/)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from portal.gateways.base import GatewayUnknown, Outcome, PaymentSnapshot, RefundSnapshot, SavedMethod
from portal.gateways.titles import brand_title, last_four, method_title
from portal.gateways.wire import NotAnId
from portal.money import ZERO, NotAnAmount, money

# A refund is a transaction of its own, so a refunded payment stays Completed.
OUTCOMES = {
    "Created": Outcome.PENDING,
    "Pending": Outcome.PENDING,
    "AwaitingAuthentication": Outcome.PENDING,
    "Authorized": Outcome.AUTHORIZED,
    "Completed": Outcome.SUCCEEDED,
    "Cancelled": Outcome.FAILED,
    "Declined": Outcome.FAILED,
}

# `PaymentMethod` of a notification, written as people and the gateway write it, to the kinds of this portal.
_KINDS = {
    "sbp": "sbp",
    "sberpay": "sberbank",
    "tpay": "tinkoff_bank",
    "tinkoffpay": "tinkoff_bank",
    "dolyame": "dolyame",
    "tcsinstallment": "tinkoff_installment",
}

_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_WRITTEN_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z?", re.ASCII
)
_EXPIRY = re.compile(r"(0[1-9]|1[0-2])/([0-9]{2})", re.ASCII)


def is_id(text: object) -> bool:
    """Tell whether *text* can be a TransactionId: a positive 64-bit number in decimal digits."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None and 0 < int(text) < 2**63


def checked_id(text: str) -> int:
    """Return the number of a TransactionId. Raises NotAnId for any other text."""
    if not is_id(text):
        raise NotAnId(detail="not a CloudPayments transaction id")
    return int(text)


def moment(value: object) -> datetime | None:
    """Read a time of the gateway, which is UTC without saying so; ``None`` for anything else."""
    if not isinstance(value, str) or not _WRITTEN_TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None


def method_kind(payment_method: str | None) -> str:
    """The kind of a means of payment by the gateway's name for it; a card, Mir Pay's included, has mostly
    none.
    """
    name = re.sub(r"[^a-z]", "", (payment_method or "").lower())
    return _KINDS.get(name, "bank_card")


def saved_method(
    token: str,
    *,
    payment_method: str | None,
    card_type: str | None,
    last4: str | None,
    expires: str | None,
    bank: str | None,
) -> SavedMethod:
    """Describe a token by the fields that came with it; fields of a card are left out for anything else."""
    kind = method_kind(payment_method)
    is_card = kind == "bank_card"
    expiry = _EXPIRY.fullmatch(expires or "") if is_card else None
    brand, digits = brand_title(card_type), last_four(last4)
    return SavedMethod(
        token=token,
        kind=kind,
        title=method_title(kind, brand=brand, last4=digits, bank=bank),
        last4=digits if is_card else None,
        brand=brand if is_card else None,
        expiry_month=int(expiry[1]) if expiry else None,
        expiry_year=2000 + int(expiry[2]) if expiry else None,
        bank=bank,
    )


def payment(model: Mapping[str, Any]) -> PaymentSnapshot:
    """Read a transaction, whatever the envelope's Success says. Raises GatewayUnknown when it
    cannot be read.
    """
    outcome = outcome_of(model)
    settled = outcome in {Outcome.AUTHORIZED, Outcome.SUCCEEDED}
    token, payment_method = text(model, "Token"), text(model, "PaymentMethod")
    card_type, last4, bank = text(model, "CardType"), text(model, "CardLastFour"), text(model, "Issuer")
    reason = text(model, "ReasonCode")
    return PaymentSnapshot(
        gateway_payment_id=_own_id(model),
        outcome=outcome,
        amount=amount_of(model),
        currency=text(model, "Currency") or "",
        reference=text(model, "InvoiceId"),
        test=model["TestMode"] if isinstance(model.get("TestMode"), bool) else None,
        shop=text(model, "PublicId"),
        account=text(model, "AccountId"),
        method_title=method_title(
            method_kind(payment_method), brand=brand_title(card_type), last4=last_four(last4), bank=bank
        ),
        # A declined transaction may carry a token too; it was not agreed upon.
        saved_method=saved_method(
            token,
            payment_method=payment_method,
            card_type=card_type,
            last4=last4,
            expires=text(model, "CardExpDate"),
            bank=bank,
        )
        if token and settled
        else None,
        failure_code=reason if outcome is Outcome.FAILED and reason != "0" else None,
        happened_at=happened_at(model),
        created_at=moment(model.get("CreatedDateIso")),
        fee=fee_of(model) if outcome is Outcome.SUCCEEDED else None,
        needs_payer=text(model, "Status") == "AwaitingAuthentication",
    )


def refund(model: Mapping[str, Any]) -> RefundSnapshot:
    """Read a refund's own transaction."""
    outcome = outcome_of(model)
    reason = text(model, "ReasonCode")
    return RefundSnapshot(
        gateway_refund_id=_own_id(model),
        gateway_payment_id=original_id(model) or "",
        # A refund is never merely held.
        outcome=Outcome.PENDING if outcome is Outcome.AUTHORIZED else outcome,
        amount=amount_of(model),
        currency=text(model, "Currency") or "",
        failure_code=reason if outcome is Outcome.FAILED and reason != "0" else None,
        happened_at=happened_at(model),
        created_at=moment(model.get("CreatedDateIso")),
    )


def original_id(model: Mapping[str, Any]) -> str | None:
    """The payment that a refund belongs to; ``None`` for a payment."""
    found = text(model, "OriginalTransactionId")
    return found if is_id(found) else None


def is_payment(model: Mapping[str, Any]) -> bool:
    """Tell a payment from a refund or a payout, which the newer searches return as well."""
    return original_id(model) is None and text(model, "Type") in {None, "0"}


def outcome_of(model: Mapping[str, Any]) -> Outcome:
    """What ``Status`` means. Raises GatewayUnknown for a word that is not in the handbook."""
    outcome = OUTCOMES.get(text(model, "Status") or "")
    if outcome is None:
        raise GatewayUnknown(detail="a status that is not in the handbook")
    return outcome


def amount_of(model: Mapping[str, Any]) -> Decimal:
    """The amount of a transaction, which the API writes as a JSON number: 10, 10.0 or 12.34."""
    value = model.get("Amount")
    if not isinstance(value, int | Decimal):
        raise GatewayUnknown(detail="a transaction without an amount")
    try:
        return money(value)
    except NotAnAmount as error:
        raise GatewayUnknown(detail=f"an unreadable amount: {error}") from error


def fee_of(told: Mapping[str, Any]) -> Decimal | None:
    """What does not reach the shop: ``TotalFee`` and the VAT upon it. ``None`` where it does not say.

    JSON numbers in the API, texts in a notification; before May 2026 nothing was said of the VAT.
    """
    try:
        fee, vat = _sum_of(told.get("TotalFee")), _sum_of(told.get("VatAboveTotalFee"))
        return None if fee is None else fee + (vat or ZERO)
    except NotAnAmount:
        return None


def _sum_of(value: object) -> Decimal | None:
    return money(value) if isinstance(value, str | int | Decimal) and value != "" else None


def happened_at(model: Mapping[str, Any]) -> datetime | None:
    """The latest of the gateway's own moments: confirmed, authorized, created."""
    names = ("ConfirmDateIso", "AuthDateIso", "CreatedDateIso")
    return next((found for name in names if (found := moment(model.get(name)))), None)


def text(model: Mapping[str, Any], name: str) -> str | None:
    """A value as text. Numbers count, since InvoiceId was seen as one; empty and missing are alike."""
    value = model.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _own_id(model: Mapping[str, Any]) -> str:
    found = text(model, "TransactionId")
    if found is None or not is_id(found):
        raise GatewayUnknown(detail="a transaction without an id")
    return found

"""The body of a notification for an operator's eyes: decoded, in its own order, without what could be used.

Three rules, from the strictest down. What is named like a secret is hidden whole, and so is the id by which a
saved method is charged. A text that is opaque is shown only where it stands under a name that the gateways'
handbooks explain. A card's number inside any text keeps its first six and last four digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.gateways.cloudpayments.fields import fields_of
from portal.gateways.wire import MalformedNotification, Unreadable, json_object
from portal.models import GatewayName, WebhookEvent

#: Parts of names whose values are hidden whole.
SECRET = re.compile(
    r"token|cryptogram|secret|passw|signature|hmac|authorization$|api_?key|cvv|cvc|pareq|pares|cres|card_?number"
)


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: What the gateways' handbooks name, and our own words in a payment's metadata: shown as it is.
KNOWN = _names(
    "TransactionId PaymentTransactionId Amount Currency PaymentAmount PaymentCurrency OperationType InvoiceId"
    " AccountId SubscriptionId Name Email Phone DateTime IpAddress IpCountry IpCity IpRegion IpDistrict"
    " IpLatitude IpLongitude CardId CardFirstSix CardLastFour CardType CardExpDate Issuer IssuerBankCountry"
    " Description AuthCode TestMode Status GatewayName TotalFee CardProduct PaymentMethod Rrn InstallmentTerm"
    " InstallmentMonthlyPayment VatAboveTotalFee ProcessorAndPartnerFee VatWithinProcessorFee Reason"
    " ReasonCode RetryAfter ProviderMessage Id RequireConfirmation StartDate Interval Period"
    " SuccessfulTransactionsNumber FailedTransactionsNumber NextTransactionDate DocumentNumber SessionNumber"
    " Number FiscalSign DeviceNumber RegNumber FiscalNumber Inn Type Ofd Url QrCodeUrl CalculationPlace"
    " SettlePlace EscrowAccumulationId TransferId"
    " id type event status paid value currency rrn auth_code applied captured_at created_at expires_at"
    " description first6 last4 expiry_month expiry_year card_type code name issuer_country issuer_name title"
    " refundable account_id gateway_id test party reason payment_id plan_code billing_mode user_id"
    " receipt_registration bank_name bic saved merchant_customer_id binding_id"
)
#: Numbers that are as long as a card's and are none.
_NO_CARD = _names("TransactionId PaymentTransactionId FiscalNumber RegNumber DeviceNumber FiscalSign Rrn rrn")
_OPAQUE = re.compile(r"[0-9A-Za-z+/=_.:-]{16,}", re.ASCII)
_CARD = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])", re.ASCII)
#: Values that are JSON of the merchant inside a text.
_NESTED = frozenset({"Data", "CustomFields", "Receipt"})


@dataclass(frozen=True, slots=True)
class Line:
    """One value by its path, and whether anything of it was hidden."""

    name: str
    value: str
    is_hidden: bool = False


def lines(event: WebhookEvent) -> list[Line] | None:
    """Every value of the body, empty ones left out; ``None`` for a body that cannot be read."""
    try:
        if event.gateway is GatewayName.CLOUDPAYMENTS:
            told: Mapping[str, Any] = fields_of(event.raw_payload, event.content_type)
        else:
            told = json_object(event.raw_payload)
    except (MalformedNotification, Unreadable):
        return None
    return [_shown(path, value, event) for path, value in _flat(told, ()) if value not in {"", "[]", "{}"}]


def _flat(told: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Objects and lists taken apart down to their values."""
    if isinstance(told, Mapping):
        for name, value in told.items():
            yield from _flat(value, (*path, str(name)))
    elif isinstance(told, list):
        for place, value in enumerate(told):
            yield from _flat(value, (*path, str(place + 1)))
    elif path[-1] in _NESTED and isinstance(told, str) and (inside := _parsed(told)) is not None:
        yield from _flat(inside, path)
    elif told is not None:
        yield path, json.dumps(told) if isinstance(told, bool) else str(told)


def _parsed(text: str) -> Any:
    """The object or list in a text; ``None`` when it is plain words."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def _shown(path: tuple[str, ...], value: str, event: WebhookEvent) -> Line:
    """One line, with what must not be read taken out."""
    name = ".".join(path)
    if any(SECRET.search(part.casefold()) for part in path) or _charges(path, event):
        return Line(name, _hidden(value), is_hidden=True)
    last = path[-1]
    if last not in KNOWN and _OPAQUE.fullmatch(value):
        return Line(name, _hidden(value), is_hidden=True)
    masked = value if last in _NO_CARD else _CARD.sub(_without_middle, value)
    return Line(name, masked, is_hidden=masked != value)


def _charges(path: tuple[str, ...], event: WebhookEvent) -> bool:
    """Whether this is the id of a method: whoever has it and the shop's key can charge it."""
    if event.gateway is not GatewayName.YOOKASSA:
        return False
    own = event.kind.startswith("payment_method.") and path == ("object", "id")
    return own or path[-2:] == ("payment_method", "id")


def _hidden(value: str) -> str:
    return f"•••• ({len(value)} зн.)"


def _without_middle(found: re.Match[str]) -> str:
    digits = re.sub(r"[ -]", "", found[0])
    return f"{digits[:6]}{'•' * (len(digits) - 10)}{digits[-4:]}" if _is_card(digits) else found[0]


def _is_card(digits: str) -> bool:
    """The check digit of Luhn, which every card's number has."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0

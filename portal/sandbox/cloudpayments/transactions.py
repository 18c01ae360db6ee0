"""What a transaction is: how the sandbox keeps it, and how the API shows it ("Transaction model")."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from portal.sandbox.cloudpayments.binding import plain_number
from portal.sandbox.cloudpayments.cards import TYPE_CODES
from portal.sandbox.cloudpayments.dates import pair
from portal.sandbox.cloudpayments.reasons import reason
from portal.sandbox.store import Document

#: A row of the sandbox's document store.
Doc = Document

KIND = "cloudpayments_transaction"
FIRST_ID = 3_355_303_842  # beyond 2**31, as live ids are, so that a 32-bit column is found out early

#: Where every payer of the sandbox sits.
PLACE = {
    "IpCountry": "RU",
    "IpCity": "Москва",
    "IpRegion": "Москва",
    "IpDistrict": "Москва",
    "IpLatitude": 55.75222,
    "IpLongitude": 37.61556,
}


class Status(StrEnum):
    """The documented statuses; there is none for "refunded"."""

    CREATED = "Created"
    AWAITING = "AwaitingAuthentication"
    AUTHORIZED = "Authorized"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"
    DECLINED = "Declined"


STATUS_CODES = {
    Status.CREATED: 0,
    Status.AWAITING: 1,
    Status.AUTHORIZED: 2,
    Status.COMPLETED: 3,
    Status.CANCELLED: 4,
    Status.DECLINED: 5,
}


@dataclass(frozen=True)
class Intent:
    """What a merchant asked to be paid, whichever door it came through."""

    amount: Decimal
    currency: str = "RUB"
    two_stage: bool = False
    invoice_id: str = ""
    account_id: str = ""
    email: str = ""
    description: str = ""
    data: str = ""
    save_card: bool = False
    name: str = ""
    ip: str = "127.0.0.1"
    culture: str = "ru-RU"
    source: str = "api"
    subscription_id: str = ""
    recurrent: Doc = field(default_factory=dict)
    receipt: Doc = field(default_factory=dict)
    initiator: int | None = None
    request: Doc = field(default_factory=dict)

    def initiated_by(self, code: int) -> Intent:
        """Return the same intent with the TrInitiatorCode: 0 the merchant, 1 the cardholder."""
        return replace(self, initiator=code)


def intent_fields(intent: Intent) -> Doc:
    """Return the part of a kept transaction that comes from the intent."""
    return {
        "amount": str(intent.amount),
        "currency": intent.currency,
        "two_stage": intent.two_stage,
        "invoice_id": intent.invoice_id,
        "account_id": intent.account_id,
        "email": intent.email,
        "description": intent.description,
        "data": intent.data,
        "save_card": intent.save_card,
        "name": intent.name,
        "ip": intent.ip,
        "culture": intent.culture,
        "source": intent.source,
        "subscription_id": intent.subscription_id,
        "recurrent": storable(intent.recurrent),
        "receipt": storable(intent.receipt),
        "initiator": intent.initiator,
        "request": storable(intent.request),
    }


def storable(document: Doc) -> Doc:
    """Return the same object with every Decimal as a JSON number."""
    result: Doc = json.loads(json.dumps(document, default=plain_number))
    return result


def card_fields(digits: str, month: int, year: int, network: str) -> Doc:
    """Return the part of a kept transaction that describes the card; the number itself is not kept."""
    return {
        "first_six": digits[:6],
        "last_four": digits[-4:],
        "exp": f"{month:02d}/{year % 100:02d}",
        "network": network,
        "card_id": hashlib.sha256(digits.encode()).hexdigest()[:24],
    }


def mask(doc: Doc) -> str:
    """Return the card as the gateway's lists show it (``4242 42****** 4242``), or empty without a card."""
    first, last = doc.get("first_six", ""), doc.get("last_four", "")
    return f"{first[:4]} {first[4:]}****** {last}" if first else ""


def number(kept: str | None) -> int | float | None:
    """Show a kept sum as the API does, a JSON number."""
    return None if kept is None else plain_number(Decimal(kept))


def fee(doc: Doc) -> Decimal:
    """Return the gateway's commission: nothing in test mode, 3.9 % of the sum otherwise."""
    if doc["test_mode"] or doc["status"] not in {Status.COMPLETED, Status.AUTHORIZED}:
        return Decimal("0.00")
    return (Decimal(doc["amount"]) * Decimal("0.039")).quantize(Decimal("0.01"))


def vat_on_fee(doc: Doc) -> Decimal:
    """Return the VAT that comes on top of the commission."""
    return (fee(doc) * Decimal("0.22")).quantize(Decimal("0.01"))


def settled(doc: Doc) -> bool:
    """Tell whether money was taken or held."""
    return doc["status"] in {Status.AUTHORIZED, Status.COMPLETED, Status.CANCELLED}


def model(doc: Doc) -> Doc:
    """Return a transaction as charge, get, find and list show it."""
    shown = {
        "ReasonCode": doc["reason_code"],
        "PublicId": doc["public_id"],
        "TerminalUrl": "http://sandbox.test",
        "TransactionId": doc["id"],
        **_money(doc),
        **_texts(doc),
        **pair("CreatedDate", doc["created_at"]),
        **pair("PayoutDate", None),
        "PayoutAmount": None,
        **pair("AuthDate", doc["auth_at"]),
        **pair("ConfirmDate", doc["confirm_at"]),
        "AuthCode": doc["auth_code"],
        "TestMode": doc["test_mode"],
        "Rrn": doc["rrn"],
        "OriginalTransactionId": doc["original_id"],
        "FallBackScenarioDeclinedTransactionId": None,
        "IpAddress": doc["ip"],
        **PLACE,
        **_card(doc),
        **_state(doc),
    }
    if doc["initiator"] is not None:
        shown["TrInitiatorCode"] = doc["initiator"]
    return shown


def listed(doc: Doc) -> Doc:
    """Return a transaction as the list methods show it: the model and a few fields of their own."""
    return {**model(doc), "IsLocalOrder": False, "HideInvoiceId": False, "Gateway": 0, "MasterPass": False}


def _money(doc: Doc) -> Doc:
    amount = number(doc["amount"])
    return {
        "Amount": amount,
        "Currency": doc["currency"],
        "CurrencyCode": 0,
        "PaymentAmount": amount,
        "PaymentCurrency": doc["currency"],
        "PaymentCurrencyCode": 0,
        "TotalFee": plain_number(fee(doc)),
        "VatAboveTotalFee": plain_number(vat_on_fee(doc)),
        "ProcessorAndPartnerFee": None,
        "VatWithinProcessorFee": None,
    }


def _texts(doc: Doc) -> Doc:
    return {
        "InvoiceId": doc["invoice_id"] or None,
        "AccountId": doc["account_id"] or None,
        "Email": doc["email"] or None,
        "Description": doc["description"] or None,
        "JsonData": doc["data"],
        "CultureName": doc["culture"],
        "Name": doc["name"] or None,
        "SubscriptionId": doc["subscription_id"] or None,
        "Token": doc["token"] or None,
        "EscrowAccumulationId": None,
    }


def _card(doc: Doc) -> Doc:
    network = doc.get("network", "")
    paid = settled(doc) and bool(network)
    return {
        "CardFirstSix": doc.get("first_six", ""),
        "CardLastFour": doc.get("last_four", ""),
        "CardExpDate": doc.get("exp", ""),
        "CardType": network,
        "CardTypeCode": TYPE_CODES.get(network, 0),
        "CardProduct": "I" if paid else None,
        "CardCategory": f"{network} Sandbox" if paid else None,
        "IssuerBankCountry": "RU" if network else None,
        "Issuer": "CloudPayments" if network else None,
    }


def _state(doc: Doc) -> Doc:
    status = Status(doc["status"])
    why = reason(doc["reason_code"])
    final = status not in {Status.CREATED, Status.AWAITING}
    return {
        "Status": status.value,
        "StatusCode": STATUS_CODES[status],
        "Reason": why.name if final else None,
        "CardHolderMessage": why.message if final else None,
        "Type": 1 if doc["original_id"] else 0,
        "Refunded": doc["refunded_flag"],
        "GatewayName": doc["gateway_name"],
        "AndroidPay": False,
        "WalletType": "",
        "PaymentMethod": doc["method"],
    }

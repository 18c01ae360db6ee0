"""Notifications: which fields each kind carries, in the order seen on the wire, and where they go.

Fields: https://developers.cloudpayments.ru, "Уведомления". An absent optional value is an empty string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

from portal.sandbox.clock import iso
from portal.sandbox.cloudpayments import terminal
from portal.sandbox.cloudpayments.binding import loose_object, plain_number
from portal.sandbox.cloudpayments.dates import notification_time
from portal.sandbox.cloudpayments.encoding import FORM, JSON, form_body, json_body, signature_headers
from portal.sandbox.cloudpayments.reasons import CHECK_CODES, reason
from portal.sandbox.cloudpayments.transactions import PLACE, Doc, fee, vat_on_fee
from portal.sandbox.notifier import Answer, Notification, RetryRule
from portal.sandbox.world import World

KINDS = ("check", "pay", "fail", "confirm", "refund", "recurrent", "cancel", "receipt")
SETTING_KIND = "cloudpayments_notification_setting"
DEFAULT_SETTING = {"HttpMethod": "POST", "Encoding": "UTF8", "Format": "CloudPayments"}

_ENCODINGS = {"UTF8": "utf-8", "Windows1251": "cp1251"}
_TEMPORARY = (5051, 5065, 5096)

_HEAD = "TransactionId Amount Currency PaymentAmount PaymentCurrency"
_ORDER = (
    "InvoiceId AccountId SubscriptionId Name Email DateTime IpAddress IpCountry IpCity IpRegion IpDistrict"
    " IpLatitude IpLongitude"
)
_CARD = "CardId CardFirstSix CardLastFour CardType CardExpDate Issuer IssuerBankCountry Description"


def _names(*lines: str) -> tuple[str, ...]:
    return tuple(name for line in lines for name in line.split())


#: The fields of each kind in their order; Pay's order was observed, the others follow it.
LAYOUT: dict[str, tuple[str, ...]] = {
    "check": _names(_HEAD, "OperationType", _ORDER, _CARD, "TestMode Status Data CardProduct PaymentMethod"),
    "pay": _names(
        *(_HEAD, "OperationType", _ORDER, _CARD),
        "AuthCode Token TestMode Status GatewayName Data TotalFee CardProduct PaymentMethod Rrn",
        "InstallmentTerm InstallmentMonthlyPayment CustomFields",
        "VatAboveTotalFee ProcessorAndPartnerFee VatWithinProcessorFee",
    ),
    "fail": _names(
        *(_HEAD, "OperationType", _ORDER, _CARD),
        "Token TestMode Reason ReasonCode RetryAfter ProviderMessage Data PaymentMethod Rrn CustomFields",
    ),
    "confirm": _names(
        *(_HEAD, _ORDER, _CARD.removeprefix("CardId ")),
        "AuthCode Token TestMode Status Data PaymentMethod Rrn",
    ),
    "refund": _names(
        "TransactionId PaymentTransactionId Amount DateTime OperationType InvoiceId AccountId Email Data",
        "Rrn CustomFields",
    ),
    "cancel": _names("TransactionId Amount DateTime InvoiceId AccountId Email Data Rrn"),
}

_MANDATORY = frozenset(
    _names(
        "TransactionId Amount Currency PaymentAmount PaymentCurrency DateTime CardFirstSix CardLastFour",
        "CardType CardExpDate TestMode Status OperationType GatewayName Reason ReasonCode",
        "PaymentTransactionId Id AccountId Description Email RequireConfirmation StartDate Interval Period",
        "SuccessfulTransactionsNumber FailedTransactionsNumber",
    )
)


def fields_of(world: World, kind: str, doc: Doc) -> dict[str, str]:
    """Return a notification about a transaction as ordered text fields."""
    everything = {**_payment_fields(world, doc), **_kind_fields(world, kind, doc)}
    return {name: everything[name] for name in LAYOUT[kind]}


def _payment_fields(world: World, doc: Doc) -> dict[str, str]:
    network = doc.get("network", "")
    return {
        "TransactionId": str(doc["id"]),
        "Amount": doc["amount"],
        "Currency": doc["currency"],
        "PaymentAmount": doc["amount"],
        "PaymentCurrency": doc["currency"],
        "OperationType": "Refund" if doc["original_id"] else "Payment",
        "InvoiceId": doc["invoice_id"],
        "AccountId": doc["account_id"],
        "SubscriptionId": doc["subscription_id"],
        "Name": doc["name"],
        "Email": doc["email"],
        "DateTime": notification_time(doc["created_at"]),
        "IpAddress": doc["ip"],
        **{name: str(value) for name, value in PLACE.items()},
        "CardId": doc.get("card_id", ""),
        "CardFirstSix": doc.get("first_six", ""),
        "CardLastFour": doc.get("last_four", ""),
        "CardType": network,
        "CardExpDate": doc.get("exp", ""),
        "Issuer": "CloudPayments" if network else "",
        "IssuerBankCountry": "RU" if network else "",
        "Description": doc["description"],
        "TestMode": "1" if doc["test_mode"] else "0",
        "Data": _data(world, doc),
        "PaymentMethod": doc["method"],
        "Rrn": doc["rrn"] or "",
        "CustomFields": "",
    }


def _kind_fields(world: World, kind: str, doc: Doc) -> dict[str, str]:
    why = reason(doc["reason_code"])
    in_a_day = iso(world.clock.now() + timedelta(days=1))
    retry_after = world.settings["cloudpayments_retry_after"] and why.code in _TEMPORARY
    will_be = "Authorized" if doc["two_stage"] else "Completed"
    return {
        "Status": will_be if kind == "check" else doc["status"],
        "AuthCode": doc["auth_code"] or "",
        "Token": doc["token"],
        "GatewayName": doc["gateway_name"],
        "TotalFee": str(fee(doc)),
        "CardProduct": "I" if doc.get("network") else "",
        "InstallmentTerm": "",
        "InstallmentMonthlyPayment": "",
        "VatAboveTotalFee": str(vat_on_fee(doc)),
        "ProcessorAndPartnerFee": "",
        "VatWithinProcessorFee": "",
        "Reason": why.name,
        "ReasonCode": str(why.code),
        "RetryAfter": notification_time(in_a_day) if retry_after else "",
        "ProviderMessage": "",
        "PaymentTransactionId": str(doc["original_id"] or ""),
    }


def _data(world: World, doc: Doc) -> str:
    """Return the merchant's own JSON as text, with what the settings add to it."""
    text, echo = str(doc["data"]), {}
    if world.settings["cloudpayments_echo_instructions"]:
        named = {"recurrent": doc["recurrent"], "CustomerReceipt": doc["receipt"]}
        echo = {name: value for name, value in named.items() if value}
    pretty = world.settings["cloudpayments_data_pretty"]
    if not (echo or pretty) or (text and not loose_object(text)):
        return text
    data = {**loose_object(text), **({"CloudPayments": echo} if echo else {})}
    return (
        json.dumps(data, ensure_ascii=False, indent=2 if pretty else None, default=plain_number)
        if data
        else text
    )


def setting(world: World, kind: str) -> Doc:
    """Return how one kind is delivered: IsEnabled, Address, HttpMethod, Encoding, Format."""
    kept = world.store.get(SETTING_KIND, kind) or DEFAULT_SETTING
    address = world.notification_url("cloudpayments", kind)
    return {"IsEnabled": address is not None, "Address": address or "", **kept}


def send(world: World, kind: str, doc: Doc) -> None:
    """Put the notification about a transaction into the outbox, if the kind is enabled.

    Inside a store transaction it rolls back with it.
    """
    send_fields(
        world, kind, fields_of(world, kind, doc), str(doc["original_id"] or doc["id"]), doc["public_id"]
    )


def send_fields(world: World, kind: str, fields: Mapping[str, str], reference: str, public_id: str) -> None:
    """Put a notification with ready fields into the outbox, if the kind is enabled."""
    notification = _notification(world, kind, fields, reference, public_id)
    if notification is not None:
        world.notifier.send(notification)


def ask_check(world: World, doc: Doc) -> int | None:
    """Ask the merchant whether a payment may go on; return ``None`` for yes, or the ReasonCode of the
    refusal.

    A merchant without a Check address is not asked. Must not be called inside a store transaction.
    """
    fields = fields_of(world, "check", doc)
    notification = _notification(world, "check", fields, str(doc["id"]), doc["public_id"])
    return None if notification is None else verdict(world.notifier.ask(notification))


def verdict(answer: Answer) -> int | None:
    """Turn the merchant's answer to Check into ``None`` (go on) or the ReasonCode 3001…3008."""
    if answer.status is None or answer.status in {404, 504, 508}:
        return 3007
    if answer.status >= 500:
        return 3006
    code = answer.json.get("code") if isinstance(answer.json, dict) else None
    if answer.status != 200 or not isinstance(code, int) or isinstance(code, bool):
        return 3005
    return None if code == 0 else CHECK_CODES.get(code, 3005)


def _notification(
    world: World, kind: str, fields: Mapping[str, str], reference: str, public_id: str
) -> Notification | None:
    how = setting(world, kind)
    if not how["IsEnabled"]:
        return None
    if world.settings["cloudpayments_missing_keys"]:
        fields = {name: value for name, value in fields.items() if value or name in _MANDATORY}
    as_json = world.settings["cloudpayments_notify_format"] == "json" and how["HttpMethod"] == "POST"
    content_type = JSON if as_json else FORM
    encoding = _ENCODINGS[how["Encoding"]]
    message = json_body(fields) if as_json else form_body(fields, encoding)
    secret = terminal.secret(public_id)
    if world.settings["cloudpayments_wrong_hmac"]:
        secret = f"not-{secret}"
    headers = signature_headers(secret, message, content_type, encoding)
    if how["HttpMethod"] == "GET":
        url, body = f"{how['Address']}{'&' if '?' in how['Address'] else '?'}{message}", ""
    else:
        url, body = how["Address"], message
        headers["Content-Type"] = content_type
    rule = RetryRule.cloudpayments
    return Notification("cloudpayments", kind, reference, url, body, rule, how["HttpMethod"], headers)

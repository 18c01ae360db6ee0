"""What CloudPayments is told: the widget's parameters and the bodies of requests."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from portal.billing_mode import BillingMode
from portal.gateways.base import PaymentOrder
from portal.gateways.cloudpayments.transport import json_number
from portal.gateways.shop import ReceiptTerms
from portal.wording import language

#: YooKassa's numbers of rates, in which the shop's setting is, as CloudKassir writes them: empty is no VAT.
_VAT = {1: None, 2: 0, 3: 10, 5: 110, 7: 5, 8: 7, 9: 105, 10: 107, 11: 22, 12: 122}
_SUBJECTS = {
    "commodity": 1,
    "job": 3,
    "service": 4,
    "intellectual_activity": 9,
    "payment": 10,
    "another": 13,
}
_MODES = {"full_prepayment": 1, "advance": 3, "full_payment": 4}
_LONGEST_LABEL = 128
#: The languages of the widget.
_CULTURES = {"ru": "ru-RU", "en": "en-US"}


def widget(shop: str, order: PaymentOrder) -> dict[str, Any]:
    """The parameters of ``start()`` as https://developers.cloudpayments.ru/ names them."""
    told: dict[str, Any] = {
        "publicTerminalId": shop,
        "amount": json_number(order.amount),
        "currency": order.currency,
        "culture": _CULTURES[language()],
        "paymentSchema": "Single",
        "description": order.description,
        "externalId": order.transaction_id,
        "receiptEmail": order.email,
        "tokenize": order.billing_mode is BillingMode.RECURRING and order.save_method,
        "userInfo": {"accountId": order.account, "email": order.email},
        "metadata": _metadata(order),
        "autoClose": 5,
        "retryPayment": True,
        "emailBehavior": "Hidden",
        "skin": "classic",
    }
    if order.receipt is not None:
        told["receipt"] = _receipt(order.receipt, order.amount)
    return told


def charge(order: PaymentOrder, token: str) -> dict[str, Any]:
    """The body of payments/tokens/charge: by the merchant, by schedule."""
    return {
        "Amount": json_number(order.amount),
        "Currency": order.currency,
        "AccountId": order.account,
        "Token": token,
        "TrInitiatorCode": 0,
        "PaymentScheduled": 1,
        "InvoiceId": order.transaction_id,
        "Description": order.description,
        "Email": order.email,
        "JsonData": _json_data(_metadata(order), order.receipt, order.amount),
    }


def refund(
    key: str, transaction_id: int, amount: Decimal, reason: str, receipt: ReceiptTerms | None
) -> dict[str, Any]:
    """The body of payments/refund; its receipt is one of return."""
    return {
        "TransactionId": transaction_id,
        "Amount": json_number(amount),
        "JsonData": _json_data({"refund_key": key, "reason": reason}, receipt, amount),
    }


def _metadata(order: PaymentOrder) -> dict[str, str]:
    """Our words in the gateway's registry; they come back as ``Data``."""
    return {
        "payment_id": order.transaction_id,
        "plan_code": order.plan_code,
        "billing_mode": order.billing_mode.value,
        "user_id": order.user_id,
    }


def _receipt(terms: ReceiptTerms, amount: Decimal) -> dict[str, Any]:
    """One item that is the whole sum (cloudpayments.md 6.2)."""
    price = json_number(amount)
    item = {
        "label": terms.item[:_LONGEST_LABEL],
        "price": price,
        "quantity": 1,
        "amount": price,
        "vat": _VAT[terms.vat_code],
        "method": _MODES[terms.mode],
        "object": _SUBJECTS[terms.subject],
    }
    told: dict[str, Any] = {"Items": [item], "email": terms.email, "amounts": {"electronic": price}}
    # Ours are counted from 1, theirs from 0.
    return told if terms.tax_system is None else told | {"taxationSystem": terms.tax_system - 1}


def _json_data(data: dict[str, str], receipt: ReceiptTerms | None, amount: Decimal) -> str:
    more = {"cloudPayments": {"customerReceipt": _receipt(receipt, amount)}} if receipt else {}
    return json.dumps({**data, **more}, ensure_ascii=False)

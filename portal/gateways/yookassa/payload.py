"""The bodies of YooKassa's POST requests; nothing else in the portal writes one."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

from portal.billing_mode import BillingMode
from portal.gateways.base import BindingOrder, PaymentOrder
from portal.gateways.shop import ReceiptTerms
from portal.money import to_wire

log = logging.getLogger("portal.gateways.yookassa")

# What the API takes, https://yookassa.ru/developers/api#create_payment and #create_refund.
LONGEST_DESCRIPTION = 128
LONGEST_REFUND_REASON = 250


def build_yookassa_payment_payload(
    order: PaymentOrder, *, payment_method_id: str | None = None
) -> dict[str, Any]:
    """Build the body of POST /payments for *order*: the one place that does.

    ONE_TIME leaves ``save_payment_method``, ``payment_method_data`` and ``merchant_customer_id`` out
    altogether, because a shop without the right to recurring payments is answered 403. RECURRING asks to save
    the method, and only with the consent that ``order.save_method`` stands for. With *payment_method_id* it
    is a charge of a saved method: no page to confirm, nothing to save. The same order gives the same bytes,
    which the idempotence key demands.
    """
    saves = order.billing_mode is BillingMode.RECURRING and order.save_method and payment_method_id is None
    payload: dict[str, Any] = {
        "amount": {"value": to_wire(order.amount), "currency": order.currency},
        "capture": True,
        "description": order.description[:LONGEST_DESCRIPTION],
        "metadata": {
            "payment_id": order.transaction_id,
            "user_id": order.user_id,
            "plan_code": order.plan_code,
            "billing_mode": order.billing_mode.value,
        },
    }
    if payment_method_id is None:
        payload["confirmation"] = {"type": "redirect", "return_url": order.return_url}
    else:
        payload["payment_method_id"] = payment_method_id
    if saves:
        payload["save_payment_method"] = True
    if order.receipt is not None:
        payload["receipt"] = _receipt(order.receipt, order.amount, order.currency)
    log.info(
        "Built YooKassa payload: mode=%s, save_payment_method=%s, amount=%s",
        order.billing_mode.value,
        saves,
        payload["amount"]["value"],
    )
    return payload


def refund_payload(
    gateway_payment_id: str,
    amount: Decimal,
    currency: str,
    reason: str,
    receipt: ReceiptTerms | None = None,
) -> dict[str, Any]:
    """Build the body of POST /refunds; *receipt* for a part only: that of the whole YooKassa makes itself."""
    payload: dict[str, Any] = {
        "payment_id": gateway_payment_id,
        "amount": {"value": to_wire(amount), "currency": currency},
    }
    if reason:
        payload["description"] = reason[:LONGEST_REFUND_REASON]
    if receipt is not None:
        payload["receipt"] = _receipt(receipt, amount, currency)
    return payload


def _receipt(terms: ReceiptTerms, amount: Decimal, currency: str) -> dict[str, Any]:
    """One item that is the whole sum (yookassa.md 5.1)."""
    item = {
        "description": terms.item[:LONGEST_DESCRIPTION],
        "quantity": 1,
        "amount": {"value": to_wire(amount), "currency": currency},
        "vat_code": terms.vat_code,
        "payment_mode": terms.mode,
        "payment_subject": terms.subject,
        "measure": "piece",
    }
    told: dict[str, Any] = {"customer": {"email": terms.email}, "items": [item], "internet": True}
    return told if terms.tax_system is None else told | {"tax_system_code": terms.tax_system}


def binding_payload(order: BindingOrder) -> dict[str, Any]:
    """Build the body of POST /payment_methods: remember a card, take nothing."""
    return {
        "type": "bank_card",
        "confirmation": {"type": "redirect", "return_url": order.return_url},
        "metadata": {"binding_id": order.key, "user_id": order.user_id},
    }

"""CloudPayments' part of the sandbox's ledger, in the words both gateways share."""

from __future__ import annotations

from decimal import Decimal

from portal.sandbox.cloudpayments import tokens
from portal.sandbox.cloudpayments.reasons import reason
from portal.sandbox.cloudpayments.transactions import KIND, Doc, Status, mask
from portal.sandbox.registry import LedgerPart
from portal.sandbox.world import World

_STATUSES = {
    Status.CREATED: "pending",
    Status.AWAITING: "pending",
    Status.AUTHORIZED: "authorized",
    Status.COMPLETED: "succeeded",
    Status.CANCELLED: "canceled",
    Status.DECLINED: "declined",
}


def shown(world: World) -> LedgerPart:
    """Return every payment, refund and saved card, oldest first."""
    docs = world.store.all(KIND)
    payments = {doc["id"]: doc for doc in docs if not doc["original_id"]}
    return {
        "payments": [payment_entry(doc) for doc in payments.values()],
        "refunds": [refund_entry(doc, payments[doc["original_id"]]) for doc in docs if doc["original_id"]],
        "methods": [_method_entry(doc) for doc in world.store.all(tokens.KIND)],
    }


def payment_entry(doc: Doc) -> Doc:
    """Return one payment."""
    why = reason(doc["reason_code"])
    return {
        "gateway": "cloudpayments",
        "id": str(doc["id"]),
        "transaction_id": doc["invoice_id"],
        "status": _STATUSES[Status(doc["status"])],
        "amount": doc["amount"],
        "currency": doc["currency"],
        "captured": doc["captured"],
        "refunded": doc["refunded"],
        "test": doc["test_mode"],
        "reason": None if why.approved else f"{why.code} {why.name}",
        "method": doc["method"] or mask(doc),
        "token": doc["token"] or None,
        "account": doc["account_id"] or None,
        "subscription": doc["subscription_id"] or None,
        "source": doc["source"],
        "created_at": doc["created_at"],
        "request": doc["request"],
    }


def refund_entry(doc: Doc, payment: Doc) -> Doc:
    """Return one refund; an SBP refund on its way is ``pending``."""
    return {
        "gateway": "cloudpayments",
        "id": str(doc["id"]),
        "payment_id": str(payment["id"]),
        "transaction_id": payment["invoice_id"],
        "amount": str(Decimal(doc["amount"])),
        "currency": doc["currency"],
        "status": _STATUSES[Status(doc["status"])],
        "created_at": doc["created_at"],
    }


def _method_entry(doc: Doc) -> Doc:
    return {
        "gateway": "cloudpayments",
        "id": doc["token"],
        "token": doc["token"],
        "account": doc["account_id"],
        "mask": doc["mask"] or doc["method"],
        "expires": doc["exp"] or None,
        "active": True,
        "created_at": doc["created_at"],
    }

"""Fiscal receipts (CloudKassir): accepted, kept, and reported by the Receipt notification a moment later."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from portal.sandbox.clock import iso, parse_iso
from portal.sandbox.cloudpayments import hooks
from portal.sandbox.cloudpayments.binding import Params, plain_number
from portal.sandbox.cloudpayments.dates import notification_time
from portal.sandbox.cloudpayments.transactions import Doc, storable
from portal.sandbox.world import World

KIND = "cloudpayments_receipt"
TYPES = ("Income", "IncomeReturn", "Expense", "ExpenseReturn")
LABEL_LIMIT = 128


def queue(world: World, payment: Doc, type_name: str, receipt: Doc) -> None:
    """Fiscalize the receipt of a payment or refund, unless it carries none or receipts are switched off."""
    if receipt and world.settings["cloudpayments_receipts"]:
        about = {name: payment[name] for name in ("public_id", "invoice_id", "account_id")}
        accept(world, type_name, receipt, "", {**about, "transaction_id": payment["id"]})


def accept(world: World, type_name: str, receipt: Doc, inn: str, about: Doc) -> Doc:
    """Keep a receipt as Queued and return it; ``about`` names terminal, InvoiceId, AccountId and
    transaction.
    """
    now = world.clock.now()
    with world.store.transaction():
        doc = {
            "id": uuid4().hex,
            "number": world.store.number("cloudpayments_receipt", 1),
            "state": "Queued",
            "type": type_name,
            "inn": inn or "7708806063",
            "receipt": storable(receipt),
            "amount": str(total(receipt)),
            "created_at": iso(now),
            "due_at": iso(now + timedelta(seconds=world.settings["cloudpayments_receipt_seconds"])),
            "trouble": trouble(receipt),
            "transaction_id": None,
            **about,
        }
        world.store.put(KIND, doc["id"], doc)
    return doc


def total(receipt: Doc) -> Decimal:
    """Return the sum of the items' amounts."""
    return sum((_money(Params(item).value("amount")) for item in _items(receipt)), Decimal("0.00"))


def trouble(receipt: Doc) -> str:
    """Return why the cash register would refuse the receipt, or an empty text (CloudKassir's conditions)."""
    items = _items(receipt)
    if not items:
        return "Receipt has no items"
    for item in map(Params, items):
        if not item.text("label"):
            return "Item has no label"
        if min(_money(item.value(name)) for name in ("price", "quantity", "amount")) < 0:
            return "Item has a negative number"
    return "" if total(receipt) > 0 else "Receipt total is zero"


def next_due(world: World) -> datetime | None:
    """Return when the next queued receipt will be ready."""
    due = [doc["due_at"] for doc in world.store.find(KIND, state="Queued")]
    return parse_iso(min(due)) if due else None


def run_due(world: World, now: datetime) -> None:
    """Finish every receipt that is due, and report those that the cash register took."""
    with world.store.transaction():
        for doc in world.store.find(KIND, state="Queued"):
            if parse_iso(doc["due_at"]) > now:
                continue
            doc["state"] = "Error" if doc["trouble"] else "Processed"
            world.store.put(KIND, doc["id"], doc)
            if not doc["trouble"]:
                reference = str(doc["transaction_id"] or doc["id"])
                hooks.send_fields(world, "receipt", _fields(doc, now), reference, doc["public_id"])


def _fields(doc: Doc, now: datetime) -> dict[str, str]:
    link = f"https://receipts.example/{doc['id']}"
    return {
        "Id": doc["id"],
        "DocumentNumber": str(doc["number"]),
        "SessionNumber": "1",
        "Number": str(doc["number"]),
        "FiscalSign": str(int(doc["id"][:8], 16)),
        "DeviceNumber": "00000000000000000001",
        "RegNumber": "0000000000000001",
        "FiscalNumber": "9999078900000001",
        "Inn": doc["inn"],
        "Type": doc["type"],
        "Ofd": "Sandbox",
        "Url": link,
        "QrCodeUrl": f"{link}/qr",
        "TransactionId": str(doc["transaction_id"] or ""),
        "Amount": doc["amount"],
        "DateTime": notification_time(iso(now)),
        "InvoiceId": doc["invoice_id"],
        "AccountId": doc["account_id"],
        "Receipt": json.dumps(doc["receipt"], ensure_ascii=False, default=plain_number),
        "CalculationPlace": Params(doc["receipt"]).text("calculationPlace"),
        "SettlePlace": "",
    }


def _items(receipt: Doc) -> list[Doc]:
    items = Params(receipt).value("Items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _money(value: Any) -> Decimal:
    try:
        return Decimal(str(value or 0))
    except ArithmeticError:
        return Decimal(-1)

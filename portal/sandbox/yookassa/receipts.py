"""Fiscal receipts: demanded when the shop is told to, stored, and registered a moment later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from portal.sandbox.clock import iso
from portal.sandbox.store import Document
from portal.sandbox.world import World
from portal.sandbox.yookassa.agenda import Agenda
from portal.sandbox.yookassa.checks import check_amount
from portal.sandbox.yookassa.parts import tidy
from portal.sandbox.yookassa.receipt_checks import check_receipt
from portal.sandbox.yookassa.refusals import BAD_RECEIPT, NO_SUCH_PAYMENT, RefusalError, invalid

KIND = "yookassa_receipt"
_MOST = 50
_SETTLEMENTS = ("cashless", "prepayment", "postpayment", "consideration")


def demand(world: World, body: Mapping[str, Any], total: Decimal) -> None:
    """Refuse a request without a receipt while the shop must send them, and any receipt that is wrong."""
    required = world.settings["yookassa_fiscalization"]
    if "receipt" not in body:
        if required:
            raise invalid("receipt", BAD_RECEIPT)
        return
    if not isinstance(body["receipt"], dict):
        raise invalid("receipt")
    provider = world.settings["yookassa_fiscalization_provider"] if required else ""
    check_receipt(body["receipt"], total, provider)


def register_for(world: World, kind: str, owner: Document) -> None:
    """Make the receipt that came with a payment or a refund which has now succeeded."""
    receipt = owner["receipt"]
    if not receipt or not world.settings["yookassa_fiscalization"]:
        return
    owner["object"]["receipt_registration"] = "pending"
    world.store.put(f"yookassa_{kind}", owner["id"], owner)
    given = {name: receipt[name] for name in ("items", "tax_system_code") if name in receipt}
    _make(world, {"type": kind, f"{kind}_id": owner["id"], **given}, owner=f"yookassa_{kind}")


def create(world: World, body: Document) -> tuple[str, str]:
    """``POST /receipts``: a separate receipt for a payment or a refund, as for the offset of a prepayment."""
    kind = body.get("type")
    if kind not in ("payment", "refund"):
        raise invalid("type")
    if body.get("send") is not True:
        raise invalid("send")
    _check_parent(world, body, kind)
    settlements = body.get("settlements")
    if not isinstance(settlements, list) or not settlements:
        raise invalid("settlements")
    for settlement in settlements:
        if not isinstance(settlement, dict) or settlement.get("type") not in _SETTLEMENTS:
            raise invalid("settlements.type")
    total = sum((check_amount(settlement) for settlement in settlements), Decimal())
    if not isinstance(body.get("customer"), dict):
        raise invalid("customer")
    check_receipt(body, total, world.settings["yookassa_fiscalization_provider"])
    kept = ("type", "payment_id", "refund_id", "items", "settlements", "tax_system_code")
    return KIND, _make(world, {name: body[name] for name in kept if name in body}, owner=None)


def fetch(world: World, key: str) -> Document:
    """Return a receipt's document; an unknown id is a 404."""
    doc = world.store.get(KIND, key)
    if doc is None:
        raise RefusalError(404, "Receipt doesn't exist or access denied", "receipt_id")
    return doc


def show(doc: Document) -> Document:
    """The receipt object of the API."""
    return tidy(doc["object"])


def register(world: World, key: str) -> None:
    """The cash register has done its work."""
    doc = world.store.get(KIND, key)
    if doc is None or doc["status"] != "pending":
        return
    number = world.store.number("yookassa_fiscal_document", 1)
    doc["status"] = "succeeded"
    doc["object"].update(
        status="succeeded",
        fiscal_document_number=str(number),
        fiscal_storage_number="9960440300000000",
        fiscal_attribute=f"{2_000_000_000 + number}",
        fiscal_provider_id=f"sandbox-{number}",
        registered_at=iso(world.clock.now()),
    )
    world.store.put(KIND, key, doc)
    kind, owner_key = doc["owner"], doc["object"].get("payment_id") or doc["object"].get("refund_id")
    owner = world.store.get(kind, owner_key) if kind else None
    if kind and owner:
        owner["object"]["receipt_registration"] = "succeeded"
        world.store.put(kind, owner_key, owner)


def _check_parent(world: World, body: Document, kind: str) -> None:
    """A receipt belongs to one existing payment or refund, which takes at most 50."""
    field = f"{kind}_id"
    parent = body.get(field)
    if not isinstance(parent, str) or world.store.get(f"yookassa_{kind}", parent) is None:
        raise invalid(field, NO_SUCH_PAYMENT)
    if len([doc for doc in world.store.all(KIND) if doc["object"].get(field) == parent]) >= _MOST:
        raise invalid(field)


def _make(world: World, fields: Document, owner: str | None) -> str:
    now = world.clock.now()
    key = f"rt-{uuid4()}"
    obj = {"id": key, "status": "pending", **fields}
    doc = {"id": key, "status": "pending", "owner": owner, "object": obj, "created_at": iso(now)}
    world.store.put(KIND, key, doc)
    wait = timedelta(seconds=world.settings["yookassa_receipt_seconds"])
    Agenda(world.store).put("register", key, now + wait)
    return key

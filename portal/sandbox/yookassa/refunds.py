"""Refunds: by the API or from the shop's cabinet, whole or in parts, never more than was captured."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from portal.sandbox.clock import iso, parse_iso
from portal.sandbox.store import Document
from portal.sandbox.world import World
from portal.sandbox.yookassa import payments, receipts
from portal.sandbox.yookassa.agenda import Agenda
from portal.sandbox.yookassa.cards import BY_GATEWAY
from portal.sandbox.yookassa.checks import check_amount, check_metadata, check_types
from portal.sandbox.yookassa.ids import REFUND, new_id
from portal.sandbox.yookassa.notices import announce
from portal.sandbox.yookassa.parts import money, tidy
from portal.sandbox.yookassa.refusals import NO_SUCH_PAYMENT, RefusalError, invalid

KIND = "yookassa_refund"
BY_REFUND_NETWORK = "refund_network"
# The gateway's own words for these refusals are not known; these are ours.
NOT_REFUNDABLE = "Payment can't be refunded"
TOO_MUCH = "Refund amount exceeds the remaining amount of the payment"
TOO_OLD = "Payment is too old to be refunded"


def create(world: World, body: Document) -> tuple[str, str]:
    """``POST /refunds``: return (kind, id), or raise RefusalError and refund nothing."""
    types = {"payment_id": str, "description": str, "metadata": dict, "receipt": dict, "sources": list}
    check_types(body, types)
    payment = world.store.get(payments.KIND, body.get("payment_id", ""))
    if payment is None:
        raise invalid("payment_id", NO_SUCH_PAYMENT)
    amount = check_amount(body)
    if len(body.get("description", "")) > 250:
        raise invalid("description")
    check_metadata(body)
    _check_payment(world, payment, amount)
    if "receipt" in body or amount < payments.amount_of(payment):
        receipts.demand(world, body, amount)
    return KIND, make(world, payment, amount, body)


def make(world: World, payment: Document, amount: Decimal, body: Document) -> str:
    """Book a refund whose request has been checked and return its id."""
    now = world.clock.now()
    key = new_id(now, REFUND)
    obj = {
        "id": key,
        "status": "pending",
        "payment_id": payment["id"],
        "amount": money(amount),
        "created_at": iso(now),
        "description": body.get("description"),
        "metadata": body.get("metadata"),
    }
    doc = {
        "id": key,
        "status": "pending",
        "payment_id": payment["id"],
        "object": obj,
        "request": body,
        "receipt": body.get("receipt"),
        "outcome": "succeeded",
        "created_at": iso(now),
    }
    outcome = world.settings["yookassa_refund_outcome"]
    world.store.put(KIND, key, doc)
    if not outcome.startswith("pending"):
        _end(world, doc, outcome)
        return key
    doc["outcome"] = outcome.removeprefix("pending").removeprefix("_") or "succeeded"
    world.store.put(KIND, key, doc)
    wait = timedelta(seconds=world.settings["yookassa_pending_seconds"])
    Agenda(world.store).put("refund", key, now + wait)
    return key


def remainder(world: World, payment: Document) -> Decimal:
    """What can still be refunded: captured, less every refund that succeeded or may yet."""
    taken = [d for d in world.store.find(KIND, payment_id=payment["id"]) if d["status"] != "canceled"]
    return Decimal(payment["captured"]) - sum(
        (Decimal(d["object"]["amount"]["value"]) for d in taken), Decimal()
    )


def settle(world: World, key: str) -> None:
    """A pending refund ends as it was programmed."""
    doc = world.store.get(KIND, key)
    if doc and doc["status"] == "pending":
        _end(world, doc, doc["outcome"])


def fetch(world: World, key: str) -> Document:
    """Return a refund's document; an unknown id is a 404."""
    doc = world.store.get(KIND, key)
    if doc is None:
        raise RefusalError(404, "Incorrect refund_id. Refund doesn't exist or access denied", "refund_id")
    return doc


def show(doc: Document) -> Document:
    """The refund object of the API."""
    return tidy(doc["object"])


def _check_payment(world: World, payment: Document, amount: Decimal) -> None:
    obj = payment["object"]
    if payment["status"] != "succeeded" or not obj["refundable"]:
        raise invalid("payment_id", NOT_REFUNDABLE)
    years = 1 if obj["payment_method"]["type"] == "sberbank" else 3
    if parse_iso(obj["captured_at"]) + timedelta(days=365 * years) < world.clock.now():
        raise invalid("payment_id", TOO_OLD)
    if amount > remainder(world, payment):
        raise invalid("amount.value", TOO_MUCH)


def _end(world: World, doc: Document, outcome: str) -> None:
    """Pay back and tell the shop, or cancel in silence: there is no event for a refund that failed."""
    obj = doc["object"]
    if outcome != "succeeded":
        party = BY_GATEWAY if outcome == "insufficient_funds" else BY_REFUND_NETWORK
        obj.update(status="canceled", cancellation_details={"party": party, "reason": outcome})
        doc["status"] = "canceled"
        world.store.put(KIND, doc["id"], doc)
        return
    obj["status"] = doc["status"] = "succeeded"
    world.store.put(KIND, doc["id"], doc)
    payment = payments.fetch(world, doc["payment_id"])
    refunded = Decimal(payment["object"]["refunded_amount"]["value"]) + Decimal(obj["amount"]["value"])
    payment["object"]["refunded_amount"] = money(refunded)
    payment["object"]["refundable"] = refunded < Decimal(payment["captured"])
    payments.save(world, payment)
    receipts.register_for(world, "refund", doc)
    announce(world, "refund.succeeded", show(doc))

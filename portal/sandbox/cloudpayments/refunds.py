"""Giving money back: a transaction of its own, within what was captured, for a year."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from portal.sandbox.clock import iso, parse_iso
from portal.sandbox.cloudpayments import hooks, receipts
from portal.sandbox.cloudpayments.binding import BadRequest, instruction
from portal.sandbox.cloudpayments.payments import load
from portal.sandbox.cloudpayments.transactions import FIRST_ID, KIND, Doc, Status
from portal.sandbox.world import World

YEAR = timedelta(days=365)
#: ReceiverAccountError: what a refund that came back carries is not documented, this is the nearest.
BOUNCED = 6021


def refund(world: World, public_id: str, transaction_id: int, amount: Decimal, data: str = "") -> Doc:
    """Refund a captured payment and return the refund's own transaction.

    Raises ``BadRequest`` for a payment that is not Completed, is older than a year, or has less left. A
    refund by SBP ends later; the Refund notification tells when.
    """
    with world.store.transaction():
        payment = load(world, transaction_id, public_id)
        _allow(payment, amount, world.clock.now())
        refunded = Decimal(payment["refunded"]) + amount
        full = refunded == Decimal(payment["captured"])
        payment["refunded"] = str(refunded)
        payment["refunded_flag"] = full or world.settings["cloudpayments_refunded_flag"] == "any"
        world.store.put(KIND, str(payment["id"]), payment)
        doc = _open(world, payment, amount, data)
        world.store.put(KIND, str(doc["id"]), doc)
        if doc["status"] == Status.COMPLETED:
            _finish(world, doc)
    return doc


def left(payment: Doc) -> Decimal:
    """Return what can still be refunded."""
    return Decimal(payment["captured"]) - Decimal(payment["refunded"])


def next_due(world: World) -> datetime | None:
    """Return when the next SBP refund will arrive."""
    due = [doc["refund_due"] for doc in _under_way(world)]
    return parse_iso(min(due)) if due else None


def run_due(world: World, now: datetime) -> None:
    """Finish the SBP refunds that are due."""
    with world.store.transaction():
        for doc in _under_way(world):
            if parse_iso(doc["refund_due"]) > now:
                continue
            if world.settings["cloudpayments_sbp_refund_outcome"] == "bounced":
                _bounce(world, doc)
                continue
            doc.update(status=Status.COMPLETED.value, confirm_at=iso(now), refund_due=None)
            world.store.put(KIND, str(doc["id"]), doc)
            _finish(world, doc)


def _allow(payment: Doc, amount: Decimal, now: datetime) -> None:
    if payment["original_id"] or payment["status"] != Status.COMPLETED:
        raise BadRequest("Transaction is not in the Completed status")
    if now - parse_iso(payment["created_at"]) > YEAR:
        raise BadRequest("Refund is not possible for payments older than one year")
    if not 0 < amount <= left(payment):
        raise BadRequest("Refund amount is greater than the amount left")


def _open(world: World, payment: Doc, amount: Decimal, data: str) -> Doc:
    now = iso(world.clock.now())
    slow = payment["method"] == "Sbp"
    seconds = timedelta(seconds=world.settings["cloudpayments_sbp_refund_seconds"])
    return payment | {
        "id": world.store.number("cloudpayments_transaction", FIRST_ID),
        "original_id": payment["id"],
        "amount": str(amount),
        "captured": "0.00",
        "refunded": "0.00",
        "refunded_flag": False,
        "status": (Status.CREATED if slow else Status.COMPLETED).value,
        "created_at": now,
        "auth_at": None,
        "confirm_at": None if slow else now,
        "refund_due": iso(world.clock.now() + seconds) if slow else None,
        "refund_data": data,
        "token": "",
    }


def _finish(world: World, doc: Doc) -> None:
    hooks.send(world, "refund", doc)
    receipts.queue(world, doc, "IncomeReturn", instruction(doc["refund_data"], "CustomerReceipt"))


def _bounce(world: World, doc: Doc) -> None:
    """The payer's bank did not take the money: what can be refunded is as before, and nobody is told."""
    doc.update(status=Status.DECLINED.value, refund_due=None, reason_code=BOUNCED)
    world.store.put(KIND, str(doc["id"]), doc)
    payment = load(world, int(doc["original_id"]))
    refunded = Decimal(payment["refunded"]) - Decimal(doc["amount"])
    payment["refunded"] = str(refunded)
    payment["refunded_flag"] = payment["refunded_flag"] and refunded > 0
    world.store.put(KIND, str(payment["id"]), payment)


def _under_way(world: World) -> list[Doc]:
    waiting = world.store.find(KIND, status=Status.CREATED.value)
    return [doc for doc in waiting if doc["original_id"] and doc.get("refund_due")]

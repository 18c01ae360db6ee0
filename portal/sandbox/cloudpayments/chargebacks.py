"""Money that a payer's bank took back, and what the gateway tells of it: a list, and no notification."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from portal.sandbox.clock import iso
from portal.sandbox.cloudpayments.binding import BadRequest
from portal.sandbox.cloudpayments.transactions import Doc, Status, mask, number
from portal.sandbox.world import World

KIND = "cloudpayments_chargeback"
FIRST_ID = 70_001
#: What a line of the list may be: the bank takes the money, gives it back, or the gateway's fee for either.
WHAT = {
    "presentment": ("Chargeback", "Presentment"),
    "representment": ("Chargeback", "Representment"),
    "fee": ("Fee", "Presentment"),
}


def dispute(world: World, payment: Doc, amount: Decimal, what: str) -> Doc:
    """Write a line about a captured payment. Raises ``BadRequest`` for one that took no money, for more than
    it took, and for a word that is none of ``WHAT``.
    """
    if what not in WHAT:
        raise BadRequest(f"operation is one of {', '.join(WHAT)}")
    if payment["original_id"] or payment["status"] != Status.COMPLETED:
        raise BadRequest("Transaction is not in the Completed status")
    if not 0 < amount <= Decimal(payment["captured"]):
        raise BadRequest("Chargeback amount is greater than the amount captured")
    kind, operation = WHAT[what]
    with world.store.transaction():
        doc = {
            "id": world.store.number(KIND, FIRST_ID),
            "transaction_id": payment["id"],
            "public_id": payment["public_id"],
            "reference": payment["invoice_id"],
            "amount": str(amount),
            "currency": payment["currency"],
            "type": kind,
            "operation": operation,
            "card": mask(payment),
            "created_at": iso(world.clock.now()),
        }
        world.store.put(KIND, str(doc["id"]), doc)
    return doc


def model(doc: Doc) -> dict[str, Any]:
    """One line as the list shows it."""
    return {
        "ChargeBackId": doc["id"],
        "TerminalUrl": "http://sandbox.test",
        "TransactionId": doc["transaction_id"],
        "Amount": number(doc["amount"]),
        "Currency": doc["currency"],
        "Type": doc["type"],
        "Operation": doc["operation"],
        "Card": doc["card"],
        "Gateway": "Sandbox",
        "Date": doc["created_at"][:19],
    }

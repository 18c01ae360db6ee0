"""One opening of the payment form: what was asked, how far the payer has come, and what the page is told."""

from __future__ import annotations

import secrets
from typing import Any

from portal.sandbox.clock import iso
from portal.sandbox.cloudpayments import payments
from portal.sandbox.cloudpayments.reasons import reason
from portal.sandbox.cloudpayments.transactions import Doc, Status
from portal.sandbox.world import World

KIND = "cloudpayments_session"

#: Where the documentation's own example of a result differs from the text for the cardholder.
_RESULT_TEXTS = {
    5206: "3-D Secure авторизация не пройдена",
    5207: "3-D Secure авторизация недоступна",
}


def create(world: World, start: Doc, origin: str, **more: Any) -> Doc:
    """Write down an opening and return it; ``origin`` is the embedding page's, empty for a page of its
    own.
    """
    doc = {
        "id": secrets.token_urlsafe(18),
        "start": start,
        "origin": origin,
        "transaction_id": None,
        "created_at": iso(world.clock.now()),
        "reference": str(start.get("externalId") or ""),
        **more,
    }
    world.store.put(KIND, doc["id"], doc)
    return doc


def attach(world: World, session: Doc, transaction_id: int | None) -> None:
    """Remember which transaction the form is about now; ``None`` starts a new attempt."""
    world.store.put(KIND, session["id"], {**session, "transaction_id": transaction_id})


def transaction(world: World, session: Doc) -> Doc | None:
    """Return the transaction of the present attempt."""
    number = session["transaction_id"]
    return None if number is None else payments.load(world, number)


def result(doc: Doc) -> Doc | None:
    """Return what the widget's promise gives for a transaction, or ``None`` while it has not ended."""
    if doc["status"] in {Status.COMPLETED, Status.AUTHORIZED, Status.CANCELLED}:
        return {"type": "payment", "data": {"transactionId": doc["id"]}, "status": "success"}
    if doc["status"] != Status.DECLINED:
        return None
    return {
        "type": "error",
        "data": {"transactionId": doc["id"], "ReasonCode": doc["reason_code"]},
        "message": message(doc),
        "status": "fail",
    }


def message(doc: Doc) -> str:
    """Return what the payer reads about a declined payment."""
    return _RESULT_TEXTS.get(doc["reason_code"]) or reason(doc["reason_code"]).message

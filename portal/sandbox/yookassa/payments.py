"""A payment's life after it was created: approved, captured, canceled, expired.

``pending -> waiting_for_capture -> succeeded`` and ``-> canceled`` from either; the last two are final.
Refunds change ``refunded_amount`` and never the status. Every function runs inside the caller's store
transaction.
"""

from __future__ import annotations

import random
from decimal import Decimal

from portal.sandbox.clock import iso
from portal.sandbox.store import Document
from portal.sandbox.world import World
from portal.sandbox.yookassa import methods, receipts
from portal.sandbox.yookassa.agenda import Agenda
from portal.sandbox.yookassa.cards import BY_GATEWAY, BY_NETWORK
from portal.sandbox.yookassa.checks import check_amount
from portal.sandbox.yookassa.means import MEANS
from portal.sandbox.yookassa.notices import announce
from portal.sandbox.yookassa.parts import income, money, tidy
from portal.sandbox.yookassa.refusals import NO_SUCH_PAYMENT, RefusalError, invalid

KIND = "yookassa_payment"
WRONG_STATUS = "Payment has a status that doesn't allow this operation"
"""Our own words: the gateway's are not known."""


def fetch(world: World, key: str) -> Document:
    """Return a payment's document; an unknown id is refused."""
    doc = world.store.get(KIND, key)
    if doc is None:
        status = int(world.settings["yookassa_unknown_payment"])
        raise RefusalError(status, NO_SUCH_PAYMENT, "payment_id")
    return doc


def show(doc: Document) -> Document:
    """The payment object of the API."""
    return tidy(doc["object"])


def save(world: World, doc: Document) -> None:
    """Write a payment back, its status also where the store can find it."""
    doc["status"] = doc["object"]["status"]
    world.store.put(KIND, doc["id"], doc)


def amount_of(doc: Document) -> Decimal:
    """The payment's sum as it is now (after a partial capture: what was captured)."""
    return Decimal(doc["object"]["amount"]["value"])


def approve(world: World, doc: Document, method: Document, *, three_ds: bool) -> None:
    """The bank has agreed: hold the money, or take it at once when the payment is one-stage."""
    obj = doc["object"]
    _close_waiting(world, doc)
    obj["payment_method"] = method
    obj["paid"] = True
    obj["authorization_details"] = {
        "rrn": f"{random.randrange(10**12):012d}",
        "auth_code": f"{random.randrange(10**6):06d}",
        "three_d_secure": {"applied": three_ds},
    }
    if method["saved"] and method["id"] == doc["id"]:
        methods.keep_from_payment(world, doc)
    hold = MEANS[method["type"]].hold
    if doc["capture"] or hold is None:
        _succeed(world, doc, amount_of(doc))
        return
    until = world.clock.now() + hold
    obj.update(status="waiting_for_capture", expires_at=iso(until))
    Agenda(world.store).put("hold", doc["id"], until)
    save(world, doc)
    announce(world, "payment.waiting_for_capture", show(doc))


def end(world: World, doc: Document, reason: str, party: str, method: Document | None = None) -> None:
    """Cancel for good, saying by whom and why."""
    obj = doc["object"]
    _close_waiting(world, doc)
    Agenda(world.store).drop("hold", doc["id"])
    if method is not None:
        obj["payment_method"] = method
    obj.pop("expires_at", None)
    obj.update(status="canceled", paid=False, refundable=False)
    obj["cancellation_details"] = {"party": party, "reason": reason}
    if doc["receipt"] and "receipt_registration" in obj:
        obj["receipt_registration"] = "canceled"
    save(world, doc)
    announce(world, "payment.canceled", show(doc))


def decline(world: World, doc: Document, reason: str, party: str, method: Document) -> None:
    """One attempt on the page has failed; the payer may try again unless the shop has it otherwise."""
    doc["last_reason"] = reason
    doc["last_refusal"] = {"reason": reason, "party": party, "method": method}
    if world.settings["yookassa_decline_cancels"]:
        end(world, doc, reason, party, method)
    else:
        save(world, doc)


def give_up(world: World, key: str) -> Document:
    """A payer who was refused has no other card: the payment ends as the refusal said."""
    with world.store.transaction():
        doc = fetch(world, key)
        refusal = doc.get("last_refusal")
        if refusal and doc["status"] == "pending":
            end(world, doc, **refusal)
    return doc


def capture(world: World, key: str, body: Document) -> tuple[str, str]:
    """Take all of a held sum, or the part that ``amount`` says; the rest goes back to the payer."""
    doc = fetch(world, key)
    held = amount_of(doc)
    taken = check_amount(body) if "amount" in body else held
    if doc["status"] != "waiting_for_capture":
        raise RefusalError(400, WRONG_STATUS)
    partial = taken < held
    if taken > held or (partial and not MEANS[doc["object"]["payment_method"]["type"]].partial_capture):
        raise invalid("amount.value")
    if "receipt" in body or partial:
        receipts.demand(world, body, taken)
    doc["receipt"] = body.get("receipt", doc["receipt"])
    _succeed(world, doc, taken)
    return KIND, key


def cancel(world: World, key: str) -> tuple[str, str]:
    """Give a held sum back. A method that was saved by this payment stays saved."""
    doc = fetch(world, key)
    if doc["status"] != "waiting_for_capture":
        raise RefusalError(400, WRONG_STATUS)
    end(world, doc, "canceled_by_merchant", "merchant")
    return KIND, key


def expire_pending(world: World, key: str) -> None:
    """The payer has let the time pass."""
    doc = world.store.get(KIND, key)
    if doc and doc["status"] == "pending":
        end(world, doc, "expired_on_confirmation", BY_GATEWAY)


def expire_hold(world: World, key: str) -> None:
    """The shop has not captured in time."""
    doc = world.store.get(KIND, key)
    if doc and doc["status"] == "waiting_for_capture":
        end(world, doc, "expired_on_capture", BY_GATEWAY)


def settle(world: World, key: str) -> None:
    """A charge that was programmed to wait succeeds."""
    doc = world.store.get(KIND, key)
    if doc and doc["status"] == "pending":
        approve(world, doc, doc["object"]["payment_method"], three_ds=False)


def blame(reason: str) -> str:
    """Who cancels for a reason when nothing else is known."""
    own = ("permission_revoked", "internal_timeout", "rejected_by_timeout", "country_forbidden")
    return BY_GATEWAY if reason in own else BY_NETWORK


def _succeed(world: World, doc: Document, taken: Decimal) -> None:
    obj = doc["object"]
    Agenda(world.store).drop("hold", doc["id"])
    obj.pop("expires_at", None)
    obj.update(
        status="succeeded",
        amount=money(taken),
        income_amount=money(income(taken)),
        captured_at=iso(world.clock.now()),
        refundable=MEANS[obj["payment_method"]["type"]].refundable,
        refunded_amount=money(Decimal()),
    )
    doc["captured"] = str(taken)
    save(world, doc)
    receipts.register_for(world, "payment", doc)
    announce(world, "payment.succeeded", show(doc))


def _close_waiting(world: World, doc: Document) -> None:
    for what in ("expire", "settle"):
        Agenda(world.store).drop(what, doc["id"])
    doc["object"].pop("confirmation", None)

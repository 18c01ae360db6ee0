"""Saved payment methods: kept from a payment or bound for nothing, and what becomes of their charges."""

from __future__ import annotations

from datetime import timedelta

from portal.sandbox.clock import iso
from portal.sandbox.errors import ControlError
from portal.sandbox.store import Document
from portal.sandbox.world import World
from portal.sandbox.yookassa.agenda import Agenda
from portal.sandbox.yookassa.cards import has_expired
from portal.sandbox.yookassa.checks import check_confirmation, check_metadata, check_types
from portal.sandbox.yookassa.ids import new_id
from portal.sandbox.yookassa.notices import announce
from portal.sandbox.yookassa.parts import tidy
from portal.sandbox.yookassa.refusals import NO_SUCH_METHOD, RefusalError, invalid
from portal.sandbox.yookassa.settings import GATEWAY_ID, SHOP_ID

KIND = "yookassa_method"
BINDING_PAGE = "/yookassa/checkout/payment-methods/v1/contract"
BINDING_LIFE = timedelta(hours=1)
SUCCESS = "success"
PENDING = "pending"
REASONS = frozenset({
    "3d_secure_failed", "call_issuer", "card_expired", "country_forbidden", "fraud_suspected",
    "general_decline", "identification_required", "insufficient_funds", "internal_timeout",
    "invalid_card_number", "invalid_csc",
    "issuer_unavailable", "payment_method_limit_exceeded", "payment_method_restricted", "permission_revoked",
    "rejected_by_timeout",
})  # fmt: skip
_SYNONYMS = {
    "succeeded": SUCCESS,
    "ok": SUCCESS,
    "declined": "general_decline",
    "decline": "general_decline",
    "blocked": "payment_method_restricted",
    "card_blocked": "payment_method_restricted",
    "expired": "card_expired",
    "revoked": "permission_revoked",
}


def keep_from_payment(world: World, payment: Document) -> None:
    """Remember the method that a payment has saved; its id is the payment's."""
    method = payment["object"]["payment_method"]
    metadata = payment["object"].get("metadata", {})
    account = payment["object"].get("merchant_customer_id") or metadata.get("user_id")
    doc = {
        "id": method["id"],
        "status": "active",
        "origin": "payment",
        "object": dict(method),
        "account": account,
        "reference": payment["reference"],
        "program": None,
        "created_at": iso(world.clock.now()),
    }
    world.store.put(KIND, doc["id"], doc)


def chargeable(world: World, key: str) -> Document:
    """Return a saved method; unknown, unsaved and unfinished ones are refused alike."""
    doc = world.store.get(KIND, key)
    if doc is None or doc["status"] != "active":
        raise invalid("payment_method_id", NO_SUCH_METHOD)
    return doc


def as_used(doc: Document) -> Document:
    """The method as it appears in a payment: without what belongs to its binding."""
    return {
        name: value
        for name, value in doc["object"].items()
        if name not in ("holder", "metadata", "confirmation")
    }


def program(world: World, key: str, outcome: str, times: int | None) -> Document:
    """Decide how the next ``times`` charges end, or all of them: success, pending or a reason."""
    word = outcome.strip().lower().replace("-", "_").replace(" ", "_")
    word = _SYNONYMS.get(word, word)
    if word not in REASONS | {SUCCESS, PENDING}:
        known = ", ".join(sorted(REASONS))
        raise ControlError(400, "UNKNOWN_OUTCOME", f"{outcome!r} is none of success, pending, {known}.")
    with world.store.transaction():
        doc = world.store.get(KIND, key)
        if doc is None:
            raise ControlError(404, "UNKNOWN_METHOD", f"YooKassa has saved no method {key!r}.")
        doc["program"] = {"outcome": word, "times": times}
        world.store.put(KIND, key, doc)
    return {"gateway": "yookassa", "payment_method_id": key, "outcome": word, "times": times}


def next_outcome(world: World, doc: Document) -> str:
    """How the charge that is made now ends; uses the programme up by one."""
    programme = doc["program"]
    if programme:
        if programme["times"] is not None:
            programme["times"] -= 1
            doc["program"] = programme if programme["times"] else None
            world.store.put(KIND, doc["id"], doc)
        return str(programme["outcome"])
    card = doc["object"].get("card")
    return "card_expired" if card and has_expired(card, world.clock.now()) else SUCCESS


def bind(world: World, body: Document, base_url: str) -> tuple[str, str]:
    """``POST /payment_methods``: a binding without a payment, which waits one hour for its owner."""
    _check_binding(body)
    now = world.clock.now()
    key = new_id(now)
    url = f"{base_url}{BINDING_PAGE}?paymentMethodId={key}"
    by_link = body["confirmation"]["type"] == "redirect"
    place = {"confirmation_url": url} if by_link else {"confirmation_data": url}
    metadata = body.get("metadata", {})
    obj = {
        "type": body["type"],
        "id": key,
        "saved": False,
        "status": "pending",
        "holder": {"account_id": SHOP_ID, "gateway_id": GATEWAY_ID, **body.get("holder", {})},
        "confirmation": {"type": body["confirmation"]["type"], **place},
        "metadata": metadata,
    }
    doc = {
        "id": key,
        "status": "pending",
        "origin": "binding",
        "object": obj,
        "account": metadata.get("user_id"),
        "reference": metadata.get("payment_id"),
        "program": None,
        "return_url": body["confirmation"].get("return_url"),
        "last_reason": None,
        "request": body,
        "created_at": iso(now),
    }
    world.store.put(KIND, key, doc)
    Agenda(world.store).put("unbind", key, now + BINDING_LIFE)
    return KIND, key


def _check_binding(body: Document) -> None:
    """Refuse a request that the documentation does not allow."""
    types = {"confirmation": dict, "metadata": dict, "client_ip": str, "holder": dict, "card": dict}
    check_types(body, types)
    if body.get("type") not in ("bank_card", "sbp"):
        raise invalid("type")
    if "confirmation" not in body:
        raise invalid("confirmation")
    check_confirmation(body, {"redirect"} if body["type"] == "bank_card" else {"redirect", "qr"})
    check_metadata(body)
    if "card" in body:
        raise RefusalError(403, "This store can't accept card data. A PCI DSS certificate is required")


def fetch_binding(world: World, key: str) -> Document:
    """Return a method for ``GET /payment_methods/{id}``."""
    doc = world.store.get(KIND, key)
    visible = doc and (doc["origin"] == "binding" or world.settings["yookassa_get_saved_methods"])
    if doc is None or not visible:
        raise RefusalError(404, NO_SUCH_METHOD, "payment_method_id")
    return doc


def show(doc: Document) -> Document:
    """The payment method object of the API."""
    return tidy(doc["object"])


def activate(world: World, doc: Document, details: Document) -> None:
    """A binding has succeeded: the method can be charged, and the shop is told."""
    _finish(world, doc, "active", saved=True)
    doc["object"].update({name: details[name] for name in ("title", "card") if name in details})
    if doc["object"]["type"] == "sbp":
        doc["object"] |= {"payer_bank_details": {"bank_id": "100000000111"}, "title": "СБП"}
    world.store.put(KIND, doc["id"], doc)
    announce(world, "payment_method.active", show(doc))


def refuse(world: World, doc: Document, reason: str) -> None:
    """An attempt to bind has failed; nobody is told, and the owner may try again unless declines cancel."""
    doc["last_reason"] = reason
    if world.settings["yookassa_decline_cancels"]:
        _finish(world, doc, "inactive", saved=False)
    world.store.put(KIND, doc["id"], doc)


def expire(world: World, key: str) -> None:
    """A binding's hour is over: it becomes inactive without a reason and without a notification."""
    doc = world.store.get(KIND, key)
    if doc and doc["status"] == "pending":
        _finish(world, doc, "inactive", saved=False)
        world.store.put(KIND, key, doc)


def _finish(world: World, doc: Document, status: str, *, saved: bool) -> None:
    Agenda(world.store).drop("unbind", doc["id"])
    doc["status"] = status
    doc["object"].update(status=status, saved=saved)
    doc["object"].pop("confirmation", None)

"""``POST /payments``: a payment that waits for its payer, or the charge of a saved method, which ends at
once.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from portal.sandbox.clock import iso
from portal.sandbox.store import Document
from portal.sandbox.world import World
from portal.sandbox.yookassa import methods, payments, receipts
from portal.sandbox.yookassa.agenda import Agenda
from portal.sandbox.yookassa.checks import check_payment
from portal.sandbox.yookassa.ids import new_id
from portal.sandbox.yookassa.means import MEANS, on_page
from portal.sandbox.yookassa.parts import money
from portal.sandbox.yookassa.refusals import NO_RECURRING, RefusalError
from portal.sandbox.yookassa.settings import GATEWAY_ID, SHOP_ID

CHECKOUT = "/yookassa/checkout/payments/v2/contract"
_ONE_HOUR = timedelta(hours=1)


def create(world: World, body: Document, base_url: str) -> tuple[str, str]:
    """Make a payment and return (kind, id); raise RefusalError without making one."""
    amount = check_payment(body)
    if body.get("save_payment_method"):
        require_recurring(world)
    saved = None
    if "payment_method_id" in body:
        if world.settings["yookassa_recurring_blocks_saved"]:
            require_recurring(world)
        saved = methods.chargeable(world, body["payment_method_id"])
    receipts.demand(world, body, amount)
    doc = _document(world, body, amount, base_url)
    payments.save(world, doc)
    if saved:
        _charge(world, doc, saved)
    else:
        pay_by = _pay_by(body)
        if pay_by is not None:
            Agenda(world.store).put("expire", doc["id"], world.clock.now() + pay_by)
    return payments.KIND, str(doc["id"])


def require_recurring(world: World) -> None:
    """Refuse with the 403 of a shop that may not charge by itself."""
    if not world.settings["yookassa_recurring"]:
        raise RefusalError(403, NO_RECURRING)


def _pay_by(body: Document) -> timedelta | None:
    given = body.get("payment_method_data", {}).get("type")
    return MEANS[given].pay_by if given else _ONE_HOUR


def _document(world: World, body: Document, amount: Decimal, base_url: str) -> Document:
    now = world.clock.now()
    key = new_id(now)
    given = body.get("payment_method_data", {}).get("type")
    metadata = body.get("metadata", {})
    obj: Document = {
        "id": key,
        "status": "pending",
        "paid": False,
        "amount": money(amount),
        "created_at": iso(now),
        "description": body.get("description"),
        "metadata": metadata,
        "recipient": {"account_id": SHOP_ID, "gateway_id": GATEWAY_ID, **body.get("recipient", {})},
        "refundable": False,
        "test": world.settings["yookassa_test_mode"],
        "merchant_customer_id": body.get("merchant_customer_id"),
    }
    if given:
        obj["payment_method"] = {"type": given, "id": key, "saved": False, "status": "pending"}
    if "confirmation" in body:
        obj["confirmation"] = _confirmation(body, key, base_url, given)
    return {
        "id": key,
        "reference": metadata.get("payment_id"),
        "object": obj,
        "request": body,
        "authorized": str(amount),
        "captured": "0",
        "capture": body.get("capture", False),
        "saving": _saving(world, body),
        "means": on_page(
            given, capture=body.get("capture", False), saving=bool(body.get("save_payment_method"))
        ),
        "return_url": body.get("confirmation", {}).get("return_url"),
        "enforce_3ds": body.get("confirmation", {}).get("enforce", False),
        "last_reason": None,
        "receipt": body.get("receipt"),
        "created_at": iso(now),
    }


def _saving(world: World, body: Document) -> str:
    """``forced`` by the flag, ``offered`` as a box when the flag was left out, or ``never``."""
    if "save_payment_method" in body:
        return "forced" if body["save_payment_method"] else "never"
    return "offered" if world.settings["yookassa_recurring"] else "never"


def _confirmation(body: Document, key: str, base_url: str, given: str | None) -> dict[str, Any]:
    asked, url = body["confirmation"], f"{base_url}{CHECKOUT}?orderId={key}"
    kind = asked["type"]
    answer: dict[str, Any] = {"type": kind}
    if kind == "embedded":
        return answer | {"confirmation_token": f"ct-{key}"}
    if kind == "qr":
        return answer | {"confirmation_data": url}
    if kind == "external":
        return answer
    answer["confirmation_url"] = url
    # Seen on the wire: a smart payment does not repeat the return address, a payment with a given method
    # does.
    if given:
        answer |= {name: asked[name] for name in ("return_url", "enforce") if name in asked}
    return answer


def _charge(world: World, doc: Document, saved: Document) -> None:
    """Charge a saved method without its owner: the answer is final at once, and a notification goes out as
    well.
    """
    outcome = methods.next_outcome(world, saved)
    method = methods.as_used(saved)
    if outcome == methods.SUCCESS:
        payments.approve(world, doc, method, three_ds=False)
    elif outcome == methods.PENDING:
        doc["object"]["payment_method"] = method
        payments.save(world, doc)
        wait = timedelta(seconds=world.settings["yookassa_pending_seconds"])
        Agenda(world.store).put("settle", doc["id"], world.clock.now() + wait)
    else:
        doc["last_reason"] = outcome
        payments.end(world, doc, outcome, payments.blame(outcome), method)

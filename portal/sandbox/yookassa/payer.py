"""What a payer does on the hosted page, for a payment and for a binding alike."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass

from portal.sandbox.store import Document
from portal.sandbox.world import World
from portal.sandbox.yookassa import methods, payments
from portal.sandbox.yookassa.cards import SUCCESS, Outcome, card_document, has_expired, outcome_of
from portal.sandbox.yookassa.means import MEANS

_ATTEMPT = "yookassa_attempt"
_REFUSED_BY_PAYER = Outcome("3d_secure_failed", three_ds=True)


@dataclass(frozen=True)
class CardEntry:
    """A filled-in card form. ``year`` has four digits; ``save`` is the box for further payments."""

    number: str
    month: str
    year: str
    save: bool = False


class AlreadyOverError(Exception):
    """The payment or the binding does not wait for its payer any more."""


def subject(world: World, key: str) -> tuple[str, Document] | None:
    """Return (kind, document) of the payment or the binding with this id."""
    for kind in (payments.KIND, methods.KIND):
        doc = world.store.get(kind, key)
        if doc and (kind == payments.KIND or doc["origin"] == "binding"):
            return kind, doc
    return None


def try_card(world: World, key: str, entry: CardEntry) -> str | None:
    """Pay (or bind) by card; return the id of an attempt when the 3-D Secure page has to be passed first."""
    with world.store.transaction():
        kind, doc = _waiting(world, key)
        outcome = outcome_of(entry.number)
        if has_expired({"expiry_year": entry.year, "expiry_month": entry.month}, world.clock.now()):
            outcome = Outcome("card_expired")
        if outcome.three_ds or doc.get("enforce_3ds"):
            attempt = secrets.token_urlsafe(16)
            world.store.put(_ATTEMPT, attempt, {"id": attempt, "subject": key, **asdict(entry)})
            return attempt
        _conclude(world, kind, doc, entry, outcome, three_ds=False)
    return None


def attempt_subject(world: World, attempt: str) -> Document | None:
    """The payment or the binding behind a 3-D Secure page, or None for an unknown attempt."""
    doc = world.store.get(_ATTEMPT, attempt)
    found = subject(world, doc["subject"]) if doc else None
    return found[1] if found else None


def answer_three_ds(world: World, attempt: str, *, passed: bool) -> None:
    """Finish an attempt: the payer has entered the bank's code, or has refused."""
    with world.store.transaction():
        doc = world.store.get(_ATTEMPT, attempt)
        if doc is None:
            raise AlreadyOverError
        world.store.delete(_ATTEMPT, attempt)
        kind, target = _waiting(world, doc["subject"])
        entry = CardEntry(doc["number"], doc["month"], doc["year"], doc["save"])
        outcome = outcome_of(entry.number) if passed else _REFUSED_BY_PAYER
        _conclude(world, kind, target, entry, outcome, three_ds=True)


def try_means(world: World, key: str, means: str, *, accepted: bool, save: bool = False) -> None:
    """Pay (or bind) by anything but a card; the payer accepts or refuses in the bank's application."""
    with world.store.transaction():
        kind, doc = _waiting(world, key)
        if kind == methods.KIND:
            if accepted:
                methods.activate(world, doc, {})
            else:
                methods.refuse(world, doc, "general_decline")
            return
        method = {"type": means, "id": key, "saved": False, "status": "inactive", "title": MEANS[means].title}
        if means == "yoo_money":
            method["account_number"] = "410011758831136"
            method["title"] = "YooMoney wallet 410011758831136"
        if not accepted:
            payments.decline(world, doc, "general_decline", payments.blame("general_decline"), method)
            return
        payments.approve(world, doc, _saved_or_not(doc, method, save=save), three_ds=False)


def can_be_saved(doc: Document, means: str) -> bool:
    """Whether paying this way saves the method if the payer leaves the box ticked (or has no choice)."""
    by_flag, by_box = MEANS[means].saved_by_flag, MEANS[means].saved_by_box
    return bool(doc["saving"] == "forced" and by_flag) or bool(doc["saving"] == "offered" and by_box)


def _waiting(world: World, key: str) -> tuple[str, Document]:
    found = subject(world, key)
    if found is None or found[1]["status"] != "pending":
        raise AlreadyOverError
    if found[0] == payments.KIND and found[1]["object"].get("payment_method", {}).get("saved"):
        raise AlreadyOverError  # a charge of a saved method that waits for its bank, not for a payer
    return found


def _conclude(
    world: World, kind: str, doc: Document, entry: CardEntry, outcome: Outcome, *, three_ds: bool
) -> None:
    method = {
        "type": "bank_card",
        "id": doc["id"],
        "saved": False,
        "status": "inactive",
        "title": f"Bank card *{entry.number[-4:]}",
        "card": card_document(entry.number, entry.month, entry.year),
    }
    if kind == methods.KIND:
        if outcome.reason == SUCCESS:
            methods.activate(world, doc, method)
        else:
            methods.refuse(world, doc, outcome.reason)
    elif outcome.reason == SUCCESS:
        payments.approve(world, doc, _saved_or_not(doc, method, save=entry.save), three_ds=three_ds)
    else:
        payments.decline(world, doc, outcome.reason, outcome.party, method)


def _saved_or_not(doc: Document, method: Document, *, save: bool) -> Document:
    saved = can_be_saved(doc, method["type"]) and (save or doc["saving"] == "forced")
    return method | ({"saved": True, "status": "active"} if saved else {})

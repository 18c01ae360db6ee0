"""What happens to a payment: open, Check, 3-D Secure, authorise, confirm, void.

Every step commits before the next party hears of it, and no merchant is called inside a store transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from portal.sandbox.clock import iso
from portal.sandbox.cloudpayments import hooks, receipts, subscriptions, tokens
from portal.sandbox.cloudpayments.binding import BadRequest, instruction
from portal.sandbox.cloudpayments.cards import EnteredCard, digits_of, first_outcome, lookup
from portal.sandbox.cloudpayments.reasons import APPROVED, AUTHENTICATION_FAILED, CROSS_TERMINAL_TOKEN
from portal.sandbox.cloudpayments.transactions import (
    FIRST_ID,
    KIND,
    Doc,
    Intent,
    Status,
    card_fields,
    intent_fields,
    storable,
)
from portal.sandbox.world import World

NOT_FOUND = "Transaction not found"
SBP = "Sbp"
SBER_PAY = "SberPay"


def pay_by_card(world: World, public_id: str, intent: Intent, card: EnteredCard) -> Doc:
    """Take a payment with an entered card; it ends approved, declined, or waits for 3-D Secure."""
    digits, row = digits_of(card.number), lookup(card.number)
    today = world.clock.now().date()
    doc = open_payment(
        world,
        public_id,
        intent,
        {
            **card_fields(digits, card.month, card.year, row.network),
            "name": card.name or intent.name,
            "planned_reason": first_outcome(card, today),
            "token_reason": row.by_token,
        },
    )
    if not checked(world, doc):
        return load(world, doc["id"])
    if not row.three_ds:
        return settle(world, doc["id"], doc["planned_reason"])
    with world.store.transaction():
        return _ask_payer(world, doc["id"], doc["planned_reason"])


def pay_by_token(world: World, public_id: str, intent: Intent, saved: Doc) -> Doc:
    """Charge a saved card: the payment ends approved or declined, without 3-D Secure unless programmed.

    An account saved through SBP is charged later; the answer is not final, Pay or Fail tells the end.
    """
    card = {name: saved[name] for name in (*tokens.CARD, "token", "method")}
    doc = open_payment(world, public_id, intent, card)
    if world.settings["cloudpayments_check_tokens"] and not checked(world, doc):
        return load(world, doc["id"])
    if saved["public_id"] != public_id:
        return settle(world, doc["id"], CROSS_TERMINAL_TOKEN)
    with world.store.transaction():
        why = tokens.outcome(world.store, saved, world.clock.now().date())
        if why is tokens.THREE_DS:
            return _ask_payer(world, doc["id"], APPROVED)
        if saved["method"] != SBP:
            return settle(world, doc["id"], why.code)
        wait = timedelta(seconds=world.settings["cloudpayments_sbp_charge_seconds"])
        doc = load(world, doc["id"]) | {
            "planned_reason": why.code,
            "settle_at": iso(world.clock.now() + wait),
        }
        _keep(world, doc)
    return doc


def pay_by_wallet(world: World, public_id: str, intent: Intent, method: str) -> Doc:
    """Open a payment that the payer confirms in a bank's application; it stays Created until ``settle``."""
    card = {"first_six": "220220", "network": "MIR"} if method == SBER_PAY else {}
    doc = open_payment(world, public_id, intent, {**card, "method": method, "planned_reason": APPROVED})
    checked(world, doc)
    return load(world, doc["id"])


def open_payment(world: World, public_id: str, intent: Intent, instrument: Mapping[str, Any]) -> Doc:
    """Write down a new transaction in the status Created and return it."""
    test = world.settings["cloudpayments_test_mode"]
    with world.store.transaction():
        doc = {
            "id": world.store.number("cloudpayments_transaction", FIRST_ID),
            "public_id": public_id,
            "status": Status.CREATED.value,
            "reason_code": APPROVED,
            "test_mode": test,
            "gateway_name": "Test" if test else "Tbank",
            "created_at": iso(world.clock.now()),
            **dict.fromkeys(("auth_at", "confirm_at", "auth_code", "rrn", "original_id", "hold_until")),
            "captured": "0.00",
            "refunded": "0.00",
            "refunded_flag": False,
            "token": "",
            "method": "",
            "token_reason": APPROVED,
            "three_ds_id": "",
            "settle_at": None,
            "reference": intent.invoice_id,
            **intent_fields(intent),
            **instrument,
        }
        _keep(world, doc)
    return doc


def checked(world: World, doc: Doc) -> bool:
    """Ask the merchant's Check; a refusal declines the payment, and False is returned.

    Must not be called inside a store transaction.
    """
    refusal = hooks.ask_check(world, doc)
    if refusal is not None:
        _decline(world, doc["id"], refusal, world.settings["cloudpayments_fail_after_check"])
    return refusal is None


def settle(world: World, transaction_id: int, code: int) -> Doc:
    """Let the issuer answer: approve (code 0) or decline, once; a transaction that has ended is left
    alone.
    """
    if code != APPROVED:
        return _decline(world, transaction_id, code, tell=True)
    with world.store.transaction():
        doc = load(world, transaction_id)
        if doc["status"] not in {Status.CREATED, Status.AWAITING}:
            return doc
        now = world.clock.now()
        doc.update(
            auth_at=iso(now),
            status=Status.AUTHORIZED.value,
            three_ds_id="",
            settle_at=None,
            **_bank_marks(doc),
        )
        if doc["two_stage"]:
            hold = timedelta(days=world.settings["cloudpayments_hold_days"])
            doc["hold_until"] = iso(now + hold)
        else:
            _capture(world, doc)
        _save_card(world, doc)
        _keep(world, doc)
        hooks.send(world, "pay", doc)
        if not doc["two_stage"]:
            receipts.queue(world, doc, "Income", _receipt_of(doc))
    return doc


def pass_three_ds(world: World, transaction_id: int, *, passed: bool) -> Doc:
    """Go on after the issuer's page: as the card's row says when it was passed, else 5206."""
    doc = load(world, transaction_id)
    return settle(world, transaction_id, doc["planned_reason"] if passed else AUTHENTICATION_FAILED)


def confirm(
    world: World,
    public_id: str,
    transaction_id: int,
    amount: Decimal | None,
    data: str = "",
    *,
    tell: bool = True,
) -> Doc:
    """Capture a hold, wholly or in part; the remainder is released. Raises ``BadRequest`` when it cannot
    be.
    """
    with world.store.transaction():
        doc = load(world, transaction_id, public_id)
        if doc["status"] != Status.AUTHORIZED:
            raise BadRequest("Transaction is not in the Authorized status")
        if amount is not None and amount > Decimal(doc["amount"]):
            raise BadRequest("Amount is greater than the authorized amount")
        doc["amount"] = str(amount or doc["amount"])
        _capture(world, doc)
        _keep(world, doc)
        if tell:
            hooks.send(world, "confirm", doc)
        receipts.queue(world, doc, "Income", instruction(data, "CustomerReceipt") or _receipt_of(doc))
    return doc


def void(world: World, public_id: str, transaction_id: int, *, tell: bool = True) -> Doc:
    """Release a hold that was not confirmed; raises ``BadRequest`` when there is none."""
    with world.store.transaction():
        doc = load(world, transaction_id, public_id)
        if doc["status"] != Status.AUTHORIZED:
            raise BadRequest("Transaction is not in the Authorized status")
        doc.update(status=Status.CANCELLED.value, hold_until=None)
        _keep(world, doc)
        if tell:
            hooks.send(world, "cancel", {**doc, "created_at": iso(world.clock.now())})
    return doc


def load(world: World, transaction_id: int, public_id: str | None = None) -> Doc:
    """Return a transaction, of the given terminal when one is named; raises ``BadRequest`` when there is
    none.
    """
    doc = world.store.get(KIND, str(transaction_id))
    if doc is None or (public_id is not None and doc["public_id"] != public_id):
        raise BadRequest(NOT_FOUND)
    return doc


def _ask_payer(world: World, transaction_id: int, planned: int) -> Doc:
    """Let the issuer ask for 3-D Secure first; call inside a store transaction."""
    asking = {
        "status": Status.AWAITING.value,
        "three_ds_id": secrets.token_hex(16),
        "planned_reason": planned,
    }
    doc = load(world, transaction_id) | asking
    _keep(world, doc)
    return doc


def _keep(world: World, doc: Doc) -> None:
    world.store.put(KIND, str(doc["id"]), doc)


def _bank_marks(doc: Doc) -> Doc:
    """Return AuthCode and RRN: fixed and absent in test mode, as documented, otherwise made up."""
    if doc["test_mode"]:
        return {"auth_code": "A1B2C3", "rrn": None}
    return {"auth_code": f"{secrets.randbelow(10**6):06d}", "rrn": f"{secrets.randbelow(10**12):012d}"}


def _capture(world: World, doc: Doc) -> None:
    doc.update(
        status=Status.COMPLETED.value,
        captured=doc["amount"],
        confirm_at=iso(world.clock.now()),
        hold_until=None,
    )


def _save_card(world: World, doc: Doc) -> None:
    """Give the payment its token and its subscription, as far as they were asked for and are allowed."""
    if doc["source"] in {"token", "subscription"} and not subscriptions.wanted(doc):
        return
    if not doc["account_id"] or not (doc.get("card_id") or doc["token"] or doc["method"] == SBP):
        return
    saved = doc["token"]
    visible = saved or tokens.wanted(world.settings["cloudpayments_save_card"], doc["save_card"])
    wants_subscription = subscriptions.wanted(doc)
    if not saved and (visible or wants_subscription):
        same = world.settings["cloudpayments_same_token"]
        saved = tokens.issue(world.store, doc, same, doc["token_reason"])
    if wants_subscription:
        doc["subscription_id"] = subscriptions.begin(world, doc, saved)
    doc["token"] = saved if visible else ""


def _decline(world: World, transaction_id: int, code: int, tell: bool) -> Doc:
    with world.store.transaction():
        doc = load(world, transaction_id)
        if doc["status"] not in {Status.CREATED, Status.AWAITING}:
            return doc
        doc.update(status=Status.DECLINED.value, reason_code=code, three_ds_id="", settle_at=None)
        _keep(world, doc)
        if tell:
            hooks.send(world, "fail", doc)
    return doc


def _receipt_of(doc: Doc) -> Doc:
    return doc["receipt"] or storable(instruction(doc["data"], "CustomerReceipt"))

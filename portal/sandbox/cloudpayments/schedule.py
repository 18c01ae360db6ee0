"""What the CloudPayments side does by itself when its time comes: regular charges, holds, receipts, SBP
refunds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from portal.sandbox.clock import iso, parse_iso
from portal.sandbox.cloudpayments import payments, receipts, refunds, subscriptions, tokens
from portal.sandbox.cloudpayments.binding import BadRequest
from portal.sandbox.cloudpayments.subscriptions import FAILURES_ALLOWED, State
from portal.sandbox.cloudpayments.transactions import KIND, Doc, Intent, Status
from portal.sandbox.world import World


def next_due(world: World) -> datetime | None:
    """Return when something will happen next, or ``None``."""
    moments = [parse_iso(doc["next"]) for doc in _charging(world)]
    moments += [parse_iso(doc["hold_until"]) for doc in _held(world)]
    moments += [parse_iso(doc["settle_at"]) for doc in _waiting(world)]
    moments += [due for due in (receipts.next_due(world), refunds.next_due(world)) if due is not None]
    return min(moments, default=None)


def run_due(world: World, now: datetime) -> None:
    """Do everything that is due by ``now``; the caller lets one thread at a time in.

    A subscription stays due until its outcome is written, so that nobody moves the clock past a charge.
    """
    for doc in _charging(world):
        if parse_iso(doc["next"]) <= now:
            _charge(world, doc)
    for doc in _held(world):
        if parse_iso(doc["hold_until"]) <= now:
            _release(world, doc)
    for doc in _waiting(world):
        if parse_iso(doc["settle_at"]) <= now:
            payments.settle(world, doc["id"], doc["planned_reason"])
    receipts.run_due(world, now)
    refunds.run_due(world, now)


def _charging(world: World) -> list[Doc]:
    states = (State.ACTIVE.value, State.PAST_DUE.value)
    found = [doc for state in states for doc in world.store.find(subscriptions.KIND, status=state)]
    return [doc for doc in found if doc["next"] is not None]


def _held(world: World) -> list[Doc]:
    return [doc for doc in world.store.find(KIND, status=Status.AUTHORIZED.value) if doc["hold_until"]]


def _waiting(world: World) -> list[Doc]:
    return [doc for doc in world.store.find(KIND, status=Status.CREATED.value) if doc["settle_at"]]


def _charge(world: World, doc: Doc) -> None:
    """Take one regular payment, outside the store's lock, for Check is asked, and write the outcome."""
    saved = tokens.find(world.store, doc["token"], doc["account_id"], doc["public_id"])
    approved = False
    if saved is not None:
        payment = payments.pay_by_token(world, doc["public_id"], _intent(doc), saved)
        approved = payment["status"] != Status.DECLINED
    _write_outcome(world, doc["id"], approved=approved)


def _intent(doc: Doc) -> Intent:
    return Intent(
        amount=Decimal(doc["amount"]),
        currency=doc["currency"],
        two_stage=doc["two_stage"],
        account_id=doc["account_id"],
        email=doc["email"],
        description=doc["description"],
        culture=doc["culture"],
        source="subscription",
        subscription_id=doc["id"],
        receipt=doc["receipt"],
        initiator=0,
    )


def _write_outcome(world: World, subscription_id: str, *, approved: bool) -> None:
    """Move the subscription on: Active and the next date, PastDue and tomorrow, Rejected, or Expired."""
    now = world.clock.now()
    with world.store.transaction():
        doc = world.store.get(subscriptions.KIND, subscription_id)
        if doc is None:
            return  # the sandbox was reset meanwhile
        before = doc["status"]
        if approved:
            _succeed(doc, now)
        else:
            _fail(doc, now)
        if before == State.CANCELLED:  # while the charge was under way; its money still counts
            doc.update(status=before, next=None)
        world.store.put(subscriptions.KIND, doc["id"], doc)
        if doc["status"] != before:
            subscriptions.tell(world, doc)


def _succeed(doc: Doc, now: datetime) -> None:
    doc.update(succeeded=doc["succeeded"] + 1, failed=0, last=iso(now))
    if doc["max_periods"] and doc["succeeded"] >= doc["max_periods"]:
        doc.update(status=State.EXPIRED.value, next=None)
        return
    planned = parse_iso(doc["planned"])
    day = subscriptions.anchor_day(doc)
    while planned <= now:  # a payment that took days of retries does not move the ones after it
        planned = subscriptions.after(planned, doc["interval"], doc["period"], day)
    doc.update(status=State.ACTIVE.value, planned=iso(planned), next=iso(planned))


def _fail(doc: Doc, now: datetime) -> None:
    doc["failed"] += 1
    if doc["failed"] >= FAILURES_ALLOWED:
        doc.update(status=State.REJECTED.value, next=None)
    else:
        doc.update(status=State.PAST_DUE.value, next=iso(now + timedelta(days=1)))


def _release(world: World, doc: Doc) -> None:
    """End a hold that nobody confirmed, as the settings say."""
    tell = world.settings["cloudpayments_hold_expiry_notifies"]
    try:
        if world.settings["cloudpayments_hold_expiry"] == "confirm":
            payments.confirm(world, doc["public_id"], doc["id"], None, tell=tell)
        else:
            payments.void(world, doc["public_id"], doc["id"], tell=tell)
    except BadRequest:
        return  # confirmed or voided in this very moment

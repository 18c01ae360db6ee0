"""Recurring payments that CloudPayments itself makes: the agreement and its states."""

from __future__ import annotations

import calendar
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from portal.sandbox.clock import iso, parse_iso
from portal.sandbox.cloudpayments import hooks
from portal.sandbox.cloudpayments.binding import BadRequest, Params, instruction
from portal.sandbox.cloudpayments.dates import notification_time, pair
from portal.sandbox.cloudpayments.transactions import Doc, number, storable
from portal.sandbox.world import World

KIND = "cloudpayments_subscription"
NOT_FOUND = "Subscription not found"
INTERVALS = ("Day", "Week", "Month")
FAILURES_ALLOWED = 3

#: Day = 2 is documented, Month = 1 was seen, Week = 0 is what is left.
_INTERVAL_CODES = {"Week": 0, "Month": 1, "Day": 2}


class State(StrEnum):
    """The documented statuses of a subscription."""

    ACTIVE = "Active"
    PAST_DUE = "PastDue"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"


#: Active = 0 and Cancelled = 3 are documented; the other numbers are the sandbox's own.
_STATE_CODES = {State.ACTIVE: 0, State.PAST_DUE: 1, State.REJECTED: 2, State.CANCELLED: 3, State.EXPIRED: 4}


def wanted(payment: Doc) -> bool:
    """Tell whether a payment asks for a subscription after it, in either of the two documented ways."""
    return payment["source"] != "subscription" and bool(_instruction(payment))


def _instruction(payment: Doc) -> Doc:
    return payment["recurrent"] or instruction(payment["data"], "recurrent")


def begin(world: World, payment: Doc, token: str) -> str:
    """Start the subscription that an approved first payment asked for and return its id.

    The first regular payment comes one interval after the first, unless a start date was given.
    """
    asked = Params(_instruction(payment))
    first = asked.moment("startDate")
    terms: Doc = {
        "amount": str(asked.amount_or_none("amount") or Decimal(payment["amount"])),
        "interval": interval(asked),
        "period": period(asked),
        "max_periods": asked.integer("maxPeriods"),
        "receipt": storable(asked.nested("receipt").received or asked.nested("customerReceipt").received),
    }
    now = world.clock.now()
    start = first if first is not None and first > now else after(now, terms["interval"], terms["period"])
    agreement = {
        **{name: payment[name] for name in ("public_id", "account_id", "description", "email", "currency")},
        "two_stage": False,
        "culture": payment["culture"],
        **terms,
    }
    return str(create(world, agreement, token, start)["id"])


def create(world: World, agreement: Mapping[str, Any], token: str, start: datetime) -> Doc:
    """Write down a new subscription, Active, whose first payment is at ``start``."""
    doc = {
        "id": "sc_" + secrets.token_hex(15)[:29],
        "status": State.ACTIVE.value,
        "token": token,
        "start": iso(start),
        "planned": iso(start),
        "next": iso(start),
        "last": None,
        "succeeded": 0,
        "failed": 0,
        "created_at": iso(world.clock.now()),
        **agreement,
    }
    with world.store.transaction():
        world.store.put(KIND, doc["id"], doc)
        if world.settings["cloudpayments_recurrent_on_create"]:
            tell(world, doc)
    return doc


def load(world: World, public_id: str, subscription_id: str) -> Doc:
    """Return a subscription of the terminal; raises ``BadRequest`` when there is none."""
    doc = world.store.get(KIND, subscription_id)
    if doc is None or doc["public_id"] != public_id:
        raise BadRequest(NOT_FOUND)
    return doc


def cancel(world: World, public_id: str, subscription_id: str) -> None:
    """End a subscription; Recurrent tells of it once, a repeat changes nothing."""
    with world.store.transaction():
        doc = load(world, public_id, subscription_id)
        if doc["status"] != State.CANCELLED:
            doc.update(status=State.CANCELLED.value, next=None)
            world.store.put(KIND, doc["id"], doc)
            tell(world, doc)


def update(world: World, public_id: str, subscription_id: str, changes: Mapping[str, Any]) -> Doc:
    """Change terms. As documented, one that has ended becomes Active again, and no Recurrent is sent.

    A re-activated subscription keeps its count of payments, so that ``MaxPeriods`` means what is left of it.
    """
    with world.store.transaction():
        doc = load(world, public_id, subscription_id) | dict(changes)
        ended = doc["status"] not in {State.ACTIVE, State.PAST_DUE}
        if ended:
            doc.update(status=State.ACTIVE.value, failed=0)
        if "start" in changes:
            doc.update(planned=changes["start"], next=changes["start"])
        elif ended:
            soon = after(world.clock.now(), doc["interval"], doc["period"])
            doc.update(planned=iso(soon), next=iso(soon))
        world.store.put(KIND, doc["id"], doc)
    return doc


def interval(params: Params) -> str:
    """Return Day, Week or Month in whatever case it came; raises ``BadRequest`` otherwise."""
    word = params.required("Interval").capitalize()
    if word not in INTERVALS:
        raise BadRequest("Invalid Interval value")
    return word


def period(params: Params) -> int:
    """Return how many intervals lie between payments: positive and at most a year in all."""
    count = params.required_integer("Period")
    longest = {"Day": 366, "Week": 53, "Month": 12}[interval(params)]
    if not 0 < count <= longest:
        raise BadRequest("Invalid Period value")
    return count


def after(moment: datetime, interval_name: str, count: int, anchor_day: int | None = None) -> datetime:
    """Return the moment ``count`` intervals later; a month that is too short ends on its last day.

    ``anchor_day`` is the day of the month on which the subscription began, so that the 31st comes back in
    March after it was the 28th in February.
    """
    if interval_name != "Month":
        return moment + timedelta(days=count * (7 if interval_name == "Week" else 1))
    months = moment.year * 12 + moment.month - 1 + count
    year, month = divmod(months, 12)
    day = min(anchor_day or moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def model(doc: Doc) -> Doc:
    """Return a subscription as the API shows it."""
    state = State(doc["status"])
    return {
        "Id": doc["id"],
        "AccountId": doc["account_id"],
        "Description": doc["description"],
        "Email": doc["email"] or None,
        "Amount": number(doc["amount"]),
        "CurrencyCode": 0,
        "Currency": doc["currency"],
        "RequireConfirmation": doc["two_stage"],
        **pair("StartDate", doc["start"]),
        "IntervalCode": _INTERVAL_CODES[doc["interval"]],
        "Interval": doc["interval"],
        "Period": doc["period"],
        "MaxPeriods": doc["max_periods"],
        "CultureName": doc["culture"],
        "StatusCode": _STATE_CODES[state],
        "Status": state.value,
        "SuccessfulTransactionsNumber": doc["succeeded"],
        "FailedTransactionsNumber": doc["failed"],
        **pair("LastTransactionDate", doc["last"]),
        **pair("NextTransactionDate", doc["next"]),
        "Receipt": doc["receipt"] or None,
        "FailoverSchemeId": None,
    }


def tell(world: World, doc: Doc) -> None:
    """Send Recurrent, in the order of fields seen on the wire."""
    fields = {
        "Id": doc["id"],
        "AccountId": doc["account_id"],
        "Description": doc["description"],
        "Email": doc["email"],
        "Amount": doc["amount"],
        "Currency": doc["currency"],
        "RequireConfirmation": "1" if doc["two_stage"] else "0",
        "StartDate": notification_time(doc["start"]),
        "Interval": doc["interval"],
        "Period": str(doc["period"]),
        "Status": doc["status"],
        "SuccessfulTransactionsNumber": str(doc["succeeded"]),
        "FailedTransactionsNumber": str(doc["failed"]),
        "MaxPeriods": str(doc["max_periods"] or ""),
        "LastTransactionDate": notification_time(doc["last"]),
        "NextTransactionDate": notification_time(doc["next"]),
    }
    hooks.send_fields(world, "recurrent", fields, doc["id"], doc["public_id"])


def anchor_day(doc: Doc) -> int:
    """Return the day of the month on which the subscription's payments fall."""
    return parse_iso(doc["start"]).astimezone(UTC).day

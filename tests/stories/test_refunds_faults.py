"""A refund on a bad day: lost calls, lost answers, forgotten keys, refusals, money that bounces."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal import clock
from portal.billing import refunds
from portal.database import db
from portal.models import Payment, Refund, RefundSource
from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.weather import impatient, later, paid, spoil

GATEWAYS = ("cloudpayments", "yookassa")
CALL = {"cloudpayments": "refund", "yookassa": "create_refund"}
ASK = {"cloudpayments": "get", "yookassa": "get_refund"}
LIST = {"cloudpayments": "list", "yookassa": "list_refunds"}
#: What may befall a call; whether the gateway has carried it out by then.
FAULTS = {
    "http_429": False,
    "http_500": False,
    "garbage_502": False,
    "drop_before_commit": False,
    "hang": False,
    "http_500_after_commit": True,
    "http_202": True,
    "malformed_200": True,
    "drop_after_commit": True,
    "hang_after_commit": True,
}


def agree(desk: Desk) -> None:
    """Both sides' books are the same."""
    assert not (found := books.disagreements(desk.app, desk.sandbox.ledger())), found


def silent(desk: Desk) -> None:
    """From now on every notification is lost."""
    desk.sandbox.control("settings", webhooks="drop")


def a_paid_order(desk: Desk, ira: Browser, gateway: str, plan: str = "PRO_MONTHLY") -> Any:
    """An order that is paid and known to be."""
    order = ira.order(gateway, plan)
    paid(desk, order)
    return order


def give_back(desk: Desk, order: Any, amount: str = "340.50") -> int:
    """The operator's refund; the job waits in the queue."""
    with desk.app.app_context():
        payment = db.session.scalars(
            select(Payment).where(Payment.transaction_id == order["transaction_id"])
        ).one()
        return refunds.give_back(
            payment.id, Decimal(amount), RefundSource.OPERATOR, "по просьбе клиента", clock.now()
        )


def rows(desk: Desk) -> list[tuple[str, str]]:
    """Our refunds in the order in which they were asked for: sum and status."""
    with desk.app.app_context():
        found = db.session.scalars(select(Refund).order_by(Refund.id)).all()
        return [(str(row.amount), row.status.value) for row in found]


def keys(desk: Desk) -> list[str]:
    """Their idempotency keys."""
    with desk.app.app_context():
        return list(db.session.scalars(select(Refund.key).order_by(Refund.id)))


def theirs(desk: Desk) -> Counter[str]:
    """The sums that went back at the gateways, or are about to."""
    return Counter(
        refund["amount"]
        for refund in desk.sandbox.ledger()["refunds"]
        if refund["status"] not in {"canceled", "declined"}
    )


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_any_fault_of_the_call_ends_in_one_refund(desk: Desk, gateway: str) -> None:
    """Whatever befalls the call, and with every notification lost, the money goes back and is booked once."""
    ira = desk.customer()
    orders = [a_paid_order(desk, ira, gateway) for _ in FAULTS]
    silent(desk)
    for number, (order, fault) in enumerate(zip(orders, FAULTS, strict=True)):
        give_back(desk, order, f"{100 + number}.50")
        spoil(desk, gateway, CALL[gateway], fault)
        with impatient(desk):
            desk.work()
    wanted = {f"{100 + number}.50": 1 for number in range(len(FAULTS))}
    done = {f"{100 + number}.50": 1 for number, committed in enumerate(FAULTS.values()) if committed}
    assert theirs(desk) == Counter(done)
    assert {status for _, status in rows(desk)} == {"pending", "unknown"}
    before = keys(desk)

    later(desk, "30m")

    assert theirs(desk) == Counter(wanted)
    assert {status for _, status in rows(desk)} == {"succeeded"}
    assert keys(desk) == before
    agree(desk)

"""What the inbox keeps of a notification besides its bytes: that it meant nothing, and whose mode it was."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import select

from portal.database import db
from portal.models import Case, CaseKind, EventStatus, WebhookEvent
from tests.desk import Desk
from tests.stories.till import YOOKASSA, State, Till

Tills = Callable[..., Till]


def _kept(till: Till) -> list[tuple[str, str | None]]:
    """Kind and mode of every notification in the inbox."""
    with till.app.app_context():
        events = db.session.scalars(select(WebhookEvent).order_by(WebhookEvent.id))
        return [(event.kind, event.billing_mode) for event in events]


@pytest.mark.parametrize("raw", (b"", b"hello", b"[]", b'{"event": "payment.succeeded"}', b"\xff"))
def test_a_bell_that_nobody_can_read_is_kept(quick_till: Tills, raw: bytes) -> None:
    """It is answered with an empty 200, kept once as ignored, and opens no case: anybody may have sent it."""
    order = quick_till(gateway="yookassa")

    answers = [order.post("POST", YOOKASSA, raw, {"Content-Type": "application/json"}) for _ in range(2)]

    assert [(answer.status, answer.body) for answer in answers] == [(200, b"")] * 2
    assert order.state() == State("pending", inbox=("unreadable ignored",))
    with order.app.app_context():
        event = db.session.scalars(select(WebhookEvent)).one()
        assert (event.status, event.raw_payload) == (EventStatus.IGNORED, raw)


def test_a_bell_that_is_too_large_is_not_kept(quick_till: Tills) -> None:
    """A megabyte of nothing is not worth a row."""
    order = quick_till(gateway="yookassa")
    order.post("POST", YOOKASSA, b" " * (1024 * 1024 + 1), {"Content-Type": "application/json"})
    assert order.state() == State("pending")


def test_an_unreadable_notification_is_shown_to_the_operator(quick_till: Tills) -> None:
    """Its case names the row in the inbox; a repeat is the same case."""
    order = quick_till()
    for _ in range(2):
        order.deliver(b"TransactionId=")

    with order.app.app_context():
        case, event = db.session.scalars(select(Case)).one(), db.session.scalars(select(WebhookEvent)).one()
        assert (case.kind, case.facts["event"]) == (CaseKind.UNREADABLE, event.id)


@pytest.mark.parametrize(
    ("data", "mode"),
    (
        ({"billing_mode": "RECURRING"}, "RECURRING"),
        ({"billing_mode": "whatever"}, None),
        ({}, None),
        ([], None),
    ),
)
def test_a_notification_of_no_order_has_the_mode_it_says(
    quick_till: Tills, data: object, mode: str | None
) -> None:
    """CloudPayments gives our own Data back; only a word of ours is taken over."""
    order = quick_till()
    order.tell("pay", InvoiceId="another", Data=json.dumps(data))
    assert _kept(order) == [("pay", mode)]


def test_a_notification_has_the_mode_of_its_payment(quick_till: Tills) -> None:
    """The row decides, whatever Data says: the browser could have changed that."""
    order = quick_till()
    order.tell("pay", Data=json.dumps({"billing_mode": "RECURRING"}))
    assert _kept(order) == [("pay", "ONE_TIME")]


def test_a_bell_has_the_mode_of_the_payment_that_was_read(desk: Desk, till: Tills) -> None:
    """YooKassa's notification is not believed, so the mode is known once a worker has found the payment."""
    order = till(gateway="yookassa")
    desk.sandbox.pay("yookassa", order.transaction_id)
    desk.settle()
    assert _kept(order) == [("payment.succeeded", "ONE_TIME")]

"""The kind of a notification is told from its signed fields, whichever address it was sent to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from portal import clock
from portal.database import db
from portal.models import Payment, User
from tests.stories import cloudpayments_bodies as bodies
from tests.stories.till import State, Till

Tills = Callable[..., Till]

ADDRESSES = ("", *bodies.KINDS)

#: What each kind does to a fresh order, wherever it arrives.
FRESH = {
    "check": State("pending"),
    "pay": State("succeeded", 1, inbox=("pay handled",)),
    "pay-authorized": State("authorized", inbox=("pay handled",)),
    "fail": State("failed", inbox=("fail handled",)),
    "confirm": State("succeeded", 1, inbox=("confirm handled",)),
    "refund": State("pending", inbox=("refund received",)),
    "cancel": State("pending", inbox=("cancel received",)),
    "recurrent": State("pending", inbox=("recurrent ignored",)),
    "receipt": State("pending", inbox=("receipt handled",)),
}


@pytest.mark.parametrize("kind", FRESH)
def test_each_kind_at_each_address(quick_till: Tills, kind: str) -> None:
    """A swapped or single address changes nothing: the kind does its own work and no other's, answered 0."""
    for number, address in enumerate(ADDRESSES):
        order = quick_till(email=f"customer-{number}@example.com")

        answer = order.tell(kind, to=address, TransactionId=str(7000 + number))

        assert (answer.status, answer.code) == (200, 0), address
        assert order.state().moved == FRESH[kind].moved, address
        assert order.state().inbox == FRESH[kind].inbox * (number + 1), address
    assert order.state().cases == ()
    assert order.violations() == []


def test_an_address_that_is_none(quick_till: Tills) -> None:
    """A signed Pay to an address that was never given out is 404 and changes nothing."""
    order = quick_till()
    for address in ("nonsense", "Pay", "check/pay", "pay%2f..", "%00"):
        assert order.deliver(bodies.form(order.fields("pay")), to=address).status == 404, address
    assert order.state() == State("pending")


CHECKS: tuple[tuple[dict[str, str | None], int], ...] = (
    ({}, 0),
    ({"InvoiceId": "no-such-order"}, 10),
    ({"InvoiceId": None}, 10),
    ({"InvoiceId": "x" * 5000}, 10),
    ({"AccountId": "somebody"}, 11),
    ({"Amount": "989.99"}, 12),
    ({"Amount": "990.01"}, 12),
    ({"Amount": "990,00"}, 12),
    ({"Amount": "NaN"}, 12),
    ({"Currency": "KZT"}, 12),
    ({"Currency": "rub"}, 12),
    ({"TestMode": "0"}, 13),
    ({"TestMode": ""}, 13),
    ({"TestMode": "yes"}, 13),
)


def test_check_lets_only_our_order_through(quick_till: Tills) -> None:
    """Check answers the documented code for what does not fit, and writes nothing down."""
    order = quick_till()
    for changes, code in CHECKS:
        answer = order.tell("check", **changes)
        assert (answer.status, answer.code) == (200, code), changes
    assert order.state() == State("pending")


@pytest.mark.parametrize(
    ("before", "code"), (("pay", 13), ("pay-authorized", 13), ("confirm", 13), ("fail", 0), ("refund", 0))
)
def test_check_after_other_news(quick_till: Tills, before: str, code: int) -> None:
    """A paid or held order takes no second payment; a refused card may be followed by another."""
    order = quick_till()
    order.tell(before)
    assert order.tell("check", TransactionId="3355303999").code == code


def test_check_of_an_order_that_is_over(quick_till: Tills) -> None:
    """An order older than a day, or set aside for another, is too late: 20."""
    aside, order = quick_till(plan="START_MONTHLY"), quick_till()
    with aside.app.app_context():
        db.session.query(Payment).filter_by(transaction_id=aside.transaction_id).update(
            {"superseded_at": clock.now()}
        )
        db.session.commit()
    assert aside.tell("check", Amount="390.00").code == 20

    clock.set_to(clock.now() + timedelta(hours=24))
    assert order.tell("check").code == 20


def test_check_of_a_disabled_customer(quick_till: Tills) -> None:
    """A customer who was shut out pays nothing any more: 13."""
    order = quick_till()
    with order.app.app_context():
        db.session.query(User).update({"disabled_at": clock.now()})
        db.session.commit()
    assert order.tell("check").code == 13


def test_check_of_an_account_that_was_closed_and_opened_again(quick_till: Tills) -> None:
    """An order made before its owner closed the account takes no card any more (20): its money would go
    back at once. One made since then does.
    """
    before, since = quick_till(), quick_till(plan="START_MONTHLY", email="leo@example.com")
    with before.app.app_context():
        for order, moment in ((before, timedelta(seconds=1)), (since, timedelta(seconds=-1))):
            made = db.session.query(Payment).filter_by(transaction_id=order.transaction_id).one()
            db.session.query(User).filter_by(id=made.user_id).update({"closed_at": made.created_at + moment})
        db.session.commit()
    assert before.tell("check").code == 20
    assert since.tell("check", Amount="390.00").code == 0


def test_check_of_an_order_at_yookassa(till: Tills) -> None:
    """An order that is to be paid at YooKassa is unknown at CloudPayments: 10."""
    order = till(gateway="yookassa")
    assert order.tell("check").code == 10


def test_a_receipt_is_kept_with_its_payment(quick_till: Tills) -> None:
    """A fiscal receipt is kept once, bound to its payment; without one it is kept as well."""
    order = quick_till()
    order.tell("pay")
    order.tell("receipt")
    order.tell("receipt", SettlePlace="again")
    order.tell("receipt", Id="rcpt-2", InvoiceId=None, TransactionId=None)

    with order.app.app_context():
        found = db.session.execute(text("SELECT gateway_receipt_id, payment_id IS NULL, kind FROM receipts"))
        assert sorted(map(tuple, found)) == [("rcpt-1", False, "Income"), ("rcpt-2", True, "Income")]


@pytest.mark.parametrize("operation", ("Refund", "CardPayout"))
def test_a_pay_of_money_that_goes_the_other_way(quick_till: Tills, operation: str) -> None:
    """A signed Pay that is a payout or a refund buys nothing."""
    order = quick_till()
    assert order.tell("pay", OperationType=operation).code == 0
    assert order.state() == State("pending", inbox=("pay ignored",))


def test_a_confirm_that_only_its_address_tells_from_a_check(quick_till: Tills) -> None:
    """Without a bank's traces and without a hold the gateway is asked; the hold's news lets it through."""
    order = quick_till()
    bare = {"OperationType": None, "AuthCode": None, "Rrn": None, "Token": None}
    assert order.tell("confirm", to="confirm", **bare).code == 0
    assert order.state() == State("pending", inbox=("confirm received",))
    order.tell("pay-authorized")
    order.sweep()
    assert order.state().moved == State("succeeded", 1).moved


def test_a_check_that_only_its_address_tells(quick_till: Tills) -> None:
    """A Check with the least of its fields is answered at its own address."""
    assert quick_till().tell("check", to="check", OperationType=None).code == 0

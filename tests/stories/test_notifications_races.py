"""The same moment, twenty times over: threads at one barrier against a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from portal import clock
from portal.billing import checkout, inbox, payments, tending
from portal.database import db
from portal.models import User
from tests.desk import Desk
from tests.stories.test_notifications_yookassa import bell, ring
from tests.stories.till import BROWSER, State, Till

Tills = Callable[..., Till]


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Let every act begin at the same moment, each in its own thread; what they returned or raised."""
    gate, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        gate.wait(30)
        try:
            results[place] = act()
        except Exception as error:  # noqa: BLE001 - handed to the test, which asserts on it
            results[place] = error

    threads = [threading.Thread(target=run, args=found) for found in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def codes(answers: list[Any]) -> set[tuple[int, object]]:
    """The distinct answers."""
    assert not [found for found in answers if isinstance(found, Exception)], answers
    return {(answer.status, answer.code) for answer in answers}


@pytest.mark.parametrize("many", (2, 20))
def test_identical_pays_at_once(quick_till: Tills, many: int) -> None:
    """Equal Pays in one moment: each is answered 0, one row is kept, one period is given."""
    order = quick_till()
    assert codes(at_once(*[lambda: order.tell("pay")] * many)) == {(200, 0)}
    assert order.state() == State("succeeded", 1, inbox=("pay handled",))
    assert order.violations() == []


@pytest.mark.parametrize("many", (2, 20))
def test_differing_pays_of_one_capture_at_once(quick_till: Tills, many: int) -> None:
    """The same capture in as many wordings at once: the lock on the payment lets one of them move it."""
    order = quick_till()
    acts = [lambda n=n: order.tell("pay", Rrn=str(n)) for n in range(many)]
    assert codes(at_once(*acts)) == {(200, 0)}
    assert order.state() == State("succeeded", 1, inbox=("pay handled",) * many)
    assert order.violations() == []


def test_twenty_captures_of_one_order_at_once(quick_till: Tills) -> None:
    """Twenty different captures of one order: one pays for it, nineteen are cases."""
    order = quick_till()
    acts = [lambda n=n: order.tell("pay", TransactionId=str(9000 + n)) for n in range(20)]
    assert codes(at_once(*acts)) == {(200, 0)}
    assert order.state().moved == ("succeeded", 1, "0.00")
    assert order.state().cases == ("second_capture",) * 19
    assert order.violations() == []


def test_pay_and_fail_at_once(quick_till: Tills) -> None:
    """Whichever of them gets the lock first, the money wins."""
    for number in range(5):
        order = quick_till(email=f"customer-{number}@example.com")
        tell = order.tell
        answers = at_once(
            lambda tell=tell, n=number: tell("pay", TransactionId=str(100 + n)),
            lambda tell=tell, n=number: tell("fail", TransactionId=str(200 + n)),
        )
        assert codes(answers) == {(200, 0)}
        assert order.state().moved == ("succeeded", 1, "0.00")
        assert order.violations() == []


def test_pay_and_refund_at_once(quick_till: Tills) -> None:
    """A refund that races its payment is booked, at once or by the sweep that follows."""
    for number in range(5):
        order = quick_till(email=f"customer-{number}@example.com")
        tell = order.tell
        answers = at_once(
            lambda tell=tell, n=number: tell("pay", TransactionId=str(100 + n)),
            lambda tell=tell, n=number: tell(
                "refund", TransactionId=str(300 + n), PaymentTransactionId=str(100 + n)
            ),
        )
        assert codes(answers) == {(200, 0)}
        clock.set_to(clock.now() + timedelta(minutes=2))
        order.sweep()
        assert order.state().moved == ("succeeded", 0, "990.00")
        assert order.violations() == []
        clock.reset()


def test_partial_refunds_at_once(quick_till: Tills) -> None:
    """Two refunds of 60 % in one moment: one is booked, the other is a case, never 120 %."""
    order = quick_till()
    order.tell("pay")
    acts = [lambda n=n: order.tell("refund", TransactionId=str(300 + n), Amount="594.00") for n in range(2)]
    assert codes(at_once(*acts)) == {(200, 0)}
    assert order.state().moved == ("succeeded", 1, "594.00")
    assert order.state().cases == ("refund_above_capture",)
    assert order.violations() == []


def test_twenty_copies_of_one_refund_at_once(quick_till: Tills) -> None:
    """One refund in twenty wordings is one row."""
    order = quick_till()
    order.tell("pay")
    acts = [lambda n=n: order.tell("refund", Amount="100.00", Rrn=str(n)) for n in range(20)]
    assert codes(at_once(*acts)) == {(200, 0)}
    assert order.state().moved == ("succeeded", 1, "100.00")
    assert order.violations() == []


def test_pay_and_the_return_page_at_once(desk: Desk, till: Tills) -> None:
    """The notification, two browsers' return pages and the sweep, in one moment: one period."""
    desk.sandbox.control("settings", webhooks="drop")
    order = till()
    paid = desk.sandbox.pay("cloudpayments", order.transaction_id)["id"]

    results = at_once(
        lambda: order.tell("pay", TransactionId=paid),
        lambda: _ask(order),
        lambda: _ask(order),
        lambda: _refresh(order),
        order.sweep,
    )

    assert not [found for found in results if isinstance(found, Exception)], results
    assert order.state().moved == ("succeeded", 1, "0.00")


def test_yookassas_bell_and_the_return_page_at_once(desk: Desk, till: Tills) -> None:
    """Three doors at once lead to one period for YooKassa, too."""
    desk.sandbox.control("settings", webhooks="drop")
    order = till(gateway="yookassa")
    theirs = desk.sandbox.pay("yookassa", order.transaction_id)["id"]
    for event in ("payment.succeeded", "payment.waiting_for_capture"):
        assert ring(order, bell(event, theirs)).status == 200

    results = at_once(
        *[lambda: _do_jobs(order)] * 2, lambda: _ask(order), lambda: _refresh(order), order.sweep
    )

    assert not [found for found in results if isinstance(found, Exception)], results
    assert order.state().moved == ("succeeded", 1, "0.00")
    assert order.state().inbox == ("payment.succeeded handled", "payment.waiting_for_capture handled")


def test_two_orders_of_one_customer_paid_at_once(quick_till: Tills) -> None:
    """Four plans paid for in one moment follow one another: no day is paid twice, none is lost."""
    plans = {
        "START_MONTHLY": "390.00",
        "PRO_MONTHLY": "990.00",
        "BUSINESS_MONTHLY": "2990.00",
        "PRO_YEARLY": "9900.00",
    }
    orders = [(quick_till(plan=code), price) for code, price in plans.items()]
    acts = [
        lambda o=order, p=price, n=n: o.tell("pay", Amount=p, TransactionId=str(100 + n))
        for n, (order, price) in enumerate(orders)
    ]

    assert codes(at_once(*acts)) == {(200, 0)}

    app = orders[0][0].app
    with app.app_context():
        periods = db.session.execute(
            text("SELECT starts_at, ends_at FROM purchased_plans ORDER BY starts_at")
        ).all()
    assert len(periods) == 4
    assert all(one.ends_at == after.starts_at for one, after in pairwise(periods))
    assert (periods[-1].ends_at - periods[0].starts_at).days == 30 * 3 + 365
    assert orders[0][0].violations() == []


@pytest.mark.parametrize("gateway", ("cloudpayments", "yookassa"))
def test_clicks_at_once_make_one_order(desk: Desk, till: Tills, gateway: str) -> None:
    """Eight clicks on one plan in one moment are one order of ours and one payment of theirs."""
    account = till(plan="START_MONTHLY").account  # makes the customer
    before = len(desk.sandbox.ledger()["payments"])

    def click() -> str:
        with desk.app.app_context():
            user = db.session.query(User).filter_by(public_id=account).one()
            order = checkout.start(
                user, "PRO_MONTHLY", gateway, accept_recurring=False, client=BROWSER, now=clock.now()
            )
            return order.payment.transaction_id

    made = at_once(*[click] * 8)

    assert len(set(made)) == 1, made
    assert isinstance(made[0], str), made
    with desk.app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM payments")).scalar_one() == 2
    assert len(desk.sandbox.ledger()["payments"]) - before == (1 if gateway == "yookassa" else 0)


def test_expiry_and_a_late_pay_at_once(quick_till: Tills) -> None:
    """The end of a plan and its next payment in one moment: whoever is first, no law is broken."""
    order = quick_till()
    order.tell("pay")
    second = quick_till()
    clock.set_to(clock.now() + timedelta(days=30))

    def expire() -> int:
        with order.app.app_context():
            return tending.expire(clock.now())

    results = at_once(lambda: second.tell("pay", TransactionId="77"), expire, expire)

    assert not [found for found in results if isinstance(found, Exception)], results
    assert second.state().moved == ("succeeded", 1, "0.00")
    assert second.violations() == []


def _ask(order: Till) -> None:
    with order.app.app_context():
        user = db.session.query(User).filter_by(public_id=order.account).one()
        payments.ask(payments.owned(user.id, order.transaction_id), clock.now())


def _refresh(order: Till) -> None:
    with order.app.app_context():
        user = db.session.query(User).filter_by(public_id=order.account).one()
        payments.refresh(payments.owned(user.id, order.transaction_id).id, clock.now())


def _do_jobs(order: Till) -> None:
    """What a worker would do for each bell, at whatever time it is told to."""
    with order.app.app_context():
        for event_id in inbox.waiting(clock.now()):
            inbox.process(event_id)

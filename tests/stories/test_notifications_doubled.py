"""The same news twice, thrice, late, early, or in another order: it counts once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from portal import clock
from tests.desk import Desk
from tests.stories import cloudpayments_bodies as bodies
from tests.stories.till import State, Till, over_http

Tills = Callable[..., Till]


@pytest.mark.parametrize("times", (1, 2, 3))
def test_a_pay_told_so_many_times_gives_one_period(till: Tills, times: int) -> None:
    """However often the same Pay comes, it is answered 0, kept once and gives one period."""
    order = till()

    answers = [order.tell("pay") for _ in range(times)]

    assert [(answer.status, answer.code) for answer in answers] == [(200, 0)] * times
    assert order.state() == State("succeeded", 1, inbox=("pay handled",))


def test_the_same_pay_in_other_words_gives_one_period(till: Tills) -> None:
    """The same capture told again as JSON, by GET and by a resend is other bytes but the same money."""
    order = till()
    told = order.fields("pay")

    first = order.deliver(bodies.form(told), to="pay")
    again = order.deliver(bodies.as_json(told), to="pay", content_type=bodies.JSON)
    resent = order.tell("pay", Rrn="605619153402")

    assert [answer.code for answer in (first, again, resent)] == [0, 0, 0]
    assert order.state() == State("succeeded", 1, inbox=("pay handled",) * 3)


@pytest.mark.parametrize("kind", ("fail", "refund", "receipt", "recurrent", "cancel", "confirm"))
def test_any_other_kind_doubled_is_kept_once(till: Tills, kind: str) -> None:
    """A repeat of any kind costs one conflict: one row, the same answer, nothing moved by the second."""
    order = till()
    first = order.tell(kind)
    state = order.state()

    second = order.tell(kind)

    assert (first.code, second.code) == (0, 0)
    assert order.state() == state
    assert len(state.inbox) == 1


def test_a_late_pay_is_not_lost(till: Tills) -> None:
    """Two days after the order was made, long after it was closed, its capture still gives the plan."""
    order = till()
    clock.set_to(clock.now() + timedelta(days=2))
    order.sweep()
    assert order.state().status == "failed"

    assert order.tell("pay").code == 0

    assert order.state().moved == ("succeeded", 1, "0.00")


def test_a_pay_before_the_browser_is_back(desk: Desk) -> None:
    """The customer who comes back after the notification sees the plan, and asking gives nothing more."""
    ira = desk.customer()
    order = ira.order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()

    page = ira.get(f"/billing/payment/{order['transaction_id']}/return")

    assert page.ok
    assert len(ira.get("/billing/api/cloudpayments/transactions/").json()["transactions"]) == 1
    assert ira.status(order["transaction_id"], "cloudpayments")["status"] == "succeeded"


def test_the_browser_back_before_any_notification(desk: Desk) -> None:
    """The return page asks the gateway and gives the plan; the late notification then gives nothing more."""
    desk.sandbox.control("settings", webhooks="drop")
    ira = desk.customer()
    order = ira.order("cloudpayments")
    paid = desk.sandbox.pay("cloudpayments", order["transaction_id"])

    ira.get(f"/billing/payment/{order['transaction_id']}/return")
    assert ira.status(order["transaction_id"], "cloudpayments")["status"] == "succeeded"

    late = Till(desk.app, over_http(desk.url), "cloudpayments", order["transaction_id"], paid["account"])
    assert late.tell("pay", TransactionId=paid["id"]).code == 0
    assert late.state() == State("succeeded", 1, inbox=("pay handled",))


def test_a_late_fail_takes_nothing_back(till: Tills) -> None:
    """A refusal of an earlier card that arrives after the capture is kept and changes nothing."""
    order = till()
    order.tell("pay")

    assert order.tell("fail", TransactionId="3355303841").code == 0

    assert order.state() == State("succeeded", 1, inbox=("pay handled", "fail ignored"))


def test_a_fail_then_a_second_card(till: Tills) -> None:
    """A refusal is not the end of an order: the next card in the same widget pays it."""
    order = till()
    order.tell("fail")
    assert order.state().moved == ("failed", 0, "0.00")

    order.tell("pay", TransactionId="3355303843")

    assert order.state().moved == ("succeeded", 1, "0.00")


def test_a_refund_before_its_payment_waits_for_it(till: Tills) -> None:
    """A Refund that overtakes its Pay is kept, waits, and is booked once the Pay is there."""
    order = till()

    assert order.tell("refund").code == 0
    assert order.state() == State("pending", inbox=("refund received",))
    order.tell("pay")
    order.sweep()

    assert order.state() == State("succeeded", 0, "990.00", inbox=("refund handled", "pay handled"))


def test_partial_refunds_add_up(till: Tills) -> None:
    """Refunds in parts are a sum; the last one takes the period back."""
    order = till()
    order.tell("pay")

    order.tell("refund", TransactionId="3355400001", Amount="400.00")
    assert order.state().moved == ("succeeded", 1, "400.00")
    order.tell("refund", TransactionId="3355400002", Amount="590.00")

    assert order.state().moved == ("succeeded", 0, "990.00")


def test_refunds_above_the_capture_become_a_case(till: Tills) -> None:
    """A refund of more than is left is shown to the operator and moves nothing."""
    order = till()
    order.tell("pay")
    order.tell("refund", TransactionId="3355400001", Amount="600.00")

    assert order.tell("refund", TransactionId="3355400002", Amount="600.00").code == 0

    assert order.state().moved == ("succeeded", 1, "600.00")
    assert order.state().cases == ("refund_above_capture",)


def test_a_refund_of_money_that_was_never_ours_does_not_wait_for_ever(till: Tills) -> None:
    """A capture of a wrong sum is a case; when the operator sends it back, that news is done at once."""
    order = till()
    order.tell("pay", Amount="1.00")

    order.tell("refund", Amount="1.00")

    assert order.state() == State("pending", cases=("amount_mismatch",), inbox=("pay case", "refund ignored"))


def test_a_refund_whose_payment_never_comes_ends_with_the_operator(till: Tills) -> None:
    """After half a day of waiting a refund of nothing known becomes a case and waits no longer."""
    order = till()
    order.tell("refund")

    for hours in (1, 4, 12, 24):
        clock.set_to(clock.now() + timedelta(hours=hours))
        order.sweep()

    assert order.state().inbox == ("refund case",)
    assert order.state().cases == ("unknown_refund",)


def test_a_cancel_whose_hold_never_comes_ends_by_itself(till: Tills) -> None:
    """A released hold that nobody heard of means nothing after half a day: no case, nothing waiting."""
    order = till()
    order.tell("cancel")
    assert order.state().inbox == ("cancel received",)

    for hours in (1, 4, 12, 24):
        clock.set_to(clock.now() + timedelta(hours=hours))
        order.sweep()

    assert order.state().inbox == ("cancel ignored",)
    assert order.state().cases == ()


def test_a_hold_gives_nothing_until_it_is_confirmed(till: Tills) -> None:
    """Two stages: an Authorized Pay holds, Confirm gives the plan, each told twice."""
    order = till()

    order.tell("pay-authorized")
    order.tell("pay-authorized")
    assert order.state().moved == ("authorized", 0, "0.00")
    order.tell("confirm")
    order.tell("confirm")

    assert order.state().moved == ("succeeded", 1, "0.00")


def test_a_released_hold_gives_nothing(till: Tills) -> None:
    """Cancel ends a hold; what Confirm would have given is not given."""
    order = till()
    order.tell("pay-authorized")

    order.tell("cancel")

    assert order.state() == State("failed", inbox=("pay handled", "cancel handled"))

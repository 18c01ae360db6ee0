"""Signed news that does not fit our order: nothing moves, the operator sees it, the gateway is answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from portal.database import db
from tests.stories import cloudpayments_bodies as bodies
from tests.stories.till import State, Till

Tills = Callable[..., Till]

WRONG = (
    ({"Amount": "989.99"}, "amount_mismatch"),
    ({"Amount": "990.01"}, "amount_mismatch"),
    ({"Amount": "9900.00"}, "amount_mismatch"),
    ({"Amount": "0.00"}, "amount_mismatch"),
    ({"Amount": ""}, "amount_mismatch"),
    ({"Amount": None}, "amount_mismatch"),
    ({"Currency": "KZT"}, "currency_mismatch"),
    ({"Currency": "rub"}, "currency_mismatch"),
    ({"Currency": "RUBRUBRUB" * 9}, "currency_mismatch"),
    ({"AccountId": "somebody-else"}, "account_mismatch"),
    ({"AccountId": "x" * 9000}, "account_mismatch"),
    ({"TestMode": "0"}, "test_mode_mismatch"),
    ({"TestMode": None}, "test_mode_mismatch"),
    ({"TestMode": "2"}, "test_mode_mismatch"),
    ({"InvoiceId": "no-such-order"}, "unknown_payment"),
    ({"InvoiceId": None}, "unknown_payment"),
    ({"InvoiceId": "x" * 9000}, "unknown_payment"),
)


@pytest.mark.parametrize("kind", ("pay", "pay-authorized", "confirm"))
def test_what_does_not_fit_becomes_one_case(quick_till: Tills, kind: str) -> None:
    """Whatever differs: answered 0, one case however often it is told, the order untouched."""
    order = quick_till()
    wrong = WRONG if kind == "pay" else WRONG[::4]
    for number, (changes, _) in enumerate(wrong):
        told = {"TransactionId": str(8000 + number), **changes}
        answers = [order.tell(kind, **told), order.tell(kind, **told, Rrn="2")]
        assert [(answer.status, answer.code) for answer in answers] == [(200, 0)] * 2, changes
    state = order.state()
    assert state.moved == ("pending", 0, "0.00")
    assert state.cases == tuple(case for _, case in wrong)
    assert set(state.inbox) == {f"{kind.partition('-')[0]} case"}
    assert order.violations() == []


def test_a_case_does_not_keep_the_right_money_out(quick_till: Tills) -> None:
    """After a capture of a wrong sum the right one, from another attempt, still gives the plan."""
    order = quick_till()
    order.tell("pay", Amount="1.00")
    order.tell("pay", TransactionId="3355303900")
    assert order.state().moved == ("succeeded", 1, "0.00")
    assert order.state().cases == ("amount_mismatch",)


def test_a_case_shows_the_money(quick_till: Tills) -> None:
    """The operator reads sum, currency, the gateway's id and our reference from the case."""
    order = quick_till()
    order.tell("pay", Amount="13.37", Currency="KZT")
    with order.app.app_context():
        found = db.session.execute(
            text("SELECT amount, currency, gateway_payment_id, facts FROM cases")
        ).one()
    assert (str(found[0]), found[1], found[2]) == ("13.37", "KZT", "3355303842")
    assert found[3]["reference"] == order.transaction_id


def test_the_exact_sum_may_be_written_shorter(quick_till: Tills) -> None:
    """Nine hundred and ninety roubles are that, with or without the zeros."""
    for number, amount in enumerate(("990", "990.0", "990.00", "0990.00")):
        order = quick_till(email=f"customer-{number}@example.com")
        order.tell("pay", Amount=amount, TransactionId=str(8000 + number))
        assert order.state().moved == ("succeeded", 1, "0.00"), amount


NO_AMOUNTS = (
    "9.9e2",
    "990,00",
    "NaN",
    "sNaN",
    "Infinity",
    "-1",
    "-990.00",
    "+990.00",
    "９９０.００",
    "٩٩٠.٠٠",
    " 990.00",
    "990.00 ",
    "990.000",
    "990.",
    ".99",
    "0x3de",
    "1e400",
    "990.00.00",
    "9 90.00",
    "990_00",
    "99000",
    "9" * 400,
    "True",
    "990.00\n",
)


def test_an_amount_that_is_none(quick_till: Tills) -> None:
    """Nothing is rounded, guessed or read generously: such a Pay is a case, such a Check refused."""
    order = quick_till()
    for number, amount in enumerate(NO_AMOUNTS, start=1):
        assert order.tell("check", Amount=amount).code == 12, amount
        answer = order.tell("pay", Amount=amount, TransactionId=str(8000 + number))
        assert (answer.status, answer.code) == (200, 0), amount
        assert order.state().moved == ("pending", 0, "0.00"), amount
        assert order.state().cases == ("amount_mismatch",) * number, amount


def test_an_order_at_yookassa_told_about_by_cloudpayments(till: Tills) -> None:
    """YooKassa's order paid at CloudPayments is a case; any other news of it moves nothing."""
    order = till(gateway="yookassa")

    answers = [order.tell(kind) for kind in ("pay", "confirm", "fail", "cancel", "refund", "receipt")]

    assert [(answer.status, answer.code) for answer in answers] == [(200, 0)] * 6
    assert order.state() == State(
        "pending",
        cases=("gateway_mismatch",),
        inbox=(
            "pay case",
            "confirm case",
            "fail ignored",
            "cancel ignored",
            "refund ignored",
            "receipt handled",
        ),
    )


def test_one_capture_cannot_pay_two_orders(quick_till: Tills) -> None:
    """A TransactionId that paid one order is a case when it is told about another."""
    first, second = quick_till(), quick_till(plan="BUSINESS_MONTHLY")
    first.tell("pay")

    answer = second.tell("pay", Amount="2990.00")

    assert answer.code == 0
    assert second.state().moved == ("pending", 0, "0.00")
    assert second.state().cases == ("unknown_payment",)
    assert second.violations() == []


def test_an_unknown_refund_is_a_case(quick_till: Tills) -> None:
    """Money that went back for no order of ours, or in an unreadable sum, goes to the operator."""
    order = quick_till()
    order.tell("pay")
    order.tell("refund", InvoiceId="no-such-order", PaymentTransactionId="1", TransactionId="2")
    order.tell("refund", Amount="all of it", TransactionId="3")
    assert order.state().moved == ("succeeded", 1, "0.00")
    assert order.state().cases == ("unknown_refund", "unknown_refund")


def test_a_refund_of_the_other_capture(quick_till: Tills) -> None:
    """When the second of two captures is sent back, the first one's plan stays."""
    order = quick_till()
    order.tell("pay")
    order.tell("pay", TransactionId="3355303999")
    order.tell("refund", PaymentTransactionId="3355303999")
    assert order.state().moved == ("succeeded", 1, "0.00")
    assert order.state().inbox == ("pay handled", "pay case", "refund ignored")


@pytest.mark.parametrize("amount", ("0.00", "990.01", "5000.00"))
def test_a_refund_that_cannot_be(quick_till: Tills, amount: str) -> None:
    """A refund of nothing, or of more than was captured, is a case and takes nothing back."""
    order = quick_till()
    order.tell("pay")
    assert order.tell("refund", Amount=amount).code == 0
    assert order.state().moved == ("succeeded", 1, "0.00")
    assert order.state().cases == ("refund_above_capture",)


def test_a_refund_in_another_currency(quick_till: Tills) -> None:
    """A Refund that does name a currency must name the payment's."""
    order = quick_till()
    order.tell("pay")
    order.tell("refund", Currency="KZT")
    assert order.state().moved == ("succeeded", 1, "0.00")
    assert order.state().cases == ("refund_above_capture",)


def test_a_payer_who_hides_the_account_still_pays_for_the_order(quick_till: Tills) -> None:
    """AccountId is optional at CloudPayments: money for our order without one is still the customer's."""
    order = quick_till()
    assert bodies.form(order.fields("pay", AccountId="")).count(b"AccountId=&") == 1
    order.tell("pay", AccountId="")
    assert order.state().moved == ("succeeded", 1, "0.00")

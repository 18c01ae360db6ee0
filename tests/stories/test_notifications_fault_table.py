"""Faults that were provoked in other shops' desks (relsec.md 1.4), each by its letter, against this one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from portal import clock
from portal.billing import subscriptions
from portal.database import db
from portal.models import User
from tests.desk import Desk
from tests.stories import cloudpayments_bodies as bodies
from tests.stories.till import YOOKASSA, State, Till

Tills = Callable[..., Till]

PENDING = State("pending")


def test_d0_pay(till: Tills) -> None:
    """A signed Pay of the right sum gives the plan."""
    order = till()
    assert order.tell("pay").code == 0
    assert order.state() == State("succeeded", 1, inbox=("pay handled",))


def test_d1_twenty_duplicates_at_once(till: Tills) -> None:
    """Twenty equal Pays in the same moment are all answered 0, and one of them gives the plan."""
    order, gate, answers = till(), threading.Barrier(20), []

    def deliver() -> None:
        gate.wait(10)
        answers.append(order.tell("pay"))

    threads = [threading.Thread(target=deliver) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [(answer.status, answer.code) for answer in answers] == [(200, 0)] * 20
    assert order.state() == State("succeeded", 1, inbox=("pay handled",))


def test_d2_late_fail_after_pay(till: Tills) -> None:
    """A Fail after the Pay, even about the very same transaction, leaves the payment paid."""
    order = till()
    order.tell("pay")
    assert order.tell("fail").code == 0
    assert order.state() == State("succeeded", 1, inbox=("pay handled", "fail ignored"))


def test_d3_amount_of_one_rouble(till: Tills) -> None:
    """1.00 instead of 990.00 is a case with the money visible, and gives nothing."""
    order = till()
    assert order.tell("pay", Amount="1.00").code == 0
    assert order.state() == State("pending", cases=("amount_mismatch",), inbox=("pay case",))


def test_d4_currency_kzt(till: Tills) -> None:
    """990 tenge are not 990 roubles."""
    order = till()
    assert order.tell("pay", Currency="KZT").code == 0
    assert order.state() == State("pending", cases=("currency_mismatch",), inbox=("pay case",))


def test_d5_account_of_another_user(till: Tills) -> None:
    """A payment in another customer's name gives neither of them anything."""
    order = till()
    other = till(email="oleg@example.com")
    assert order.tell("pay", AccountId=other.account).code == 0
    assert order.state() == State("pending", cases=("account_mismatch",), inbox=("pay case",))
    assert other.state().moved == ("pending", 0, "0.00")


def test_d6_bad_signature(till: Tills) -> None:
    """A wrong signature is refused with 403 and leaves no trace."""
    order = till()
    answer = order.deliver(bodies.form(order.fields("pay")), Content_HMAC="bm90IHRoZSBzaWduYXR1cmU=")
    assert (answer.status, answer.code) == (403, None)
    assert order.state() == PENDING


def test_d7_no_signature(till: Tills) -> None:
    """So is a missing one."""
    order = till()
    answer = order.deliver(bodies.form(order.fields("pay")), Content_HMAC=None)
    assert (answer.status, answer.code) == (403, None)
    assert order.state() == PENDING


def test_d8_second_charge_of_a_paid_order(till: Tills) -> None:
    """A second capture (another TransactionId) of a paid order is a case: the customer is owed that money."""
    order = till()
    order.tell("pay")
    assert order.tell("pay", TransactionId="3355303999").code == 0
    assert order.state() == State(
        "succeeded", 1, cases=("second_capture",), inbox=("pay handled", "pay case")
    )


def test_d9_unknown_invoice(till: Tills) -> None:
    """Money for no order of ours is a case, and nobody's payment is invented for it."""
    order = till()
    assert order.tell("pay", InvoiceId="no-such-order").code == 0
    assert order.state() == State("pending", cases=("unknown_payment",), inbox=("pay case",))


@pytest.mark.parametrize(
    ("changes", "code"), (({"Amount": "1.00"}, 12), ({"InvoiceId": "no-such-order"}, 10))
)
def test_d10_check_of_a_wrong_order(till: Tills, changes: dict[str, str], code: int) -> None:
    """Check refuses a wrong sum and an unknown order, so that no money is taken at all."""
    order = till()
    assert order.tell("check", **changes).code == code
    assert order.state() == PENDING


# D11, the storm with kill -9, is tests/crash and tests/stories/test_lost_work.py.


def test_d12_check_body_on_the_pay_address(till: Tills) -> None:
    """A signed Check, which already says Completed, gives nothing on the address for Pay."""
    order = till()
    answer = order.tell("check", to="pay", Status="Completed")
    assert answer.status == 200
    assert order.state() == PENDING


def test_d13_authorized_on_the_pay_address(till: Tills) -> None:
    """A hold is no capture."""
    order = till()
    assert order.tell("pay-authorized").code == 0
    assert order.state() == State("authorized", 0, inbox=("pay handled",))


@pytest.mark.parametrize("status", ("Declined", "Cancelled", "Pending", "", "completed", "Completed "))
def test_d14_declined_body_on_the_pay_address(till: Tills, status: str) -> None:
    """Only the word Completed is a capture."""
    order = till()
    assert order.tell("pay", Status=status).code == 0
    assert order.state().moved == ("pending", 0, "0.00")


def test_d14_fail_body_on_the_pay_address(till: Tills) -> None:
    """A whole Fail, sent to the address for Pay, is a refusal."""
    order = till()
    assert order.tell("fail", to="pay").code == 0
    assert order.state().moved == ("failed", 0, "0.00")


def test_d15_non_ascii_signature(till: Tills) -> None:
    """A signature of letters that base64 does not have is a wrong one, not a fault of ours."""
    order = till()
    answer = order.deliver(bodies.form(order.fields("pay")), Content_HMAC="пдпсь".encode().decode("latin-1"))
    assert answer.status == 403
    assert order.state() == PENDING


@pytest.mark.parametrize("number", ("abc", "-1", "0", "1.5", "٣٣", "9" * 30, "1e9", "0x10", "3355303842;"))
def test_d16_malformed_transaction_id(till: Tills, number: str) -> None:
    """A signed Pay whose id can be no id is kept for a person and gives nothing."""
    order = till()
    assert order.tell("pay", TransactionId=number).code == 0
    assert order.state() == State("pending", inbox=("unreadable case",), cases=("unreadable",))


@pytest.mark.parametrize("amount", ("989.99", "990.01"))
def test_d17_a_kopeck_less_or_more(till: Tills, amount: str) -> None:
    """There is no tolerance: a kopeck is a mismatch."""
    order = till()
    assert order.tell("pay", Amount=amount).code == 0
    assert order.state() == State("pending", cases=("amount_mismatch",), inbox=("pay case",))


def test_e1_a_renewal_extends(till: Tills) -> None:
    """A second order of the same plan adds its days after the ones that are paid."""
    order = till()
    order.tell("pay")
    second = till()
    second.tell("pay", TransactionId="3355303900")
    assert _days_left(second) == 60


def test_e2_replay_of_an_older_payment(till: Tills) -> None:
    """An old Pay told again, in whatever words, moves the paid-until date neither forward nor back."""
    order = till()
    order.tell("pay")
    second = till()
    second.tell("pay", TransactionId="3355303900")
    clock.set_to(clock.now() + timedelta(days=10))

    order.tell("pay")
    order.tell("pay", Rrn="1")
    order.deliver(bodies.as_json(order.fields("pay")), content_type=bodies.JSON)

    assert _days_left(second) == 50


def test_e3_a_hundredth_of_a_tenge_extends_nothing(till: Tills) -> None:
    """0.01 KZT for a running plan is a case and moves no date."""
    order = till()
    order.tell("pay")
    second = till()
    second.tell("pay", TransactionId="3355303900", Amount="0.01", Currency="KZT")
    assert _days_left(second) == 30
    assert second.state().cases == ("currency_mismatch",)


def test_e4_payment_before_the_subscription_exists(till: Tills) -> None:
    """The very first payment of a customer, told before the browser knows of anything, is not lost."""
    order = till(email="new@example.com")
    assert order.tell("pay", to="").code == 0
    assert order.state().moved == ("succeeded", 1, "0.00")


def test_e5_a_bad_signature_of_a_renewal(till: Tills) -> None:
    """A forged renewal extends nothing."""
    order = till()
    order.tell("pay")
    second = till()
    raw = bodies.form(second.fields("pay", TransactionId="3355303900"))
    assert second.deliver(raw, Content_HMAC=bodies.content_hmac(raw, "guessed")).status == 403
    assert _days_left(second) == 30


def _days_left(order: Till) -> int:
    with order.app.app_context():
        user = db.session.query(User).filter_by(public_id=order.account).one()
        return subscriptions.standing(user.id, clock.now()).days_left


def a_bell(desk: Desk, event: str, payment_id: str, status: str, **headers: str) -> requests.Response:
    """What YooKassa would say; nothing in it but the id may matter."""
    body = {
        "type": "notification",
        "event": event,
        "object": {
            "id": payment_id,
            "status": status,
            "paid": status == "succeeded",
            "amount": {"value": "990.00", "currency": "RUB"},
        },
    }
    return requests.post(desk.url + YOOKASSA, json=body, headers=headers, timeout=30)


def test_f1_forged_success(desk: Desk, till: Tills) -> None:
    """A forged payment.succeeded, its sender's address forged too, gives nothing: the object is read back."""
    order = till(gateway="yookassa")
    theirs = _payment_at_yookassa(desk)

    answer = a_bell(desk, "payment.succeeded", theirs, "succeeded", **{"X-Forwarded-For": "185.71.76.1"})
    desk.work()

    assert answer.status_code == 200  # the tests' own address is in the list; it is not believed all the same
    assert order.state() == State("pending", inbox=("payment.succeeded handled",))


def test_f2_duplicates_of_a_success(desk: Desk, till: Tills) -> None:
    """A success told three times is answered 200 three times and gives one period."""
    order = till(gateway="yookassa")
    desk.sandbox.control("settings", webhooks="drop")
    desk.sandbox.pay("yookassa", order.transaction_id)

    answers = [a_bell(desk, "payment.succeeded", _payment_at_yookassa(desk), "succeeded") for _ in range(3)]
    desk.work()

    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 3
    assert order.state() == State("succeeded", 1, inbox=("payment.succeeded handled",))


def test_f3_late_cancel_of_a_paid_payment(desk: Desk, till: Tills) -> None:
    """payment.canceled about a payment that succeeded changes nothing: YooKassa itself says otherwise."""
    order = till(gateway="yookassa")
    desk.sandbox.pay("yookassa", order.transaction_id)
    desk.settle()

    assert a_bell(desk, "payment.canceled", _payment_at_yookassa(desk), "canceled").status_code == 200
    desk.work()

    assert order.state().moved == ("succeeded", 1, "0.00")


def test_f4_without_a_known_address(desk: Desk, till: Tills) -> None:
    """From outside YooKassa's networks nothing is even kept, whatever X-Forwarded-For claims."""
    order = till(gateway="yookassa")
    config = desk.app.extensions["portal_config"]
    desk.app.extensions["portal_config"] = replace(config, yookassa_webhook_networks=None)

    theirs = _payment_at_yookassa(desk)
    spoofs = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP")
    for headers in ({}, *({name: "185.71.76.1"} for name in spoofs)):
        assert a_bell(desk, "payment.succeeded", theirs, "succeeded", **headers).status_code == 403

    assert order.state() == PENDING


def _payment_at_yookassa(desk: Desk) -> str:
    return str(desk.sandbox.ledger()["payments"][-1]["id"])

"""A refund on a bad day: lost calls, lost answers, forgotten keys, refusals, money that bounces."""

from __future__ import annotations

import html
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from sqlalchemy import select, update

from portal import clock
from portal.billing import reconciliation, refunds
from portal.database import db, transaction
from portal.models import CaseKind, Payment, Refund, RefundSource
from tests.desk import Browser, Desk
from tests.shares import pairs, share
from tests.stories import books
from tests.stories.weather import clear, has_plan, impatient, later, paid, spoil, subjects

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
    ira, faults = desk.customer(), share(FAULTS, GATEWAYS.index(gateway))
    orders = [a_paid_order(desk, ira, gateway) for _ in faults]
    silent(desk)
    for number, (order, fault) in enumerate(zip(orders, faults, strict=True)):
        give_back(desk, order, f"{100 + number}.50")
        spoil(desk, gateway, CALL[gateway], fault)
        with impatient(desk):
            desk.work()
    wanted = {f"{100 + number}.50": 1 for number in range(len(faults))}
    done = {f"{100 + number}.50": 1 for number, fault in enumerate(faults) if FAULTS[fault]}
    assert theirs(desk) == Counter(done)
    assert {status for _, status in rows(desk)} <= {"pending", "unknown"}
    before = keys(desk)

    later(desk, "30m")

    assert theirs(desk) == Counter(wanted)
    assert {status for _, status in rows(desk)} == {"succeeded"}
    assert keys(desk) == before
    agree(desk)


@pytest.mark.lists
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_after_the_key_is_forgotten_the_list_is_asked(desk: Desk, gateway: str) -> None:
    """While calls and lists fail for longer than the gateway remembers a key, nothing is repeated. Then what
    was made is found in the list and what was never made gets a new key: each goes back once. Meanwhile the
    operator was shown what nobody knew for a day, once.
    """
    ira = desk.customer()
    made, lost = a_paid_order(desk, ira, gateway), a_paid_order(desk, ira, gateway)
    silent(desk)
    give_back(desk, made, "340.50")
    give_back(desk, lost, "340.50")
    spoil(desk, gateway, CALL[gateway], "drop_after_commit")
    spoil(desk, gateway, CALL[gateway], "http_500", times=1000)
    spoil(desk, gateway, LIST[gateway], "garbage_502", times=1000)
    desk.work()
    before = keys(desk)
    later(desk, "30h")
    assert (theirs(desk), keys(desk)) == (Counter({"340.50": 1}), before)
    assert rows(desk) == [("340.50", "unknown")] * 2
    assert books.case_kinds(desk.app) == [CaseKind.UNKNOWN_TOO_OLD] * 2

    clear(desk)
    later(desk, "7h")

    assert theirs(desk) == Counter({"340.50": 2})
    assert rows(desk) == [("340.50", "succeeded")] * 2
    assert [old == new for old, new in zip(before, keys(desk), strict=True)] == [True, False]
    assert len(books.case_kinds(desk.app)) == 2
    agree(desk)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_lost_answer_is_found_before_a_refusal_is_believed(desk: Desk, gateway: str) -> None:
    """A gateway that forgot the key, and refuses a second refund of the whole sum, has made the first one."""
    ira = desk.customer()
    order = a_paid_order(desk, ira, gateway)
    silent(desk)
    give_back(desk, order, "990.00")
    spoil(desk, gateway, CALL[gateway], "drop_after_commit")
    desk.work()
    with desk.app.app_context(), transaction() as session:
        session.execute(update(Refund).values(key="another key, as if this one were forgotten"[:36]))

    later(desk, "10m")

    assert (theirs(desk), rows(desk)) == (Counter({"990.00": 1}), [("990.00", "succeeded")])
    assert books.case_kinds(desk.app) == []
    agree(desk)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_refund_that_is_refused(desk: Desk, gateway: str) -> None:
    """Too old a payment is refused for certain: failed, a case with the sum, and a word to the customer in
    the portal and by letter that we are on it.
    """
    ira = desk.customer()
    order = a_paid_order(desk, ira, gateway)
    later(desk, "366d" if gateway == "cloudpayments" else "1100d")
    give_back(desk, order)
    desk.work()

    assert (theirs(desk), rows(desk)) == (Counter(), [("340.50", "failed")])
    assert books.case_kinds(desk.app) == [CaseKind.REFUND_FAILED]
    assert "задерживается" in plain(ira.get("/dashboard/").text)
    assert "Возврат 340,50 ₽ задерживается" in plain(ira.get("/dashboard/payments").text)
    later(desk, "1m")
    assert "Возврат 340,50 ₽ задерживается" in [plain(subject) for subject in subjects(desk)]
    later(desk, "3d")
    assert rows(desk) == [("340.50", "failed")]
    agree(desk)


@pytest.mark.parametrize(
    ("outcome", "ends"), (("pending", "succeeded"), ("pending_insufficient_funds", "failed"))
)
def test_yookassa_takes_its_time(desk: Desk, outcome: str, ends: str) -> None:
    """A refund that YooKassa has taken on is shown as under way and asked about; how it ends is told by no
    event when it fails.
    """
    desk.sandbox.control("settings", yookassa_refund_outcome=outcome)
    ira = desk.customer()
    order = a_paid_order(desk, ira, "yookassa")
    give_back(desk, order, "990.00")
    desk.work()
    assert rows(desk) == [("990.00", "pending")]
    assert "Возвращаем 990 ₽" in plain(ira.get("/dashboard/payments").text)

    later(desk, "1h")

    assert rows(desk) == [("990.00", ends)]
    cases = books.case_kinds(desk.app)
    assert cases == ([CaseKind.REFUND_FAILED] if ends == "failed" else [])
    assert has_plan(ira) is (ends == "failed")
    agree(desk)


def test_yookassa_refuses_in_its_answer(desk: Desk) -> None:
    """A refund that is canceled at once is failed at once; ordered again it goes back."""
    desk.sandbox.control("settings", yookassa_refund_outcome="rejected_by_payee")
    ira = desk.customer()
    order = a_paid_order(desk, ira, "yookassa")
    give_back(desk, order)
    desk.work()
    assert rows(desk) == [("340.50", "failed")]

    desk.sandbox.control("settings", yookassa_refund_outcome="succeeded")
    give_back(desk, order)
    desk.work()

    assert rows(desk) == [("340.50", "failed"), ("340.50", "succeeded")]
    assert "задерживается" not in plain(ira.get("/dashboard/payments").text)
    agree(desk)


@pytest.mark.parametrize(("outcome", "ends"), (("succeeded", "succeeded"), ("bounced", "failed")))
def test_an_sbp_refund_at_cloudpayments(desk: Desk, outcome: str, ends: str) -> None:
    """CloudPayments takes an SBP refund on at once; whether the payer's bank took the money is asked."""
    desk.sandbox.control("settings", cloudpayments_sbp_refund_outcome=outcome)
    ira = desk.customer()
    order = ira.order("cloudpayments")
    paid(desk, order, "sbp")
    silent(desk)
    give_back(desk, order, "990.00")
    desk.work()
    assert rows(desk) == [("990.00", "pending")]

    later(desk, "20m")

    assert rows(desk) == [("990.00", ends)]
    assert has_plan(ira) is (ends == "failed")
    agree(desk)


def test_an_sbp_refund_under_way_is_not_made_again(desk: Desk) -> None:
    """A lost answer about a refund that CloudPayments lists only at its end is found by the search."""
    desk.sandbox.control("settings", cloudpayments_sbp_refund_seconds=3 * 3600)
    ira = desk.customer()
    order = ira.order("cloudpayments")
    paid(desk, order, "sbp")
    silent(desk)
    give_back(desk, order)
    spoil(desk, "cloudpayments", "refund", "drop_after_commit")
    spoil(desk, "cloudpayments", "refund", "http_500", times=5)
    desk.work()
    with desk.app.app_context(), transaction() as session:
        session.execute(update(Refund).values(called_at=clock.now() - timedelta(hours=2)))

    later(desk, "10m")
    assert (theirs(desk), rows(desk)) == (Counter({"340.50": 1}), [("340.50", "pending")])
    later(desk, "6h")
    assert rows(desk) == [("340.50", "succeeded")]
    agree(desk)


@pytest.mark.parametrize(("gateway", "mode"), pairs(GATEWAYS, ("normal", "duplicate")))
def test_news_before_our_answer(desk: Desk, gateway: str, mode: str) -> None:
    """A notification, even two, that overtakes the answer to our own call is one refund, booked once, with
    one word to the customer.
    """
    ira = desk.customer()
    order = a_paid_order(desk, ira, gateway)
    give_back(desk, order, "990.00")
    desk.sandbox.control("settings", webhooks=mode, api_latency_ms=300)
    desk.work()
    desk.sandbox.control("settings", api_latency_ms=0)
    desk.settle()
    later(desk, "1h")

    assert (theirs(desk), rows(desk)) == (Counter({"990.00": 1}), [("990.00", "succeeded")])
    assert len([one for one in subjects(desk) if plain(one).startswith("Возврат")]) == 1
    agree(desk)


@pytest.mark.lists
@pytest.mark.parametrize(("gateway", "first"), pairs(GATEWAYS, ("ours", "theirs")))
def test_the_cabinet_at_the_same_moment(desk: Desk, gateway: str, first: str) -> None:
    """The operator gives back in the cabinet what the portal gives back as well, in either order and before
    any news: what the gateway made is what is booked, never more than was paid, and nothing is left open.
    """
    ira = desk.customer()
    part, whole = a_paid_order(desk, ira, gateway), a_paid_order(desk, ira, gateway)
    silent(desk)
    for order, amount in ((part, "340.50"), (whole, "990.00")):
        give_back(desk, order, amount)
        if first == "ours":
            spoil(desk, gateway, CALL[gateway], "drop_after_commit")
            desk.work()
        elsewhere(desk, order, amount)
        desk.work()
    desk.sandbox.control("settings", webhooks="normal")
    later(desk, "3h")

    assert theirs(desk) == Counter({"340.50": 2, "990.00": 1})
    assert Counter(rows(desk)) == Counter({("340.50", "succeeded"): 2, ("990.00", "succeeded"): 1})
    assert books.case_kinds(desk.app) == []
    agree(desk)


@pytest.mark.lists
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_what_was_given_up_and_went_through(desk: Desk, gateway: str) -> None:
    """A refund that stands here as failed and in the gateway's list as done is booked after all."""
    ira = desk.customer()
    order = a_paid_order(desk, ira, gateway)
    later(desk, "1s")
    silent(desk)
    give_back(desk, order)
    desk.work()
    with desk.app.app_context(), transaction() as session:
        session.execute(update(Refund).values(status="failed"))
        session.execute(update(Payment).values(refunded_amount=Decimal("0.00")))

    later(desk, "2h")

    assert rows(desk) == [("340.50", "succeeded")]
    agree(desk)


def test_reconciling_asks_at_once(desk: Desk) -> None:
    """``flask reconcile`` does not wait for the next look at a refund that is under way; one whose call is
    unanswered keeps its distance all the same.
    """
    desk.sandbox.control("settings", yookassa_refund_outcome="pending", yookassa_pending_seconds=1)
    ira = desk.customer()
    under_way, unanswered = a_paid_order(desk, ira, "yookassa"), a_paid_order(desk, ira, "yookassa")
    silent(desk)
    give_back(desk, under_way)
    desk.work()
    give_back(desk, unanswered)
    spoil(desk, "yookassa", "create_refund", "drop_after_commit")
    desk.work()
    world = desk.sandbox.world
    world.clock.move_to(world.clock.now() + timedelta(seconds=2))
    world.run_due()

    with desk.app.app_context():
        reconciliation.reconcile(clock.now())

    assert rows(desk) == [("340.50", "succeeded"), ("340.50", "unknown")]


def elsewhere(desk: Desk, order: Any, amount: str) -> None:
    """A refund in the gateway's cabinet, if it is still possible there."""
    requests.post(
        f"{desk.sandbox.url}/control/refund",
        json={"gateway": order["gateway"], "transaction_id": order["transaction_id"], "amount": amount},
        timeout=10,
    )


def plain(text: str) -> str:
    """With ordinary spaces."""
    return html.unescape(text).replace("\xa0", " ")

"""CloudPayments on a bad day: silence, doubles, delays, refusals, second cards and money taken twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from portal.database import db
from portal.models import CaseKind, Payment, Refund
from tests.desk import Browser, Desk
from tests.shares import pairs, share
from tests.stories import books
from tests.stories.weather import clear, has_plan, held_by, impatient, later, spoil, subjects

FAULTS = ("http_500", "malformed_200", "drop_before_commit")
GATEWAYS = ("cloudpayments", "yookassa")
CARD = "5555555555554444"
POOR = "4444444444444444"
ONE_MINUTE = timedelta(minutes=1)


def agree(desk: Desk) -> None:
    """Both sides' books are the same."""
    assert not (found := books.disagreements(desk.app, desk.sandbox.ledger())), found


def webhooks(desk: Desk, mode: str) -> None:
    """What becomes of notifications from now on."""
    desk.sandbox.control("settings", webhooks=mode)


def status(browser: Browser, order: Any) -> str:
    """What the API says of an order."""
    return str(browser.status(order["transaction_id"], order["gateway"])["status"])


def refunded(browser: Browser, order: Any) -> str:
    """How much of an order went back, as the API says it."""
    return str(browser.status(order["transaction_id"], order["gateway"])["refunded_amount"])


@pytest.mark.parametrize("fault", share((*FAULTS, "hang"), 1))
def test_the_return_page_finds_out_at_its_next_look(desk: Desk, fault: str) -> None:
    """With every notification lost and the first question spoilt, the return page still tells the truth:
    first that the answer is out, then that the plan is on.
    """
    ira = desk.customer()
    order = ira.order("cloudpayments")
    where = f"/billing/payment/{order['transaction_id']}"
    webhooks(desk, "drop")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    spoil(desk, "cloudpayments", "find", fault)

    with impatient(desk):
        page = ira.get(f"{where}/return")
    assert page.status_code == 200
    assert "Ждём подтверждения" in page.text

    later(desk, "3s")
    assert ira.get(f"{where}/status").json()["status"] == "succeeded"
    assert has_plan(ira)
    agree(desk)


@pytest.mark.parametrize("fault", share(FAULTS, 0))
def test_the_sweep_asks_until_it_is_answered(desk: Desk, fault: str) -> None:
    """A customer who never comes back gets the plan, though notifications are lost and questions fail for a
    while.
    """
    ira = desk.customer()
    order = ira.order("cloudpayments")
    webhooks(desk, "drop")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    spoil(desk, "cloudpayments", "find", fault, times=2)

    later(desk, "10m")
    assert status(ira, order) == "pending"
    later(desk, "10m")
    assert status(ira, order) == "succeeded"
    agree(desk)


@pytest.mark.lists
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_every_notification_lost(desk: Desk, gateway: str) -> None:
    """Without a single notification every payment settles by the sweep, the refused ones too."""
    webhooks(desk, "drop")
    ira, oleg = desk.customer(), desk.customer("oleg@example.com")
    paid, refused = ira.order(gateway), oleg.order(gateway)
    desk.sandbox.pay(gateway, paid["transaction_id"], CARD)
    desk.sandbox.pay(gateway, refused["transaction_id"], POOR)

    later(desk, "3m")
    assert (status(ira, paid), has_plan(ira)) == ("succeeded", True)
    later(desk, "25h")
    assert (status(oleg, refused), has_plan(oleg)) == ("failed", False)
    agree(desk)


@pytest.mark.parametrize(("gateway", "mode"), pairs(GATEWAYS, ("duplicate", "reorder", "delayed")))
def test_notifications_in_every_disorder(desk: Desk, gateway: str, mode: str) -> None:
    """Notifications doubled, out of order or late make one period, and the refund after it is booked once."""
    webhooks(desk, mode)
    ira = desk.customer()
    order = ira.order(gateway)
    desk.sandbox.pay(gateway, order["transaction_id"], CARD)
    desk.sandbox.control("refund", gateway=gateway, transaction_id=order["transaction_id"], amount="90.00")
    desk.settle()

    later(desk, "10m")

    assert (status(ira, order), refunded(ira, order)) == ("succeeded", "90.00")
    assert books.count(desk.app, "purchased_plans") == books.count(desk.app, "refunds") == 1
    agree(desk)


def test_notifications_are_repeated_until_they_are_taken(desk: Desk) -> None:
    """While the portal's database refuses everything, CloudPayments is answered 500 and comes again by its
    schedule; then the plan is on.
    """
    ira = desk.customer()
    order = ira.order("cloudpayments")
    with desk.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE webhook_events RENAME TO webhook_events_away"))
    try:
        desk.sandbox.pay("cloudpayments", order["transaction_id"])
        assert desk.sandbox.world.notifier.settle(20)
    finally:
        with desk.app.app_context(), db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE webhook_events_away RENAME TO webhook_events"))
    assert status(ira, order) == "pending"
    (pay,) = (n for n in desk.sandbox.ledger()["notifications"] if n["kind"] == "pay")
    assert [attempt["status"] for attempt in pay["attempts"]] == [500]

    desk.sandbox.world.clock.move_to(desk.sandbox.world.clock.now() + ONE_MINUTE)
    assert desk.sandbox.world.notifier.settle(20)

    (pay,) = (n for n in desk.sandbox.ledger()["notifications"] if n["kind"] == "pay")
    assert [attempt["status"] for attempt in pay["attempts"]] == [500, 200]
    assert status(ira, order) == "succeeded"
    agree(desk)


def test_a_second_card_after_a_refusal(desk: Desk) -> None:
    """A refused card is told in plain words and ends nothing: a second card in the same order gives the plan,
    and no letter about the refusal goes out.
    """
    ira = desk.customer()
    order = ira.order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"], POOR)
    desk.settle()
    refused = ira.status(order["transaction_id"], "cloudpayments")
    assert (refused["status"], refused["failure"]["code"]) == ("failed", "5051")
    assert "не хватило денег" in refused["failure"]["message"]

    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()
    later(desk, "1h")

    assert (status(ira, order), has_plan(ira)) == ("succeeded", True)
    assert not [subject for subject in subjects(desk) if "не прош" in subject]
    agree(desk)


def test_one_order_paid_twice_is_shown_to_the_operator(desk: Desk) -> None:
    """Two cards that paid one order, by two tabs, say: one period, and the second money is a case."""
    webhooks(desk, "delayed")
    ira = desk.customer()
    order = ira.order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.sandbox.pay("cloudpayments", order["transaction_id"], CARD)

    later(desk, "1m")

    assert [p["captured"] for p in held_by(desk, "cloudpayments")] == ["990.00", "990.00"]
    assert books.case_kinds(desk.app) == [CaseKind.SECOND_CAPTURE]
    assert books.count(desk.app, "purchased_plans") == 1
    agree(desk)


@pytest.mark.lists
def test_a_second_capture_is_found_without_its_notification(desk: Desk) -> None:
    """What no row waits for, a second capture whose news was lost, is found in the gateway's own list."""
    webhooks(desk, "drop")
    ira = desk.customer()
    order = ira.order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.sandbox.pay("cloudpayments", order["transaction_id"], CARD)

    later(desk, "3h")

    assert status(ira, order) == "succeeded"
    assert books.case_kinds(desk.app) == [CaseKind.SECOND_CAPTURE]
    agree(desk)


def test_a_paid_order_is_not_offered_again(desk: Desk) -> None:
    """When the news of a payment is lost, the next click finds out instead of opening the widget again."""
    webhooks(desk, "drop")
    ira = desk.customer()
    order = ira.order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])

    again = ira.order("cloudpayments")

    assert (again["transaction_id"], again["status"]) == (order["transaction_id"], "succeeded")
    assert again["widget"] is None
    assert has_plan(ira)


@pytest.mark.lists
@pytest.mark.parametrize(("gateway", "news"), pairs(GATEWAYS, ("normal", "drop")))
def test_a_refund_in_the_cabinet_is_booked(desk: Desk, gateway: str, news: str) -> None:
    """A refund made in the gateway's own cabinet is booked, in part and then in full, with or without news of
    it; the plan ends with the last kopeck.
    """
    ira = desk.customer()
    order = ira.order(gateway)
    desk.sandbox.pay(gateway, order["transaction_id"], CARD)
    desk.settle()
    later(desk, "1s")
    webhooks(desk, news)

    desk.sandbox.control("refund", gateway=gateway, transaction_id=order["transaction_id"], amount="340.50")
    later(desk, "2h")
    assert (status(ira, order), refunded(ira, order)) == ("succeeded", "340.50")
    assert has_plan(ira)

    desk.sandbox.control("refund", gateway=gateway, transaction_id=order["transaction_id"])
    later(desk, "2h")
    assert (status(ira, order), refunded(ira, order)) == ("succeeded", "990.00")
    assert not has_plan(ira)
    with desk.app.app_context():
        sources = db.session.scalars(select(Refund.source).order_by(Refund.id)).all()
    assert [source.value for source in sources] == ["gateway", "gateway"]
    agree(desk)


@pytest.mark.lists
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_list_that_cannot_be_had_is_asked_for_again(desk: Desk, gateway: str) -> None:
    """While a gateway's list fails, the next look begins where the last good one ended."""
    ira = desk.customer()
    order = ira.order(gateway)
    desk.sandbox.pay(gateway, order["transaction_id"], CARD)
    desk.settle()
    later(desk, "1s")
    webhooks(desk, "drop")
    desk.sandbox.control("refund", gateway=gateway, transaction_id=order["transaction_id"])
    spoil(desk, gateway, "list" if gateway == "cloudpayments" else "list_refunds", "garbage_502", times=1000)

    for _ in range(4):
        later(desk, "1d")
    assert refunded(ira, order) == "0.00"

    clear(desk)
    later(desk, "1d")
    assert refunded(ira, order) == "990.00"
    agree(desk)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_method_is_kept_only_with_consent(desk: Desk, recurring: None, gateway: str) -> None:
    """The token of a card is kept when the customer agreed in this very order, encrypted and bound to the
    consent; without the box nothing is kept, though the shop may save cards.
    """
    ira, oleg = desk.customer(), desk.customer("oleg@example.com")
    agreed = ira.order(gateway, recurring=True)
    plain = oleg.order(gateway, recurring=False)
    assert (agreed["billing_mode"], plain["billing_mode"]) == ("RECURRING", "ONE_TIME")
    for order in (agreed, plain):
        desk.sandbox.pay(gateway, order["transaction_id"], CARD)
    desk.settle()

    with desk.app.app_context(), db.engine.connect() as connection:
        kept = connection.execute(
            text(
                "SELECT u.email, m.token, c.text, c.given_at FROM payment_methods m"
                " JOIN users u ON u.id = m.user_id JOIN consents c ON c.user_id = u.id"
            )
        ).all()
        renewing = connection.execute(
            text("SELECT u.email FROM subscriptions s JOIN users u ON u.id = s.user_id WHERE s.auto_renew")
        ).scalars()
        assert list(renewing) == ["ira@example.com"]
    (row,) = kept
    assert row.email == "ira@example.com"
    assert "990" in row.text
    (method,) = (m for m in desk.sandbox.ledger()["methods"] if m["gateway"] == gateway)
    assert method["id"].encode() not in bytes(row.token)
    agree(desk)


def test_a_card_the_customer_saves_at_the_gateway_is_not_ours(desk: Desk) -> None:
    """A gateway that saves every card tells us a token that nobody agreed to: it is not kept."""
    desk.sandbox.control("settings", cloudpayments_save_card="always")
    ira = desk.customer()
    order = ira.order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()

    assert desk.sandbox.ledger()["methods"]
    assert (status(ira, order), books.count(desk.app, "payment_methods")) == ("succeeded", 0)


def test_a_live_payment_is_no_test_payment(desk: Desk) -> None:
    """Play money at a shop that sells for real is a case, and so is the reverse; no plan comes of it."""
    desk.sandbox.control("settings", cloudpayments_test_mode=False)
    ira = desk.customer()
    order = ira.order("cloudpayments")
    refused = desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()

    assert refused["status"] == "declined"  # Check said 13 before any money moved
    assert not has_plan(ira)
    with desk.app.app_context():
        assert db.session.scalars(select(Payment.status)).one().value == "failed"

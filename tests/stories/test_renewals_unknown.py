"""A charge whose outcome nobody knows: found out, never repeated; and nothing else is charged meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from portal import clock
from portal.billing import renewals
from portal.database import db, transaction
from portal.models import Subscription
from tests.desk import Desk, LiveSandbox
from tests.shares import pairs, share
from tests.stories import books
from tests.stories.cycle import GATEWAYS, Cycle, begin, wait_for_gateways
from tests.stories.test_renewals import subscribed
from tests.stories.weather import clear, held_by, later, orders, spoil, subjects

HOUR = timedelta(hours=1)
CALL = {"cloudpayments": "tokens_charge", "yookassa": "create_payment"}
LOOK = {"cloudpayments": ("find", "get", "list"), "yookassa": ("list_payments", "get_payment")}
#: What the gateway does to the charge, and whether it has taken the money all the same.
FAULTS = {
    "http_500": False,
    "http_500_after_commit": True,
    "drop_before_commit": False,
    "drop_after_commit": True,
    "garbage_502": False,
    "malformed_200": True,
    "http_429": False,
    "http_202": True,
    "hang": False,
    "hang_after_commit": True,
}


def eve_of(app: Flask, sandbox: LiveSandbox, gateway: str, name: str = "ira") -> Cycle:
    """An announced renewal, at the moment of its charge."""
    cycle = begin(app, sandbox, gateway, email=f"{name}@example.com")
    cycle.announce()
    return cycle


def asked_for_at_once(cycle: Cycle) -> bool:
    """Somebody wants it charged now: a new card, "pay now", a second worker. Whether a gateway was called."""
    with cycle.app.app_context():
        with transaction() as session:
            live = session.get_one(Subscription, cycle.subscription_id, populate_existing=True)
            renewals.try_now(live, clock.now())
        db.session.remove()
    return cycle.charge()


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_every_fault_ends_in_one_charge(
    app: Flask, sandbox: LiveSandbox, recurring: None, gateway: str
) -> None:
    """Whatever becomes of the answer: nothing else is charged until the gateway has been looked up, nothing
    is taken twice, nothing is lost, and the period begins where the old one ends.
    """
    for number, fault in enumerate(share(FAULTS, GATEWAYS.index(gateway))):
        was_taken = FAULTS[fault]
        cycle = eve_of(app, sandbox, gateway, f"customer-{number}")
        if fault.startswith("hang"):
            wait_for_gateways(app, 0.3)
        cycle.spoil(CALL[gateway], fault)
        assert cycle.charge(), fault
        wait_for_gateways(app, 10.0)
        assert cycle.outcomes == ["unknown"], fault
        assert cycle.captured == was_taken, fault
        assert not asked_for_at_once(cycle), fault
        assert not cycle.charge(), fault

        cycle.until(lambda cycle=cycle: "succeeded" in cycle.outcomes)

        wanted = ["succeeded"] if was_taken else ["failed not_created", "succeeded"]
        assert (cycle.outcomes, cycle.captured) == (wanted, 1), fault
        periods = cycle.ask("SELECT starts_at, ends_at FROM purchased_plans ORDER BY id")[-2:]
        assert periods[0].ends_at == periods[1].starts_at, fault
        assert cycle.row.status.value == "active", fault
        keys = [charge.transaction_id for charge in cycle.charges]
        asked = [p["transaction_id"] for p in cycle.held if p["transaction_id"] in keys]
        assert sorted(asked) == sorted(keys[-1:]), f"{fault}: a key was sent twice"
        cycle.agree()
        cycle.run("UPDATE subscriptions SET auto_renew = false, charge_look_at = NULL, look_at = NULL")


#: For so long each gateway remembers a key (X-Request-ID, Idempotence-Key), and a little more.
FORGOTTEN = {"cloudpayments": 2 * HOUR, "yookassa": 26 * HOUR}


@pytest.mark.parametrize(("gateway", "was_taken"), pairs(GATEWAYS, (True, False)))
def test_a_key_that_the_gateway_has_forgotten(
    app: Flask, sandbox: LiveSandbox, recurring: None, gateway: str, was_taken: bool
) -> None:
    """Neither answers nor lookups come until the gateway has forgotten the key: the charge is looked up all
    the same before another is made by another key; an operator is shown what has been unknown for a day.
    """
    cycle = eve_of(app, sandbox, gateway)
    cycle.spoil(CALL[gateway], "drop_after_commit" if was_taken else "drop_before_commit")
    for operation in LOOK[gateway]:
        cycle.spoil(operation, "http_500", times=10_000)
    cycle.charge()
    begun = clock.now()
    cycle.walk(begun + FORGOTTEN[gateway])
    assert (cycle.outcomes, cycle.captured) == (["unknown"], was_taken)
    sandbox.world.faults.clear()

    cycle.until(lambda: "succeeded" in cycle.outcomes)

    assert cycle.outcomes == (["succeeded"] if was_taken else ["failed not_created", "succeeded"])
    assert cycle.captured == 1
    kinds = [kind.value for kind in books.case_kinds(app)]
    assert kinds == (["unknown_too_old"] if gateway == "yookassa" else [])
    cycle.agree()


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_the_customer_is_told_the_truth(desk: Desk, recurring: None, gateway: str) -> None:
    """While the outcome is open the customer reads that it is, and is told of neither success nor refusal;
    the gateway's notification, where it comes first, settles it, and the answer after it changes nothing.
    """
    ira = subscribed(desk, gateway)
    desk.sandbox.control("settings", webhooks="drop")
    later(desk, "26d")
    spoil(desk, gateway, CALL[gateway], "http_500_after_commit")
    for operation in LOOK[gateway]:
        spoil(desk, gateway, operation, "http_500", times=200)
    later(desk, "1d")
    later(desk, "5m")

    charge = orders(ira, gateway)[0]
    assert (charge["status"], charge["paid_at"], charge["failure"]) == ("unknown", None, None)
    page = ira.get("/dashboard/").text
    assert "Ждём ответа банка" in page
    assert not [subject for subject in subjects(desk) if "продлён" in subject or "Не удалось" in subject]

    clear(desk)
    later(desk, "3h")
    assert orders(ira, gateway)[0]["status"] == "succeeded"
    assert "Ждём ответа банка" not in ira.get("/dashboard/").text
    assert len([subject for subject in subjects(desk) if "продлён" in subject]) == 1
    assert len(held_by(desk, gateway)) == 2
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


@pytest.mark.parametrize(("gateway", "outcome"), pairs(GATEWAYS, ("success", "poor")))
def test_a_notification_before_the_answer(desk: Desk, recurring: None, gateway: str, outcome: str) -> None:
    """The gateway's notification overtakes its own answer: each is carried out, and the second finds nothing
    new: one period or one refusal, one word to the customer.
    """
    subscribed(desk, gateway)
    later(desk, "26d")
    if outcome == "poor":
        methods = desk.sandbox.ledger()["methods"]
        name = {"cloudpayments": "token", "yookassa": "payment_method_id"}[gateway]
        token = methods[0].get("token") or methods[0]["id"]
        code = {"cloudpayments": "5051", "yookassa": "insufficient_funds"}[gateway]
        desk.sandbox.control("cards", **{name: token, "outcome": code, "times": 1})
    desk.sandbox.control("settings", api_latency_ms=150)
    later(desk, "1d")
    desk.sandbox.control("settings", api_latency_ms=0)
    desk.settle()

    told = subjects(desk)
    rows = books.rows(desk.app, "SELECT status FROM payments WHERE purpose = 'renewal'")
    if outcome == "poor":
        assert [row.status for row in rows] == ["failed"]
        assert len([subject for subject in told if "Не удалось" in subject]) == 1
    else:
        assert [row.status for row in rows] == ["succeeded"]
        assert len([subject for subject in told if "продлён" in subject]) == 1
        assert books.count(desk.app, "purchased_plans") == 2
    events = books.rows(desk.app, "SELECT status FROM webhook_events")
    assert {event.status for event in events} <= {"handled", "ignored"}
    assert not books.disagreements(desk.app, desk.sandbox.ledger())

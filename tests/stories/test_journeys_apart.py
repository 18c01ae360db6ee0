"""Beside the purchase: binding a card, the operator's live check, the machine room and its log lines."""

from __future__ import annotations

import pytest
from redis import Redis
from sqlalchemy import text

from portal.accounts import operators
from portal.billing.audit import COMMAND_LINE
from portal.clock import now
from portal.database import db
from portal.models import Role
from tests.desk import PASSWORD, Browser, Desk
from tests.stories import books
from tests.stories.weather import error, has_plan, later, paid

CARD = "5555555555554444"


# Binding a card, and the operator's live check


@pytest.mark.parametrize("news", ("normal", "drop"))
def test_a_card_is_bound_without_money(desk: Desk, recurring: None, news: str) -> None:
    """bind_card_start leads to YooKassa's page; the card confirmed there is kept, encrypted, with or without
    news of it, a second click meanwhile is the same binding, and no money moves.
    """
    desk.sandbox.control("settings", webhooks=news)
    ira = desk.customer()
    first = ira.call("/billing/api/yookassa/bind_card_start/").json()
    assert ira.call("/billing/api/yookassa/bind_card_start/").json() == first
    assert (first["gateway"], first["status"]) == ("yookassa", "pending")

    (method,) = desk.sandbox.ledger()["methods"]
    assert method["id"] in first["confirmation_url"]
    desk.sandbox.pay("yookassa", method["id"], CARD)
    desk.settle()
    later(desk, "5m")

    with desk.app.app_context(), db.engine.connect() as connection:
        (kept,) = connection.execute(text("SELECT token, last4 FROM payment_methods")).all()
        assert connection.execute(text("SELECT status FROM method_bindings")).scalar_one() == "active"
    assert kept.last4 == "4444"
    assert method["id"].encode() not in bytes(kept.token)
    assert desk.sandbox.ledger()["payments"] == []


def test_a_binding_that_nobody_confirms_ends(desk: Desk, recurring: None) -> None:
    """YooKassa tells nobody of a failed binding: it is asked about until its hour is over."""
    ira = desk.customer()
    ira.call("/billing/api/yookassa/bind_card_start/")
    later(desk, "2h")
    with desk.app.app_context(), db.engine.connect() as connection:
        assert connection.execute(text("SELECT status FROM method_bindings")).scalar_one() == "failed"
    assert books.count(desk.app, "payment_methods") == 0


def test_no_card_is_bound_where_none_may_be(desk: Desk) -> None:
    """With recurring payments off bind_card_start is refused with 403 and YooKassa hears nothing."""
    ira = desk.customer()
    assert error(ira.call("/billing/api/yookassa/bind_card_start/")) == (403, "RECURRING_DISABLED")
    assert desk.sandbox.ledger()["methods"] == []


def test_yookassas_refusal_to_bind_is_its_403(desk: Desk, recurring: None) -> None:
    """A shop that YooKassa lets save nothing is told so with the seed's error, as for a payment."""
    desk.sandbox.control("settings", yookassa_recurring=False)
    ira = desk.customer()
    assert error(ira.call("/billing/api/yookassa/bind_card_start/")) == (403, "YOOKASSA_FORBIDDEN")


def admin(desk: Desk) -> Browser:
    """An operator, signed in."""
    with desk.app.app_context():
        operators.create("boss@example.com", PASSWORD, Role.OWNER, COMMAND_LINE, now())
    boss = desk.browser()
    assert boss.send("/login", email="boss@example.com", password=PASSWORD).ok
    return boss


def test_an_operator_checks_the_shop_with_one_rouble(desk: Desk) -> None:
    """create_test_live_payment is for operators: 1.00 RUB that really moves and activates nothing."""
    boss = admin(desk)
    answer = boss.call("/billing/api/yookassa/create_test_live_payment/")
    assert answer.ok, answer.text
    order = answer.json()
    assert (order["amount"], order["plan_code"], order["status"]) == ("1.00", "", "pending")

    paid(desk, order)

    assert boss.status(order["transaction_id"], "yookassa")["status"] == "succeeded"
    assert books.count(desk.app, "purchased_plans") == 0
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


def test_a_customer_may_not_check_the_shop(desk: Desk) -> None:
    """A customer who asks for a live check is refused with 403, and nothing is written or sent."""
    ira = desk.customer()
    assert error(ira.call("/billing/api/yookassa/create_test_live_payment/")) == (403, "FORBIDDEN")
    assert books.count(desk.app, "payments") == 0


# The machine room


def test_the_machine_room(desk: Desk) -> None:
    """/healthz and /readyz answer 200 when all is well, and /metrics counts what there is."""
    ira = desk.customer()
    paid(desk, ira.order("cloudpayments"))
    stranger = desk.browser()

    assert (stranger.get("/healthz").status_code, stranger.get("/healthz").json()["status"]) == (200, "ok")
    ready = stranger.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": "ok", "redis": "ok"})
    desk.app.extensions.pop("portal_metrics", None)  # another test's, of the last seconds
    numbers = stranger.get("/metrics").text
    assert 'portal_payments{gateway="cloudpayments",status="succeeded"} 1.0' in numbers
    assert 'portal_subscriptions{status="active"} 1.0' in numbers


def test_not_ready_without_redis(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Redis the process is alive and not ready, and a purchase goes on all the same."""
    nowhere = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=1)
    monkeypatch.setattr(desk.app.extensions["portal_queue"], "connection", nowhere)
    stranger = desk.browser()

    assert stranger.get("/healthz").status_code == 200
    ready = stranger.get("/readyz")
    assert (ready.status_code, ready.json()["redis"], ready.json()["database"]) == (
        503,
        "ConnectionError",
        "ok",
    )
    ira = desk.customer()
    order = ira.order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    assert desk.sandbox.world.notifier.settle(20)
    assert has_plan(ira)


def test_the_words_that_runbooks_look_for(
    desk: Desk, caplog: pytest.LogCaptureFixture, recurring: None
) -> None:
    """The log lines of the contract are there, unchanged, with the mode of each payment."""
    caplog.set_level("INFO")
    ira = desk.customer()
    one, standing = ira.order("yookassa"), ira.order("yookassa", recurring=True)

    lines = caplog.messages
    assert "Built YooKassa payload: mode=ONE_TIME, save_payment_method=False, amount=990.00" in lines
    assert "Built YooKassa payload: mode=RECURRING, save_payment_method=True, amount=990.00" in lines
    assert f"Payment created: {one['transaction_id']}" in lines
    assert f"Payment created: {standing['transaction_id']}" in lines
    desk.sandbox.control("settings", yookassa_recurring=False)
    desk.sandbox.control("faults", gateway="yookassa", operation="create_payment", fault="http_500")
    ira.call("/billing/api/yookassa/create_payment/", {"plan_code": "START_MONTHLY"})
    ira.call("/billing/api/yookassa/create_payment/", {"plan_code": "PRO_YEARLY", "accept_recurring": True})
    assert any(line.startswith("Create payment error") for line in caplog.messages)
    assert any("YOOKASSA_FORBIDDEN" in line for line in caplog.messages)

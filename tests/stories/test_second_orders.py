"""A second order for a plan whose first one is not over yet: nobody pays twice without being told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import text

from portal.billing import settings
from portal.database import db
from tests.desk import Desk
from tests.stories.till import in_process, open_till

PAYS, POOR = "4242424242424242", "4444444444444444"


def test_a_paid_order_whose_news_was_lost_is_shown_instead_of_a_new_one(desk: Desk) -> None:
    """After a refusal and an unheard second card the customer is not asked to pay again."""
    ira = desk.customer()
    order = ira.order("cloudpayments")["transaction_id"]
    desk.sandbox.pay("cloudpayments", order, POOR)
    desk.settle()
    desk.sandbox.control("settings", webhooks="drop")
    desk.sandbox.pay("cloudpayments", order, PAYS)

    again = ira.order("cloudpayments")

    assert (again["transaction_id"], again["status"]) == (order, "succeeded")
    assert _taken(desk) == ["succeeded"]


def test_a_refused_order_takes_no_card_once_another_was_made(desk: Desk) -> None:
    """The widget left open in another tab is told that its order is too old."""
    ira = desk.customer()
    old = ira.order("cloudpayments")["transaction_id"]
    desk.sandbox.pay("cloudpayments", old, POOR)
    desk.settle()
    new = ira.order("yookassa")["transaction_id"]
    desk.sandbox.pay("yookassa", new, "5555555555554477")

    refused = desk.sandbox.pay("cloudpayments", old, PAYS)
    desk.settle()

    assert refused["status"] == "declined"
    assert ira.status(new, "yookassa")["status"] == "succeeded"
    assert _taken(desk) == ["succeeded"]


def test_a_late_hold_of_a_refused_order_meets_no_other_order(app: Flask) -> None:
    """A two-step terminal may hold money for an order that was refused and set aside: it is kept and seen."""
    post = in_process(app)
    first = open_till(app, post)
    assert first.tell("fail").code == 0
    second = open_till(app, post)
    assert second.transaction_id != first.transaction_id

    assert first.tell("pay-authorized").code == 0

    assert first.state().status == "authorized"
    with app.app_context():
        left = db.session.execute(
            text("SELECT count(*) FROM webhook_events WHERE status = 'received'")
        ).scalar()
    assert left == 0


def test_a_closed_gateway_keeps_nobody_from_the_other(desk: Desk) -> None:
    """An old YooKassa order does not stand in the way once the operator has closed YooKassa."""
    ira = desk.customer()
    ira.order("yookassa")
    with desk.app.app_context():
        _age(timedelta(hours=2))
        before = desk.app.extensions["portal_config"]
        closed = replace(before, yookassa_shop_id="", yookassa_secret_key="")
        desk.app.extensions["portal_config"] = closed
        settings.forget()

    order = ira.order("cloudpayments")

    desk.app.extensions["portal_config"] = before
    assert order["gateway"] == "cloudpayments"


def test_an_order_that_is_being_made_again_is_not_called_never_created(desk: Desk) -> None:
    """That it is not there proves nothing while the gateway may still work on the second click."""
    ira = desk.customer()
    desk.sandbox.control("faults", gateway="yookassa", operation="payments.create", fault="http_500", times=1)
    answer = ira.call("/billing/api/yookassa/create_payment/", {"plan_code": "PRO_MONTHLY"})
    assert answer.status_code == 502
    with desk.app.app_context():
        _age(timedelta(minutes=5), "called_at = now()")
    (order,) = ira.get("/billing/api/yookassa/transactions/").json()["transactions"]
    ira.get(f"/billing/payment/{order['transaction_id']}/return")

    assert ira.status(order["transaction_id"], "yookassa")["status"] == "unknown"


def _age(by: timedelta, and_set: str = "called_at = called_at - :by") -> None:
    """Make every order of this test older."""
    db.session.execute(
        text(f"UPDATE payments SET created_at = created_at - :by, {and_set}"),  # noqa: S608 - our own words
        {"by": by},
    )
    db.session.commit()


def _taken(desk: Desk) -> list[Any]:
    return [
        payment["status"] for payment in desk.sandbox.ledger()["payments"] if payment["status"] == "succeeded"
    ]

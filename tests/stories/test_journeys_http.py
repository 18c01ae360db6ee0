"""The pages of a purchase over real HTTP: the form, the same order again, and what Check says."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from portal.billing import plans
from portal.database import db, transaction
from tests.desk import Desk
from tests.stories import books
from tests.stories.weather import has_plan, held_by, later, orders, paid

pytestmark = pytest.mark.usefixtures("sockets")

GATEWAYS = ("cloudpayments", "yookassa")
CARD = "5555555555554444"


def set_price(desk: Desk, code: str, price: str) -> None:
    """The operator changes a price."""
    with desk.app.app_context(), transaction():
        plans.on_sale_by_code(code).price = Decimal(price)


# The form


def test_the_form_leads_to_the_widgets_page(desk: Desk) -> None:
    """CloudPayments leads to the order's own page with the widget, whose script is the configured one."""
    ira = desk.customer()

    page = ira.send("/checkout/PRO_MONTHLY", gateway="cloudpayments", accept_offer="y")

    (order,) = orders(ira, "cloudpayments")
    assert page.url == f"{desk.url}/billing/payment/{order['transaction_id']}/"
    assert page.status_code == 200
    assert "/cloudpayments/bundles/cloudpayments.js" in page.text
    assert order["transaction_id"] in page.text


def test_the_form_leads_to_yookassas_page(desk: Desk) -> None:
    """YooKassa leads straight to the payment's page there, and paying there leads back to the plan."""
    ira = desk.customer()

    page = ira.send("/checkout/PRO_MONTHLY", gateway="yookassa", accept_offer="y")

    (theirs,) = held_by(desk, "yookassa")
    assert page.url.startswith(f"{desk.sandbox.url}/yookassa/checkout/")
    assert theirs["id"] in page.url
    desk.sandbox.pay("yookassa", theirs["transaction_id"], CARD)
    back = ira.get(f"/billing/payment/{theirs['transaction_id']}/return")
    assert "Оплачено" in back.text
    assert has_plan(ira)


@pytest.mark.parametrize("form", ({"gateway": "cloudpayments"}, {"gateway": "stripe", "accept_offer": "y"}))
def test_a_form_that_lacks_something_comes_back(desk: Desk, form: dict[str, str]) -> None:
    """Without the offer accepted, or with a gateway that is none, the form comes back and nothing begins."""
    ira = desk.customer()
    assert ira.send("/checkout/PRO_MONTHLY", **form).status_code == 400
    assert books.count(desk.app, "payments") == 0


def test_no_card_is_saved_unasked(desk: Desk) -> None:
    """Where recurring payments are off the form has no such box, and a forged tick is an ordinary payment."""
    ira = desk.customer()
    assert 'name="accept_recurring"' not in ira.get("/checkout/PRO_MONTHLY").text

    ira.send("/checkout/PRO_MONTHLY", gateway="yookassa", accept_offer="y", accept_recurring="y")

    (theirs,) = held_by(desk, "yookassa")
    assert "save_payment_method" not in theirs["request"]
    assert books.count(desk.app, "consents") == 0


def test_the_box_is_offered_and_never_ticked(desk: Desk, recurring: None) -> None:
    """In recurring mode the box stands unticked beside its agreement, and is not required."""
    ira = desk.customer()
    page = ira.get("/checkout/PRO_MONTHLY").text
    (box,) = re.findall(r'<input[^>]*name="accept_recurring"[^>]*>', page)
    assert "checked" not in box
    assert "required" not in box
    assert "990" in page

    ira.send("/checkout/PRO_MONTHLY", gateway="yookassa", accept_offer="y")
    assert held_by(desk, "yookassa")[0]["request"]["metadata"]["billing_mode"] == "ONE_TIME"
    ira.send("/checkout/PRO_MONTHLY", gateway="yookassa", accept_offer="y", accept_recurring="y")
    asked = held_by(desk, "yookassa")[1]["request"]
    assert (asked["save_payment_method"], asked["metadata"]["billing_mode"]) == (True, "RECURRING")


# The same order, and another


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_second_click_resumes_the_order(desk: Desk, gateway: str) -> None:
    """Two clicks, by the API or by the form, are one order and at most one payment at the gateway."""
    ira = desk.customer()
    first = ira.order(gateway)
    assert ira.order(gateway) == first
    ira.send("/checkout/PRO_MONTHLY", gateway=gateway, accept_offer="y")

    assert [order["transaction_id"] for order in orders(ira, gateway)] == [first["transaction_id"]]
    assert len(held_by(desk, "yookassa")) <= 1


def test_another_gateway_takes_over(desk: Desk) -> None:
    """Who changes the gateway gets another order; the widget of the first is refused by Check as too late."""
    ira = desk.customer()
    first = ira.order("cloudpayments")
    second = ira.order("yookassa")
    assert first["transaction_id"] != second["transaction_id"]

    refused = desk.sandbox.pay("cloudpayments", first["transaction_id"])
    paid(desk, second)

    assert refused["status"] == "declined"
    assert checked(desk) == [20]
    assert ira.status(second["transaction_id"], "yookassa")["status"] == "succeeded"
    assert ira.get(f"/billing/payment/{first['transaction_id']}/").url.endswith("/return")


def test_a_changed_price_is_a_new_order(desk: Desk) -> None:
    """A price that the operator changed between two clicks is what the second click pays; whoever pays by the
    first page pays what that page said.
    """
    ira = desk.customer()
    first = ira.order("yookassa")
    set_price(desk, "PRO_MONTHLY", "1190.00")

    second = ira.order("yookassa")

    assert (first["amount"], second["amount"]) == ("990.00", "1190.00")
    assert first["transaction_id"] != second["transaction_id"]
    paid(desk, first)
    assert ira.status(first["transaction_id"], "yookassa")["status"] == "succeeded"
    assert has_plan(ira)


def test_a_second_period_follows_the_first(desk: Desk) -> None:
    """Buying again while a plan runs appends the new period: no paid day is lost and none is sold twice."""
    ira = desk.customer()
    paid(desk, ira.order("cloudpayments"))
    later(desk, "10d")
    paid(desk, ira.order("yookassa", "BUSINESS_MONTHLY"))

    with desk.app.app_context(), db.engine.connect() as connection:
        first, second = connection.execute(
            text("SELECT plan_code, starts_at, ends_at FROM purchased_plans ORDER BY starts_at")
        ).all()
    assert (first.plan_code, second.plan_code) == ("PRO_MONTHLY", "BUSINESS_MONTHLY")
    assert second.starts_at == first.ends_at
    assert [(row.ends_at - row.starts_at).days for row in (first, second)] == [30, 30]
    assert "Бизнес" in ira.get("/dashboard/").text
    later(desk, "51d")
    assert not has_plan(ira)


def checked(desk: Desk) -> list[int]:
    """What the portal answered to each Check."""
    told = [n for n in desk.sandbox.ledger()["notifications"] if n["kind"] == "check"]
    return [json.loads(attempt["answer"])["code"] for n in told for attempt in n["attempts"]]


def test_check_refuses_what_is_not_the_order(desk: Desk) -> None:
    """A browser that changed the widget's parameters is stopped before any money moves: 10 for a strange
    order, 11 for another account, 12 for another sum or currency, 13 for a paid order, 20 for one that is
    over.
    """
    ira = desk.customer()
    order = ira.order("cloudpayments")
    key, widget = order["transaction_id"], order["widget"]

    def attempt(**changes: Any) -> str:
        words = {"gateway": "cloudpayments", "transaction_id": changes.pop("key", key), "card": CARD}
        return str(desk.sandbox.control("pay", **words, widget=widget | changes)["status"])

    assert attempt(key="nobody's", externalId="nobody's") == "declined"
    assert attempt(userInfo={"accountId": "somebody-else"}) == "declined"
    assert attempt(amount=989.99) == "declined"
    assert attempt(amount=1) == "declined"
    assert attempt(currency="KZT") == "declined"
    assert checked(desk) == [10, 11, 12, 12, 12]
    assert attempt() == "succeeded"
    desk.settle()
    assert attempt() == "declined"
    later(desk, "1s")
    overdue = ira.order("cloudpayments", "START_MONTHLY")
    later(desk, "25h")
    assert attempt(key=overdue["transaction_id"], **overdue["widget"]) == "declined"

    assert checked(desk)[5:] == [0, 13, 20]
    assert [p["captured"] for p in held_by(desk, "cloudpayments") if p["captured"] != "0.00"] == ["990.00"]
    assert not books.disagreements(desk.app, desk.sandbox.ledger())

"""A visitor becomes a paying customer."""

from __future__ import annotations

from tests.desk import Desk


def test_cloudpayments_success_activates_the_plan(desk: Desk) -> None:
    """A card that pays at CloudPayments gives thirty days and fifty thousand e-mails, in the same moment."""
    ira = desk.customer()
    order = ira.order("cloudpayments")

    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()

    assert ira.status(order["transaction_id"], "cloudpayments")["status"] == "succeeded"
    assert "50 000" in ira.get("/dashboard/").text.replace("\xa0", " ")


def test_yookassa_success_activates_the_plan(desk: Desk) -> None:
    """A card that pays on YooKassa's page gives the plan once a worker has read the payment back."""
    ira = desk.customer()
    order = ira.order("yookassa")

    desk.sandbox.pay("yookassa", order["transaction_id"])
    desk.settle()

    assert ira.status(order["transaction_id"], "yookassa")["status"] == "succeeded"

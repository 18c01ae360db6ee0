"""Subscribers of one gateway asked to save a card at the other; nobody is charged for being asked."""

from __future__ import annotations

from portal import clock
from portal.billing import leading, settings
from portal.models import GatewayName
from tests.desk import Browser, Desk

CP, YK = GatewayName.CLOUDPAYMENTS, GatewayName.YOOKASSA
ASKED = "Мы переходим на ЮKassa"


def lead_to(desk: Desk, name: str) -> None:
    with desk.app.app_context():
        settings.put("lead_to_gateway", name, clock.now())


def renewing(desk: Desk) -> dict[GatewayName, int]:
    with desk.app.app_context():
        return leading.renewing_at()


def test_a_subscriber_is_asked_until_the_card_is_there(desk: Desk, recurring: None, viewer: Browser) -> None:
    """Asked in the dashboard and nowhere charged; once a card is saved there, renewals go there."""
    ira = desk.customer()
    order = ira.order("cloudpayments", recurring=True)
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()
    assert ASKED not in ira.get("/dashboard/").text
    lead_to(desk, "yookassa")

    assert ASKED in ira.get("/dashboard/").text
    assert renewing(desk) == {CP: 1, YK: 0}
    assert "Продлеваются здесь: 1" in viewer.get("/admin/").text
    assert len(desk.sandbox.ledger()["payments"]) == 1

    order = ira.order("yookassa", plan="START_MONTHLY", recurring=True)
    desk.sandbox.pay("yookassa", order["transaction_id"])
    desk.settle()
    assert renewing(desk) == {CP: 0, YK: 1}
    assert ASKED not in ira.get("/dashboard/").text


def test_nobody_is_asked_for_what_cannot_be_done(desk: Desk, recurring: None) -> None:
    """Not whoever renews nowhere, nor towards a gateway that takes nothing new."""
    guest = desk.customer("olga@example.com")
    lead_to(desk, "yookassa")
    assert ASKED not in guest.get("/dashboard/").text
    ira = desk.customer()
    desk.sandbox.pay("cloudpayments", ira.order("cloudpayments", recurring=True)["transaction_id"])
    desk.settle()
    with desk.app.app_context():
        settings.put("yookassa_enabled", "false", clock.now())

    assert ASKED not in ira.get("/dashboard/").text

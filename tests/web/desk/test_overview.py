"""The desk's first page: what waits, the gateways, today's money, and the way to the first order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from portal import clock
from portal.billing import cases, gateway_health, overview, settings
from portal.billing.overview import Step
from portal.database import db, transaction
from portal.models import CaseKind, GatewayName
from tests.desk import Browser, Desk


def test_a_new_shop_is_led_to_its_first_order(desk: Desk, owner: Browser) -> None:
    """Each missing step has its link; what is done is not asked for again."""
    config = desk.app.extensions["portal_config"]
    nothing = {"yookassa_shop_id": "", "cloudpayments_public_id": "", "mail_sandbox_url": ""}
    desk.app.extensions["portal_config"] = replace(config, **nothing)
    with desk.app.app_context():
        settings.forget()
        db.session.execute(db.text("UPDATE plans SET on_sale = false"))
        db.session.commit()
        assert overview.missing_steps() == list(Step)

    page = owner.get("/admin/").text

    for words in ("Задайте ключи шлюза", "Назовите продавца", "Создайте тариф", "MAIL_SERVER"):
        assert words in page
    desk.app.extensions["portal_config"] = config
    with desk.app.app_context():
        for name, text in (("seller_name", "ООО"), ("seller_inn", "7708806063"), ("seller_email", "a@b.ru")):
            settings.put(name, text, clock.now())
        assert overview.missing_steps() == [Step.OFFER, Step.PLANS]


def test_todays_money_and_what_waits_are_counted(desk: Desk, viewer: Browser) -> None:
    """Paid and refunded today to the kopeck; test money apart; yesterday's is not today's."""
    ira = desk.customer()
    desk.sandbox.pay("cloudpayments", ira.order("cloudpayments")["transaction_id"])
    desk.settle()
    with desk.app.app_context():
        assert overview.today(clock.now()).test_payments == 1
        db.session.execute(db.text("UPDATE payments SET test_mode = false"))
        db.session.commit()
        seen = overview.today(clock.now())
        assert (seen.paid, seen.payments, seen.refunded) == (Decimal("990.00"), 1, Decimal("0.00"))
        tomorrow = overview.today(clock.now() + overview.timedelta(days=2))
        assert (tomorrow.paid, tomorrow.payments) == (Decimal("0.00"), 0)
        with transaction() as session:
            kind, name = CaseKind.UNKNOWN_PAYMENT, GatewayName.CLOUDPAYMENTS
            cases.open_case(session, kind, "a key", name, None, None, (None, None), {}, clock.now())

    page = viewer.get("/admin/").text

    assert "990" in page
    with desk.app.app_context():
        assert overview.waiting().cases == 1
    assert 'tile__number--bad">1</span>' in page


def test_a_failing_gateway_is_shown_and_offered_behind(desk: Desk, viewer: Browser) -> None:
    """The desk and the checkout say it, and the other gateway is ticked first."""
    with desk.app.app_context():
        for _ in range(4):
            gateway_health.note(GatewayName.CLOUDPAYMENTS, good=False, does=True)
        gateway_health._kept().read.clear()
    ira = desk.customer()

    order = ira.get("/checkout/PRO_MONTHLY").text

    assert "отвечает с перебоями" in viewer.get("/admin/").text
    assert "поэтому первой стоит ЮKassa" in order
    assert order.index('value="yookassa"') < order.index('value="cloudpayments"')
    first = order.partition('value="yookassa"')[2].partition(">")[0]
    assert "checked" in first


def test_none_open_is_a_calm_page(desk: Desk) -> None:
    """Both switched off: no form that would break, and no order by the API."""
    ira = desk.customer()
    with desk.app.app_context():
        for name in ("cloudpayments_enabled", "yookassa_enabled"):
            settings.put(name, "false", clock.now())

    page = ira.get("/checkout/PRO_MONTHLY")

    assert page.status_code == 200
    assert "Оплата сейчас не принимается" in page.text
    refused = ira.call("/billing/api/yookassa/create_payment/", {"plan_code": "PRO_MONTHLY"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "GATEWAY_CLOSED")

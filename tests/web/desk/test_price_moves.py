"""The owner leads subscribers to another price: previewed, decided, called off; the customer is asked."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal import clock
from portal.billing import price_notices
from portal.database import db
from portal.models import Consent, PriceMove, PriceNotice
from tests.desk import Browser, Desk

MOVES = "/admin/price-moves/"


@pytest.fixture
def ira(desk: Desk, recurring: None) -> Browser:
    """A customer who renews for 990."""
    browser = desk.customer()
    order = browser.order("cloudpayments", recurring=True)
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()
    return browser


def asked(amount: str = "1190", days: int = 9) -> dict[str, str]:
    day = clock.now().date() + timedelta(days=days)
    return {"plan": "PRO_MONTHLY", "amount": amount, "day": day.isoformat()}


def test_a_move_is_previewed_decided_and_agreed_to(desk: Desk, owner: Browser, ira: Browser) -> None:
    """The page says whom it reaches; the customer reads the words, agrees, and the owner sees it."""
    preview = owner.get(MOVES, params=asked()).text
    assert "без их согласия продление закончится" in preview
    with desk.app.app_context():
        assert db.session.scalars(select(PriceMove)).all() == []

    assert "Назначено" in owner.send(MOVES, **asked(), reason="дороже серверы").text
    with desk.app.app_context():
        for found in price_notices.due(clock.now()):
            price_notices.carry_on(found, clock.now())
    assert '"/dashboard/price"' in ira.get("/dashboard/").text
    page = ira.get("/dashboard/price").text
    assert "1\u00a0190\u00a0₽" in page
    assert "Согласие записано" in ira.send("/dashboard/price").text

    assert re.search(r"<dt>Согласились</dt>\s*<dd>\s*1\s*<", owner.get(MOVES).text)
    with desk.app.app_context():
        assert [str(one.amount) for one in db.session.scalars(select(Consent).order_by(Consent.id))] == [
            "990.00",
            "1190.00",
        ]
    assert ira.get("/dashboard/price").url.endswith("/dashboard/")
    assert '"/dashboard/price"' not in ira.get("/dashboard/").text
    assert ira.send("/dashboard/price").status_code == 404


def test_it_is_called_off_with_a_reason(desk: Desk, owner: Browser, ira: Browser) -> None:
    """Without one nothing happens; with one nobody is asked any more."""
    owner.send(MOVES, **asked(), reason="дороже серверы")
    with desk.app.app_context():
        number = str(db.session.scalars(select(PriceMove.id)).one())

    assert "Не отменено" in owner.send(MOVES + "call-off", id=number, reason=" ").text
    assert "Отменено" in owner.send(MOVES + "call-off", id=number, reason="передумали").text

    with desk.app.app_context():
        for found in price_notices.due(clock.now()):
            price_notices.carry_on(found, clock.now())
        assert db.session.scalars(select(PriceNotice.look_at)).one() is None
    assert owner.send(MOVES + "call-off", id="x", reason="y").status_code == 404


@pytest.mark.parametrize(
    ("changes", "sentence"),
    (
        ({"amount": "0"}, "больше нуля"),
        ({"amount": "много"}, "Нужна сумма"),
        ({"day": "завтра"}, "Укажите день"),
        ({"plan": "NONE"}, "Выберите тариф"),
        ({"day": "2020-01-01"}, "Предупредить нужно"),
        ({"reason": ""}, "почему меняется цена"),
    ),
)
def test_what_cannot_be_decided_is_refused(
    desk: Desk, owner: Browser, ira: Browser, changes: dict[str, str], sentence: str
) -> None:
    """With a sentence; nobody is told."""
    refused = owner.send(MOVES, **{**asked(), "reason": "so", **changes})

    assert refused.status_code == 400
    assert sentence in refused.text
    with desk.app.app_context():
        assert db.session.scalars(select(PriceMove)).all() == []

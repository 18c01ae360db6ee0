"""Letters that ask subscribers for a card at the other gateway: once, to whom it is true, and no more."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import select, update

from portal import clock
from portal.accounts import disabling
from portal.billing import on_behalf, settings
from portal.billing.audit import COMMAND_LINE
from portal.database import db, transaction
from portal.models import GatewayName, PaymentMethod, Subscription, User
from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.weather import later, subjects
from tests.web.desk.forms import form_key, press

ROOM = "/admin/leading/"
WHY = "Комиссия ниже"
SUBJECT = "Сохраните карту ещё раз, чтобы тариф продлевался без перерыва"


@pytest.fixture
def led(desk: Desk, recurring: None) -> Browser:
    """A subscriber at CloudPayments of a shop that leads to YooKassa."""
    ira = desk.customer()
    order = ira.order("cloudpayments", recurring=True)
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()
    lead_to(desk, "yookassa")
    return ira


def lead_to(desk: Desk, name: str) -> None:
    with desk.app.app_context():
        settings.put("lead_to_gateway", name, clock.now())


def send(owner: Browser, key: str = "", **more: str) -> Any:
    """Press the button of the page."""
    form = {"gateway": "yookassa", "most": "100", "again": "", "reason": WHY} | more
    return press(owner, ROOM, key or form_key(owner.get(ROOM).text), **form)


def save_another(desk: Desk) -> None:
    """The customer's card as YooKassa keeps it."""
    with desk.app.app_context(), transaction() as session:
        old = session.scalars(select(PaymentMethod)).one()
        copied = ("user_id", "kind", "title", "last4", "created_at", "preferred_at")
        words = {name: getattr(old, name) for name in copied}
        method = PaymentMethod(**words, gateway=GatewayName.YOOKASSA, token=b"x", fingerprint="x")
        session.add(method)


def written(desk: Desk) -> int:
    return len(books.rows(desk.app, "SELECT 1 FROM notifications WHERE kind = 'card_elsewhere'"))


def test_each_is_written_to_once(desk: Desk, owner: Browser, led: Browser) -> None:
    """The page shows the letter and how many it would reach; a second press writes to nobody."""
    page = owner.get(ROOM).text
    assert SUBJECT in page
    assert "Ещё не писали: 1&nbsp;подписчику" in page or "Ещё не писали: 1\u00a0подписчику" in page
    key = form_key(page)
    for _ in range(2):
        assert send(owner, key).status_code == 303
    desk.settle()
    later(desk, "1m")

    assert subjects(desk).count(SUBJECT) == 1
    assert len(desk.sandbox.ledger()["payments"]) == 1
    assert "Писать некому" in owner.get(ROOM).text
    assert send(owner, str(uuid.uuid4())).status_code == 303
    assert written(desk) == 1
    entry = books.rows(desk.app, "SELECT reason, after FROM audit_entries WHERE act = 'ask-for-cards'")[0]
    assert (entry.reason, entry.after["letters"]) == (WHY, 1)
    overview = owner.get("/admin/").text
    assert "в другом шлюзе ещё 1, письмо получили 1, перешли 0" in overview


def test_asked_again_after_some_days(desk: Desk, owner: Browser, led: Browser) -> None:
    """Only when the owner says so, and not within a week."""
    send(owner)
    for wrong in ("3", "3651", "999999"):
        assert send(owner, str(uuid.uuid4()), again=wrong).status_code == 400, wrong
    assert send(owner, str(uuid.uuid4()), again="7").status_code == 303
    assert written(desk) == 1
    later(desk, "8d")
    assert "Ещё не писали: 0" in owner.get(ROOM).text
    assert send(owner, again="7").status_code == 303
    assert written(desk) == 2
    assert books.rows(desk.app, "SELECT times FROM card_requests")[0][0] == 2


def test_a_letter_that_is_true_no_more_is_not_sent(desk: Desk, owner: Browser, led: Browser) -> None:
    """Whoever saved a card there while the letter waited does not read it; the page counts who came."""
    assert send(owner).status_code == 303
    save_another(desk)
    desk.settle()
    later(desk, "1m")
    assert SUBJECT not in subjects(desk)
    (letter,) = books.rows(desk.app, "SELECT last_error FROM notifications WHERE kind = 'card_elsewhere'")
    assert letter.last_error == "no longer true"
    with desk.app.app_context(), transaction() as session:
        there = session.scalars(select(PaymentMethod.id).where(PaymentMethod.gateway == "yookassa")).one()
        session.execute(update(Subscription).values(payment_method_id=there))
    assert "письмо получили 1, перешли 1" in owner.get("/admin/").text


@pytest.mark.parametrize("change", ("closed", "stopped", "card saved"))
def test_who_is_not_asked(desk: Desk, owner: Browser, led: Browser, change: str) -> None:
    """A closed account, a renewal that is off, a card that is there already: nobody to write to."""
    with desk.app.app_context():
        number = db.session.scalars(select(User.id).where(User.email == "ira@example.com")).one()
        if change == "closed":
            disabling.disable(number, COMMAND_LINE, WHY, clock.now())
        elif change == "stopped":
            on_behalf.stop_renewal(number, COMMAND_LINE, WHY, clock.now())
    if change == "card saved":
        save_another(desk)
    assert "Писать некому" in owner.get(ROOM).text
    assert send(owner, str(uuid.uuid4())).status_code == 303
    assert written(desk) == 0


def test_only_where_the_shop_leads(desk: Desk, owner: Browser, clerk: Browser, led: Browser) -> None:
    """A page that was open while the owner changed his mind writes to nobody; nor does a clerk."""
    key = form_key(owner.get(ROOM).text)
    assert clerk.get(ROOM).status_code == 403
    assert press(clerk, ROOM, key, gateway="yookassa", most="1", reason=WHY).status_code == 403
    for wrong in ({"most": "0"}, {"most": "1001"}, {"most": "много"}, {"reason": " "}, {"gateway": "x"}):
        assert send(owner, key, **wrong).status_code == 400, wrong
    lead_to(desk, "")
    assert send(owner, key).status_code == 400
    assert "никого никуда не ведём" in owner.get(ROOM).text
    assert written(desk) == 0

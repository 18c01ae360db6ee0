"""A refused renewal is paid: once more with the saved card, or another way, signed in or by a letter."""

from __future__ import annotations

import pytest

from portal.database import db
from tests.desk import Browser, Desk
from tests.shares import pairs
from tests.stories import books
from tests.stories.renewing import (
    GATEWAYS,
    PAY,
    latest,
    link,
    payments,
    periods,
    refuse,
    subscribed,
    subscription,
    there,
)
from tests.stories.weather import later, subjects


def refused(desk: Desk, gateway: str, outcome: str = "insufficient_funds") -> Browser:
    """A subscriber on the day of the charge, which the bank refused."""
    ira = subscribed(desk, gateway)
    refuse(desk, gateway, outcome, times=1)
    later(desk, "27d")
    assert subscription(desk).status == "past_due"
    return ira


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_the_saved_card_pays_when_it_has_money_again(desk: Desk, recurring: None, gateway: str) -> None:
    """One click in the letter, without signing in, two of them are one charge; the page then says paid."""
    refused(desk, gateway)
    pay, anybody = link(desk, "pay"), desk.browser()
    assert "Списать" in anybody.get(pay).text
    for _ in range(2):
        assert "Списываем: " in anybody.send(pay, action="saved").text
    desk.work()
    desk.settle()

    assert "Платить не нужно" in anybody.get(pay).text
    assert subscription(desk).status == "active"
    assert [one[2] for one in payments(desk)] == ["succeeded", "failed", "succeeded"]
    assert subjects(desk)[-1].endswith("продлён")
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


@pytest.mark.parametrize(("gateway", "agreed"), pairs(GATEWAYS, (True, False)))
def test_another_card_pays_by_the_link_of_the_letter_in_the_days_of_grace(
    desk: Desk, recurring: None, gateway: str, agreed: bool
) -> None:
    """On the agreed terms though the plan is dearer now; the new period begins where the old one ended; the
    card is charged from then on only where that was agreed.
    """
    refused(desk, gateway, "card_expired")
    with desk.app.app_context(), db.engine.begin() as connection:
        connection.execute(db.text("UPDATE plans SET price = 5000, discount = 0"))
    later(desk, "5d")  # two days after the end
    assert "Оплаченный срок закончился" in _dashboard(desk)
    words = {"accept_recurring": "y"} if agreed else {}
    anybody = desk.browser()
    answer = anybody.send(link(desk, "pay"), action="order", gateway=gateway, **words)
    order = latest(desk)
    if gateway == "cloudpayments":
        assert there(answer) == order
    else:
        assert answer.url.startswith(f"{desk.sandbox.url}/yookassa/")
    desk.sandbox.pay(gateway, order, "2200000000000004")
    desk.settle()

    assert "Оплачено" in anybody.get(f"/billing/payment/{order}/return").text
    assert payments(desk)[-1] == (gateway, "purchase", "succeeded", "990.00")
    first, second = periods(desk)
    assert first.ends_at == second.starts_at
    now = subscription(desk)
    assert (now.status, now.auto_renew, now.title.endswith("0004")) == ("active", True, agreed)
    later(desk, "26d")
    expected = [("renewal", "succeeded", "990.00")] if agreed else []
    assert [one[1:] for one in payments(desk)[3:]] == expected
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


def _dashboard(desk: Desk) -> str:
    ira = desk.browser()
    ira.send("/login", email="ira@example.com", password="three calm herons")
    return ira.get("/dashboard/").text


def test_whoever_pays_another_way_is_not_charged_behind_their_back(desk: Desk, recurring: None) -> None:
    """While an order waits at a payment page the saved card rests, and the page says why; when the order
    comes to nothing, the card is tried again.
    """
    ira = refused(desk, "cloudpayments")
    ira.send(PAY, action="order", gateway="yookassa")
    assert "Вы уже начали платить другим способом" in ira.get(PAY).text
    assert ira.send(PAY, action="saved").status_code == 400
    later(desk, "30m")
    assert [one[1] for one in payments(desk)] == ["purchase", "renewal", "purchase"]
    later(desk, "2h")
    assert "Списать" in ira.get(PAY).text
    ira.send(PAY, action="saved")
    desk.work()
    desk.settle()
    assert subscription(desk).status == "active"


def test_a_tab_left_open_is_not_paid_after_the_renewal(desk: Desk, recurring: None) -> None:
    """The widget stood open for hours, and the saved card paid meanwhile: the second card is not taken."""
    ira = refused(desk, "yookassa")
    ira.send(PAY, action="order", gateway="cloudpayments")
    order = latest(desk)
    later(desk, "2h")
    ira.send(PAY, action="saved")
    desk.work()
    desk.settle()
    assert subscription(desk).status == "active"

    answer = desk.sandbox.pay("cloudpayments", order, "5555555555554444")

    desk.settle()
    assert answer["status"] != "succeeded"
    assert len(periods(desk)) == 2
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


def test_a_letter_stops_the_renewal_it_announces(desk: Desk, recurring: None) -> None:
    """The link in the announcement, one button, no sign-in: nothing is charged, the plan runs to its end."""
    ira = subscribed(desk, "yookassa")
    later(desk, "25d")
    stop, anybody = link(desk, "stop"), desk.browser()
    assert "Отключить продление?" in anybody.get(stop).text
    assert "Продление выключено" in anybody.send(stop).text
    later(desk, "10d")
    assert [one[1] for one in payments(desk)] == ["purchase"]
    assert "Тариф закончился" in ira.get("/dashboard/").text
    (agreement,) = books.rows(desk.app, "SELECT withdrawn_because FROM consents")
    assert agreement.withdrawn_because == "stopped"

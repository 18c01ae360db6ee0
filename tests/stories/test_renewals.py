"""A subscription's life: renewed from the saved card, refused, retried, stopped."""

from __future__ import annotations

from typing import Any

import pytest

from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.weather import held_by, later, orders, paid, subjects

GATEWAYS = ("cloudpayments", "yookassa")


def subscribed(
    desk: Desk, gateway: str, plan: str = "PRO_MONTHLY", card: str = "5555555555554444"
) -> Browser:
    """A customer who has bought a plan and agreed to renewals."""
    ira = desk.customer()
    paid(desk, ira.order(gateway, plan, recurring=True), card)
    return ira


def purposes(desk: Desk) -> list[tuple[str, str]]:
    """Purpose and status of every payment of ours, oldest first."""
    return [
        (str(p), str(s)) for p, s in books.rows(desk.app, "SELECT purpose, status FROM payments ORDER BY id")
    ]


@pytest.mark.lists
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_month_is_followed_by_another(desk: Desk, recurring: None, gateway: str) -> None:
    """Three days before the end the saved card is charged once, announced by two letters; the new period
    begins where the old one ends.
    """
    ira = subscribed(desk, gateway)
    later(desk, "27d")

    assert purposes(desk) == [("purchase", "succeeded"), ("renewal", "succeeded")]
    charge: Any = held_by(desk, gateway)[1]
    if gateway == "cloudpayments":
        assert (charge["request"]["TrInitiatorCode"], charge["request"]["PaymentScheduled"]) == (0, 1)
    else:
        assert "confirmation" not in charge["request"]
        assert charge["request"]["payment_method_id"]
    ends = books.rows(desk.app, "SELECT starts_at, ends_at FROM purchased_plans ORDER BY id")
    assert ends[0].ends_at == ends[1].starts_at
    letters = subjects(desk)
    assert len([one for one in letters if "спишем" in one]) == 2
    assert len([one for one in letters if "продлён" in one]) == 1
    assert orders(ira, gateway)[0]["status"] == "succeeded"

    later(desk, "60d")
    assert purposes(desk).count(("renewal", "succeeded")) == 3
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_short_of_money_twice_and_then_not(desk: Desk, recurring: None, gateway: str) -> None:
    """Refused on the day and the day after, the card pays on the third: the third try falls due some
    milliseconds after the period's end, and neither swallows the other in one leap of the clock.
    """
    ira = subscribed(desk, gateway)
    token = desk.sandbox.ledger()["methods"][0]
    which = {"token": token["token"]} if gateway == "cloudpayments" else {"payment_method_id": token["id"]}
    desk.sandbox.control("cards", **which, outcome="insufficient_funds", times=2)
    later(desk, "40d")

    assert [status for purpose, status in purposes(desk) if purpose == "renewal"] == [
        "failed",
        "failed",
        "succeeded",
    ]
    periods = books.rows(desk.app, "SELECT starts_at, ends_at FROM purchased_plans ORDER BY id")
    assert periods[0].ends_at == periods[1].starts_at
    assert len([one for one in subjects(desk) if "Не удалось продлить" in one]) == 2
    assert "50 000" in ira.get("/dashboard/").text.replace("\xa0", " ")

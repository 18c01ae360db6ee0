"""Saved methods from the first payment to the unlinking: cards, SBP, SberPay and wallets alike."""

from __future__ import annotations

import re

import pytest

from tests.desk import Desk
from tests.stories import books
from tests.stories.renewing import (
    GATEWAYS,
    METHODS,
    RENEWAL,
    body,
    latest,
    payments,
    periods,
    refuse,
    subscribed,
    subscription,
)
from tests.stories.weather import later


@pytest.mark.parametrize(
    ("gateway", "means", "called"),
    (
        ("cloudpayments", "sbp", "СБП"),
        ("yookassa", "sbp", "СБП"),
        ("yookassa", "sberbank", "SberPay"),
        ("yookassa", "yoo_money", "ЮMoney"),
    ),
)
def test_what_is_no_card_is_bought_with_saved_renewed_and_unlinked(
    desk: Desk, recurring: None, gateway: str, means: str, called: str
) -> None:
    """A method without a number and a date renews a plan like a card, and leaves in one click like a card."""
    ira = subscribed(desk, gateway, means)
    page = ira.get(METHODS).text
    assert called in page
    assert "Отсюда списываем" in page
    (saved,) = books.rows(desk.app, "SELECT * FROM payment_methods")
    assert (saved.last4, saved.expiry_year, saved.kind == "bank_card") == (None, None, False)
    assert called in ira.get(RENEWAL).text

    later(desk, "28d")
    assert [one[1:3] for one in payments(desk)] == [("purchase", "succeeded"), ("renewal", "succeeded")]
    first, second = periods(desk)
    assert first.ends_at == second.starts_at

    assert "отвязали" in ira.send(f"{METHODS}/{saved.id}/unlink").text
    later(desk, "40d")
    assert len(payments(desk)) == 2
    assert "Тариф закончился" in ira.get("/dashboard/").text
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


def test_what_cannot_be_saved_is_paid_with_and_said(desk: Desk, recurring: None) -> None:
    """SberPay at CloudPayments gives no token: the plan runs, the agreement ends unused, and page and letter
    say that nothing will be renewed.
    """
    ira = subscribed(desk, "cloudpayments", "sberpay")
    assert (subscription(desk).auto_renew, books.count(desk.app, "payment_methods")) == (False, 0)
    said = "Продление не включилось: этот способ оплаты не сохраняется"
    assert said in ira.get(f"/billing/payment/{latest(desk)}/return").text
    assert said in body(desk)
    assert "этот способ оплаты не сохраняется" in ira.get("/dashboard/consents").text
    (agreement,) = books.rows(desk.app, "SELECT withdrawn_because FROM consents")
    assert agreement.withdrawn_because == "not_saved"


@pytest.mark.parametrize("card", ("5555555555554444", "sbp"))
def test_a_rouble_saves_a_method_at_cloudpayments_and_comes_back(
    desk: Desk, recurring: None, card: str
) -> None:
    """It activates nothing and switches nothing on, and the money goes back by itself; renewal is offered."""
    ira = desk.customer()
    desk.sandbox.pay("cloudpayments", ira.order("cloudpayments")["transaction_id"])
    desk.settle()
    ira.send(f"{METHODS}/add", gateway="cloudpayments")
    order = latest(desk)
    desk.sandbox.pay("cloudpayments", order, card)
    desk.settle()
    later(desk, "1h")

    assert payments(desk)[1] == ("cloudpayments", "binding", "succeeded", "1.00")
    (refund,) = books.rows(desk.app, "SELECT amount, status FROM refunds")
    assert (str(refund.amount), refund.status) == ("1.00", "succeeded")
    assert "1 ₽ уже вернули" in ira.get(f"/billing/payment/{order}/return").text.replace("\xa0", " ")
    assert (subscription(desk).auto_renew, len(periods(desk))) == (False, 1)
    assert "Включить продление" in ira.get(METHODS).text
    assert ira.send(RENEWAL, action="resume").url.endswith("/dashboard/")

    later(desk, "27d")
    assert payments(desk)[2][1:] == ("renewal", "succeeded", "990.00")
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


def test_a_rouble_whose_card_was_unlinked_before_the_news_saves_nothing(desk: Desk, recurring: None) -> None:
    """Late news links nothing again; the money goes back all the same."""
    ira = subscribed(desk, "cloudpayments")
    ira.send(f"{METHODS}/add", gateway="cloudpayments")
    desk.sandbox.control("settings", webhooks="drop")
    order = latest(desk)
    desk.sandbox.pay("cloudpayments", order, "5555555555554444")  # the same card gets the same token
    (saved,) = books.rows(desk.app, "SELECT id FROM payment_methods")
    ira.send(f"{METHODS}/{saved.id}/unlink")
    later(desk, "1h")

    assert payments(desk)[1][1:] == ("binding", "succeeded", "1.00")
    assert books.count(desk.app, "payment_methods") == 1
    assert "Сохранённых способов оплаты нет" in ira.get(METHODS).text
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_new_card_after_a_refusal_recovers_at_once(desk: Desk, recurring: None, gateway: str) -> None:
    """Nobody has to find another button: as soon as the card is saved it pays for what is overdue."""
    ira = subscribed(desk, gateway)
    refuse(desk, gateway, "card_expired")
    later(desk, "27d")
    assert subscription(desk).status == "past_due"
    assert "Сами больше пробовать не будем" in ira.get("/dashboard/").text

    card = "2200000000000004"
    if gateway == "yookassa":
        binding = ira.call("/billing/api/yookassa/bind_card_start/").json()
        page = re.search(r"paymentMethodId=([0-9a-f-]+)", binding["confirmation_url"])
        assert page
        desk.sandbox.pay("yookassa", page[1], card)
        desk.settle()
        assert "Карта сохранена" in ira.get(f"/billing/binding/{binding['binding_id']}/return").text
    else:
        ira.send(f"{METHODS}/add", gateway="cloudpayments")
        desk.sandbox.pay("cloudpayments", latest(desk), card)
    desk.settle()
    later(desk, "1m")

    now = subscription(desk)
    assert (now.status, now.auto_renew) == ("active", True)
    assert now.title.endswith("0004")
    first, second = periods(desk)
    assert first.ends_at == second.starts_at
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


def test_a_card_bound_for_nothing_at_yookassa_renews_nothing_by_itself(desk: Desk, recurring: None) -> None:
    """The page offers to switch renewal on and does not do it."""
    ira = desk.customer()
    desk.sandbox.pay("yookassa", ira.order("yookassa")["transaction_id"], "5555555555554444")
    desk.settle()
    binding = ira.call("/billing/api/yookassa/bind_card_start/").json()
    key = binding["confirmation_url"].rpartition("=")[2]
    desk.sandbox.pay("yookassa", key, "2200000000000004")
    desk.settle()
    page = ira.get(f"/billing/binding/{binding['binding_id']}/return").text
    assert "Сама по себе она ничего не продлевает" in page
    assert subscription(desk).auto_renew is False
    later(desk, "35d")
    assert [one[1] for one in payments(desk)] == ["purchase"]

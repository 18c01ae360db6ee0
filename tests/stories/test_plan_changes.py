"""A customer changes the plan: the rest is credited and paid now, or the next renewal charges another."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.weather import clear, held_by, later, orders, paid, spoil, subjects

GATEWAYS = ("cloudpayments", "yookassa")
PAYS, POOR = "5555555555554444", "4444444444444444"
PAGE = "/dashboard/plan"


def words(browser: Browser, path: str = "/dashboard/") -> str:
    """A page as a person reads it."""
    page = browser.get(path).text
    plain = re.sub(r"<[^>]+>", " ", page.split("<main", 1)[1].split("</main>", 1)[0])
    return re.sub(r"\s+", " ", html.unescape(plain).replace("\xa0", " "))


def customer(
    desk: Desk,
    gateway: str,
    plan: str = "PRO_MONTHLY",
    *,
    renews: bool = False,
    email: str = "ira@example.com",
) -> Browser:
    """Somebody with a plan that was bought just now."""
    ira = desk.customer(email)
    paid(desk, ira.order(gateway, plan, recurring=renews))
    return ira


def ordered(ira: Browser, gateway: str, plan: str = "BUSINESS_MONTHLY", **form: str) -> Any:
    """An upgrade, ordered on the page; the order as the API shows it."""
    answer = ira.send(PAGE, plan_code=plan, gateway=gateway, **form)
    assert answer.ok, answer.text
    return orders(ira, gateway)[0]


def row(desk: Desk) -> list[tuple[str, int]]:
    """What counts, in order: plan and days."""
    counted = "SELECT plan_code, ends_at - starts_at AS term FROM purchased_plans WHERE revoked_at IS NULL"
    return [(one.plan_code, one.term.days) for one in books.rows(desk.app, f"{counted} ORDER BY starts_at")]


def agree(desk: Desk) -> None:
    """Both sides' books are the same."""
    assert not (found := books.disagreements(desk.app, desk.sandbox.ledger())), found


def statuses(ira: Browser, gateway: str) -> list[str]:
    """The customer's payments at a gateway, newest first."""
    return [order["status"] for order in orders(ira, gateway)]


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_an_upgrade_is_previewed_ordered_and_paid(desk: Desk, gateway: str) -> None:
    """The page says to the kopeck what is credited; nothing changes before the money came, then at once; the
    doubled notification changes it once, and one letter tells.
    """
    ira = customer(desk, gateway)
    later(desk, "15d")
    compared, seen = words(ira, PAGE), words(ira, f"{PAGE}/BUSINESS_MONTHLY")
    assert "Сейчас «Про», оплачен до" in compared
    sum_ = re.search(r"Оплатить (2 495(?:,\d\d)? ₽)", seen)
    assert sum_, seen

    order = ordered(ira, gateway)

    assert order["amount"] in {"2495.00", "2495.01"}  # a second or two have passed
    assert ordered(ira, gateway)["transaction_id"] == order["transaction_id"]
    assert row(desk) == [("PRO_MONTHLY", 30)]
    desk.sandbox.control("settings", webhooks="duplicate")
    desk.sandbox.pay(gateway, order["transaction_id"], PAYS)
    desk.settle()
    assert row(desk) == [("BUSINESS_MONTHLY", 30)]
    shown = words(ira)
    assert "250 000" in shown
    assert "Вы перешли на тариф «Бизнес»" in shown
    assert "Оплачено" in words(ira, f"/billing/payment/{order['transaction_id']}/return")
    assert [one for one in subjects(desk) if "Вы перешли" in one] == ["Вы перешли на тариф «Бизнес»"]
    agree(desk)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_declined_upgrade_leaves_the_plan_as_it_was(desk: Desk, gateway: str) -> None:
    """After a refusal the old plan runs; another card pays for the same change."""
    ira = customer(desk, gateway)
    order = ordered(ira, gateway)
    desk.sandbox.pay(gateway, order["transaction_id"], POOR)
    desk.settle()
    assert row(desk) == [("PRO_MONTHLY", 30)]

    desk.sandbox.pay(gateway, ordered(ira, gateway)["transaction_id"], PAYS)
    desk.settle()

    assert row(desk) == [("BUSINESS_MONTHLY", 30)]
    assert statuses(ira, gateway).count("succeeded") == 2
    agree(desk)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_an_upgrade_that_nobody_pays_is_forgotten(desk: Desk, gateway: str) -> None:
    """Within the hour its order is over; the widget or the page takes no money for it any more."""
    ira = customer(desk, gateway)
    order = ordered(ira, gateway)
    later(desk, "61m")
    assert statuses(ira, gateway) == ["failed", "succeeded"]

    page = ira.get(f"/billing/payment/{order['transaction_id']}/").url
    assert page.endswith("/return")
    assert row(desk) == [("PRO_MONTHLY", 30)]
    assert [one["status"] for one in held_by(desk, gateway)].count("succeeded") == 1
    assert ordered(ira, gateway)["transaction_id"] != order["transaction_id"]
    agree(desk)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_two_upgrades_paid_in_two_tabs(desk: Desk, gateway: str) -> None:
    """The first that is paid counts; the other's money goes back whole, by itself, and it is told why."""
    ira = customer(desk, "cloudpayments")
    first = ordered(ira, "yookassa")
    second = ordered(ira, gateway, "PRO_YEARLY")
    paid(desk, second, PAYS)
    paid(desk, first, PAYS)
    later(desk, "20m")

    assert row(desk) == [("PRO_YEARLY", 365)]
    assert {one["transaction_id"]: one["refunded_amount"] for one in orders(ira, "yookassa")}[
        first["transaction_id"]
    ] == first["amount"]
    assert "было уже поздно" in words(ira)
    assert len([one for one in subjects(desk) if "менять тариф было уже поздно" in one]) == 1
    agree(desk)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_smaller_plan_follows_by_the_next_renewal(desk: Desk, recurring: None, gateway: str) -> None:
    """It is shown with its day and sum, may be taken back and chosen again; the renewal charges it."""
    ira = customer(desk, gateway, renews=True)
    assert "Сейчас платить не нужно" in words(ira, PAGE)
    assert "вместо 990 ₽" in words(ira, f"{PAGE}/START_MONTHLY")

    answer = ira.send(PAGE, plan_code="START_MONTHLY")
    assert answer.url == f"{desk.url}/dashboard/"
    assert re.search(r"С \d+ \w+ \d+ — тариф «Старт», 390 ₽\.", words(ira))
    assert "остаётся" in ira.send(PAGE, plan_code="PRO_MONTHLY").text
    assert "тариф «Старт», 390" not in words(ira).partition("Уведомления")[0]
    ira.send(PAGE, plan_code="START_MONTHLY")
    later(desk, "27d")

    assert orders(ira, gateway)[0]["amount"] == "390.00"
    assert row(desk) == [("PRO_MONTHLY", 30), ("START_MONTHLY", 30)]
    agree(desk)


def test_after_an_upgrade_renewals_cost_the_new_price(desk: Desk, recurring: None) -> None:
    """Where renewal was on, the page said so before the click and the saved card goes on at the new price;
    where it was off, it is switched on by the box alone.
    """
    ira = customer(desk, "cloudpayments", renews=True)
    later(desk, "15d")
    seen = words(ira, f"{PAGE}/BUSINESS_MONTHLY")
    assert "Согласен на автоматическое продление тарифа «Бизнес»: 2 990 ₽" in seen
    assert "После перехода оно будет стоить 2 990 ₽ за 30 дней" in seen
    assert "accept_recurring" not in ira.get(f"{PAGE}/BUSINESS_MONTHLY").text
    order = ordered(ira, "cloudpayments")
    assert order["billing_mode"] == "ONE_TIME"
    paid(desk, order)

    eva = customer(desk, "yookassa", email="eva@example.com")
    assert "accept_recurring" in eva.get(f"{PAGE}/BUSINESS_MONTHLY").text
    paid(desk, ordered(eva, "yookassa", accept_recurring="y"))
    assert orders(eva, "yookassa")[0]["billing_mode"] == "RECURRING"
    later(desk, "28d")

    for browser, gateway in ((ira, "cloudpayments"), (eva, "yookassa")):
        renewal = orders(browser, gateway)[0]
        assert (renewal["amount"], renewal["status"]) == ("2990.00", "succeeded")
    agree(desk)


def test_without_renewal_a_smaller_plan_is_simply_bought(desk: Desk) -> None:
    """The choice leads to the checkout; the same plan is no change."""
    ira = customer(desk, "cloudpayments")
    assert ira.send(PAGE, plan_code="START_MONTHLY").url == f"{desk.url}/checkout/START_MONTHLY"
    assert ira.get(f"{PAGE}/START_MONTHLY").url == f"{desk.url}/checkout/START_MONTHLY"
    assert "менять нечего" in ira.send(PAGE, plan_code="PRO_MONTHLY").text
    assert ira.send(PAGE, plan_code="NO_SUCH_PLAN").status_code == 404


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_an_upgrade_that_is_refunded_gives_the_old_plan_back(desk: Desk, gateway: str) -> None:
    """Money that goes back in the gateway's cabinet undoes the change for the rest of the old plan's time."""
    ira = customer(desk, gateway)
    later(desk, "10d")
    order = ordered(ira, gateway)
    paid(desk, order)
    later(desk, "5d")

    desk.sandbox.control("refund", gateway=gateway, transaction_id=order["transaction_id"])
    desk.settle()

    assert row(desk) == [("PRO_MONTHLY", 30)]
    shown = words(ira)
    assert "50 000" in shown
    assert "Снова действует тариф «Про»" in shown
    agree(desk)


def test_nothing_is_changed_while_a_charge_is_undecided(desk: Desk, recurring: None) -> None:
    """While the gateway is silent about a renewal, the page says why to wait, and a click does nothing."""
    gateway = "cloudpayments"
    ira = customer(desk, gateway, renews=True)
    later(desk, "26d")
    spoil(desk, gateway, "tokens_charge", "drop_after_commit")
    for look in ("find", "get"):
        spoil(desk, gateway, look, "http_500", times=1000)
    desk.sandbox.control("settings", webhooks="drop")
    later(desk, "24h1m")
    assert statuses(ira, gateway) == ["unknown", "succeeded"]

    for plan in ("BUSINESS_MONTHLY", "START_MONTHLY"):
        assert "ничего не спишется дважды" in words(ira, f"{PAGE}/{plan}")
        answer = ira.send(PAGE, plan_code=plan)
        assert (answer.status_code, "списывается оплата за следующий срок" in answer.text) == (409, True)
    assert len(statuses(ira, gateway)) == 2

    clear(desk)
    later(desk, "3h")
    paid(desk, ordered(ira, gateway))
    later(desk, "2m")
    assert row(desk) == [("BUSINESS_MONTHLY", 30), ("PRO_MONTHLY", 30)]
    agree(desk)

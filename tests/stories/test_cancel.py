"""A customer ends the plan: what the page promised goes back, once, and nothing is charged any more."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import select

from portal import clock
from portal.billing import settings
from portal.database import db
from portal.models import Refund
from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.weather import has_plan, later, orders, paid, subjects

GATEWAYS = ("cloudpayments", "yookassa")
PAGE = "/dashboard/cancel"


def agree(desk: Desk) -> None:
    """Both sides' books are the same."""
    assert not (found := books.disagreements(desk.app, desk.sandbox.ledger())), found


def words(browser: Browser, path: str = PAGE) -> str:
    """A page as a person reads it."""
    page = browser.get(path).text
    plain = re.sub(r"<[^>]+>", " ", page.split("<main", 1)[1].split("</main>", 1)[0])
    return re.sub(r"\s+", " ", html.unescape(plain).replace("\xa0", " "))


def policy(desk: Desk, name: str) -> None:
    """The operator chooses the rule."""
    with desk.app.app_context():
        settings.put("refund_policy", name, clock.now())


def refunds_of(desk: Desk) -> list[tuple[str, str, str]]:
    """Our refunds, oldest first: sum, status, who wanted it."""
    with desk.app.app_context():
        found = db.session.scalars(select(Refund).order_by(Refund.id)).all()
        return [(str(row.amount), row.status.value, row.source.value) for row in found]


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_on_day_13_the_money_goes_back(desk: Desk, gateway: str) -> None:
    """The page names the sum, the rule and the last moment of the window; the click ends the plan at once,
    the money goes back, both letters come, and a second click ends nothing more.
    """
    ira = desk.customer()
    paid(desk, ira.order(gateway))
    later(desk, "13d")
    seen = words(ira)
    assert "Отменить и вернуть 990 ₽" in seen
    assert "Всё, что вы заплатили" in seen

    answer = ira.send(PAGE)

    assert answer.url == f"{desk.url}/dashboard/"
    assert "отменён" in answer.text
    assert not has_plan(ira)
    assert "Возвращаем 990 ₽" in words(ira, "/dashboard/payments")
    desk.settle()
    later(desk, "1m")
    assert refunds_of(desk) == [("990.00", "succeeded", "customer")]
    assert orders(ira, gateway)[0]["refunded_amount"] == "990.00"
    assert "отменять нечего" in ira.send(PAGE).text
    assert ira.get(PAGE).url == f"{desk.url}/dashboard/"
    assert refunds_of(desk) == [("990.00", "succeeded", "customer")]
    letters = subjects(desk)
    assert [subject for subject in letters if "отменён" in subject]
    assert [subject for subject in letters if "Возврат 990" in subject.replace("\xa0", " ")]
    assert "Тариф «Про» отменён" in words(ira, "/dashboard/")
    assert "Вернули всю сумму за «Про», тариф отключён." in words(ira, "/dashboard/")
    agree(desk)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_on_day_15_nothing_goes_back(desk: Desk, gateway: str) -> None:
    """After the window the page says so; who ends the plan all the same gets nothing back."""
    ira = desk.customer()
    paid(desk, ira.order(gateway))
    later(desk, "15d")
    seen = words(ira)
    assert "Деньги не вернутся" in seen
    assert "Отменить без возврата" in seen
    assert "тариф сам закончится" in seen

    ira.send(PAGE)
    desk.settle()

    assert not has_plan(ira)
    assert refunds_of(desk) == []
    assert books.count(desk.app, "refunds") == 0
    agree(desk)

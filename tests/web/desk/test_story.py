"""The page of a payment tells its whole life; the pages around it lead to each other."""

from __future__ import annotations

import html
import re

import pytest

from portal.billing import audit
from portal.billing.audit import Subject
from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.renewing import refuse, subscribed
from tests.stories.weather import later
from tests.web.desk.forms import act

GATEWAYS = ("cloudpayments", "yookassa")


def story(browser: Browser, payment_id: int) -> list[str]:
    """Titles of the story in their order."""
    page = browser.get(f"/admin/payments/details/?id={payment_id}")
    assert page.status_code == 200
    found = re.findall(r'class="story__title"[^>]*>([^<]+)<', page.text)
    return [html.unescape(title).strip().replace("\xa0", " ") for title in found]


def in_order(titles: list[str], wanted: tuple[str, ...]) -> None:
    """Each of *wanted* stands in the story after the one before it."""
    at = 0
    for title in wanted:
        assert title in titles[at:], (title, titles)
        at = titles.index(title, at)


BOUGHT = (
    "Заказ записан",
    "Согласие на продление",
    "Состояние: оплачен",
    "Период выдан",
    "В кабинете: тариф оплачен",
)
REFUSED = (
    "Заказ записан",
    "Отправили списание в шлюз",
    "Состояние: отклонён",
    "В кабинете: продление не прошло",
    "Попытка 2 того же продления: оплачен",
)
RENEWED = (
    "Попытка 1 того же продления: отклонён",
    "Заказ записан",
    "Отправили списание в шлюз",
    "Состояние: оплачен",
    "Период выдан",
    "Возврат 990 ₽",
    "Отправили возврат в шлюз",
    "Возврат 990 ₽: возвращён",
)


def live(desk: Desk, owner: Browser, gateway: str) -> tuple[int, int, int]:
    """Buy, be refused at the renewal, be renewed, asked about and refunded; the numbers of the payments."""
    subscribed(desk, gateway)
    refuse(desk, gateway, "insufficient_funds", times=1)
    later(desk, "28d")
    later(desk, "2d")
    bought, refused, renewed = (row[0] for row in books.rows(desk.app, "SELECT id FROM payments ORDER BY id"))
    ask = f"{owner.base}/admin/payments/ask/?id={renewed}"
    assert owner.session.post(ask, data={"csrf_token": owner.token()}).ok
    page = f"/admin/payments/refund/?id={renewed}"
    assert act(owner, page, how="all", reason="Передумал").status_code == 303
    desk.settle()
    return bought, refused, renewed


@pytest.mark.usefixtures("desk", "recurring")
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_full_life(desk: Desk, owner: Browser, gateway: str) -> None:
    """Every line of three payments stands in its place."""
    bought, refused, renewed = live(desk, owner, gateway)

    for payment_id, wanted in ((bought, BOUGHT), (refused, REFUSED), (renewed, RENEWED)):
        in_order(story(owner, payment_id), wanted)
    told = story(owner, renewed)
    for title in ("Письмо: скоро списание", "Период отозван", "owner@example.com: вернул деньги"):
        assert title in told, (title, told)
    assert "На карте или счёте не хватило денег" in owner.get(f"/admin/payments/details/?id={refused}").text


def test_asking_counts_itself(desk: Desk, clerk: Browser) -> None:
    """A page that asks again and again fills one line of the story, not a hundred; an operator's ask says
    what it changed and is in the record.
    """
    order = desk.customer().order("yookassa")
    number = books.rows(desk.app, "SELECT id FROM payments")[0][0]
    where = f"{clerk.base}/admin/payments/ask/?id={number}"
    for _ in range(3):
        page = clerk.session.post(where, data={"csrf_token": clerk.token()})
        assert "ничего не изменилось" in page.text
    rows = books.rows(desk.app, "SELECT operation, said, times FROM gateway_calls ORDER BY id")
    assert [tuple(row) for row in rows] == [("start", "pending", 1), ("ask", "pending", 3)]
    desk.sandbox.control("settings", webhooks="drop")
    desk.sandbox.pay("yookassa", order["transaction_id"])
    page = clerk.session.post(where, data={"csrf_token": clerk.token()})
    assert "было «ждёт оплаты», стало «оплачен»" in page.text
    with desk.app.app_context():
        assert [entry.act for entry in audit.of(Subject("payment", number))] == ["ask"] * 4


def test_a_refund_made_in_the_cabinet_is_found_by_asking(desk: Desk, clerk: Browser) -> None:
    """Its notification was lost; the ask books it."""
    order = desk.customer().order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()
    desk.sandbox.control("settings", webhooks="drop")
    desk.sandbox.control(
        "refund", gateway="cloudpayments", transaction_id=order["transaction_id"], amount="90.00"
    )
    number = books.rows(desk.app, "SELECT id FROM payments")[0][0]
    where = f"{clerk.base}/admin/payments/ask/?id={number}"
    page = clerk.session.post(where, data={"csrf_token": clerk.token()})
    assert "возвращено 90" in page.text
    assert str(books.rows(desk.app, "SELECT refunded_amount FROM payments")[0][0]) == "90.00"


def test_pages_lead_to_each_other(desk: Desk, viewer: Browser) -> None:
    """The customer leads to payment and subscription, and the subscription back; no secret on them."""
    order = desk.customer().order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()
    customer = viewer.get("/admin/users/details/?id=" + str(_id(desk, "users", "email LIKE 'ira%'"))).text
    payment, subscription = _id(desk, "payments"), _id(desk, "subscriptions")
    for room, number in (("payments", payment), ("subscriptions", subscription)):
        assert f"/admin/{room}/details/?id={number}" in customer
    assert "argon2" not in customer
    assert (
        f"/admin/payments/details/?id={payment}"
        in viewer.get(f"/admin/subscriptions/details/?id={subscription}").text
    )


def test_lists_find_cards_and_reasons(desk: Desk, viewer: Browser) -> None:
    """By the last four digits, by a code and by words of the sentence that a customer reads."""
    ira = desk.customer()
    first, second = ira.order("cloudpayments"), ira.order("cloudpayments", "START_MONTHLY")
    desk.sandbox.pay("cloudpayments", first["transaction_id"], "5555555555554444")
    desk.sandbox.pay("cloudpayments", second["transaction_id"], "4444444444444444")
    desk.settle()
    paid, refused = (row[0] for row in books.rows(desk.app, "SELECT id FROM payments ORDER BY id"))

    def found(**fields: str) -> set[int]:
        page = viewer.get("/admin/payments/", params={f"flt0_{name}": text for name, text in fields.items()})
        return {int(number) for number in re.findall(r"payments/details/\?id=(\d+)", page.text)}

    assert found(last4="4444", status="succeeded") == {paid}
    assert found(last4="0000") == set()
    assert found(reason="5051") == {refused}
    assert found(reason="не хватило денег") == {refused}
    assert found(reason="украдена") == set()


def _id(desk: Desk, table: str, where: str = "true") -> int:
    # The names of tables are written in tests only.
    return int(books.rows(desk.app, f"SELECT id FROM {table} WHERE {where}")[0][0])  # noqa: S608

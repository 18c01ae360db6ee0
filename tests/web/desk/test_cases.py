"""The queue of cases over real HTTP: every kind has its page, and decisions reach the gateway once."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest

from portal import clock
from portal.billing import lookback
from portal.database import db
from portal.models import CaseKind, GatewayName
from tests.billing.test_deciding import SCENES
from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.weather import clear, later, spoil
from tests.web.desk.forms import act, at_once, form_key, press

GATEWAYS = ("cloudpayments", "yookassa")
REASON = "Проверено в кабинете шлюза"
#: Our order is of another number, and nobody waits for it.
FORGOTTEN = """transaction_id = 'another-order', gateway_payment_id = NULL, status = 'failed',
    failed_at = created_at, failure_code = 'expired', next_check_at = NULL"""


def decision(case_id: int, choice: str) -> str:
    return f"/admin/cases/decide/?id={case_id}&choice={choice}"


def only_case(desk: Desk) -> int:
    return int(books.rows(desk.app, "SELECT id FROM cases WHERE resolved_at IS NULL")[0][0])


def paid_but(desk: Desk, gateway: str, change: str) -> None:
    """A customer pays 990 roubles; our order says something else by the time that the news is read."""
    order = desk.customer().order(gateway)
    desk.sandbox.control("settings", webhooks="drop")
    desk.sandbox.pay(gateway, order["transaction_id"])
    desk.sandbox.control("settings", webhooks="normal")
    with desk.app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE payments SET {change}")  # noqa: S608 - written in tests only
    later(desk, "1m")  # the gateways' lists are told to the second
    with desk.app.app_context():
        now = clock.now()
        assert lookback.compare(GatewayName(gateway), now - timedelta(hours=1), now).cases == 1


@pytest.mark.parametrize("kind", CaseKind, ids=[kind.value for kind in CaseKind])
def test_every_kind_has_its_page(desk: Desk, owner: Browser, viewer: Browser, kind: CaseKind) -> None:
    """What happened, what is known, and for each decision the page that says what it will do."""
    with desk.app.app_context():
        number = SCENES[kind](clock.now()).case_id
    page = owner.get(f"/admin/cases/details/?id={number}")
    assert page.status_code == 200
    offered = re.findall(r"/admin/cases/decide/\?id=\d+&amp;choice=(\w+)", page.text)
    assert offered[-1] == "close"
    for choice in offered:
        before = owner.get(decision(number, choice))
        assert before.status_code == 200, choice
        assert 'name="form_key"' in before.text
    if kind is CaseKind.REFUND_FAILED:
        assert "/admin/refunds/details/?id=" in page.text
    looked = viewer.get(f"/admin/cases/details/?id={number}").text
    assert "/admin/cases/decide/" not in looked
    assert "/admin/cases/ask/" not in looked


@pytest.mark.parametrize("fault", (None, "drop_after_commit", "http_500"))
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_strange_money_goes_back_once(desk: Desk, clerk: Browser, gateway: str, fault: str | None) -> None:
    """Money without an order of ours is given back through its gateway, also when the answer is lost."""
    paid_but(desk, gateway, FORGOTTEN)
    number = only_case(desk)
    if fault:
        spoil(desk, gateway, "refund", fault)

    assert act(clerk, decision(number, "give_back"), reason=REASON).status_code == 303
    desk.settle()
    clear(desk)
    later(desk, "10m")

    sent = [(one["amount"], one["status"]) for one in desk.sandbox.ledger()["refunds"]]
    assert sent == [("990.00", "succeeded")]
    rows = books.rows(desk.app, "SELECT amount, status, case_id, payment_id FROM refunds")
    assert [(str(row[0]), row[1], row[2], row[3]) for row in rows] == [("990.00", "succeeded", number, None)]
    assert "Деньги возвращены".lower() in clerk.get(f"/admin/cases/details/?id={number}").text.lower()
    assert not books.rows(desk.app, "SELECT 1 FROM purchased_plans")
    assert not books.rows(desk.app, "SELECT 1 FROM cases WHERE resolved_at IS NULL")


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_another_sum_is_accepted_by_an_owner(
    desk: Desk, clerk: Browser, owner: Browser, gateway: str
) -> None:
    """The gateway is asked once more; then the order is paid by what was captured, and that can go back."""
    paid_but(desk, gateway, "amount = 1000")
    number = only_case(desk)

    assert act(owner, decision(number, "accept"), reason=REASON).status_code == 303

    rows = books.rows(desk.app, "SELECT status, amount FROM payments")
    assert [tuple(map(str, row)) for row in rows] == [("succeeded", "990.00")]
    assert len(books.rows(desk.app, "SELECT 1 FROM purchased_plans WHERE revoked_at IS NULL")) == 1
    assert not books.disagreements(desk.app, desk.sandbox.ledger())


def test_two_people_decide_at_once(desk: Desk, clerk: Browser, owner: Browser) -> None:
    """One acts, the other is told that it is decided."""
    paid_but(desk, "cloudpayments", FORGOTTEN)
    number = only_case(desk)
    where = decision(number, "give_back")
    keys = [(who, form_key(who.get(where).text)) for who in (clerk, owner)]
    answers = at_once(*(lambda who=who, key=key: press(who, where, key, reason=REASON) for who, key in keys))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert "уже решён" in next(answer.text for answer in answers if answer.status_code == 409)
    desk.settle()
    assert len(desk.sandbox.ledger()["refunds"]) == 1
    late = clerk.get(where)
    assert late.status_code == 409


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_asking_settles_what_is_too_old(desk: Desk, clerk: Browser, gateway: str) -> None:
    """An outcome unknown for a day is asked about: paid there, it is paid here and no case any more."""
    order = desk.customer().order(gateway)
    desk.sandbox.control("settings", webhooks="drop")
    desk.sandbox.pay(gateway, order["transaction_id"])
    with desk.app.app_context():
        number = SCENES[CaseKind.UNKNOWN_TOO_OLD](clock.now()).case_id
    payment = books.rows(desk.app, "SELECT id FROM payments ORDER BY id")[0][0]
    spoil_case = f"UPDATE cases SET payment_id = {payment}, gateway_payment_id = NULL"  # noqa: S608 - a number
    with desk.app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql(spoil_case)
    answer = clerk.session.post(
        f"{clerk.base}/admin/cases/ask/?id={number}", data={"csrf_token": clerk.token()}
    )
    assert "случай решился сам" in answer.text
    row = books.rows(desk.app, "SELECT resolution, resolved_by FROM cases")[0]
    assert tuple(row) == ("itself", None)


def test_open_ones_stand_first_and_are_counted(desk: Desk, viewer: Browser, owner: Browser) -> None:
    """A decided case sinks below the open ones; the menu counts these alone, in one question a page."""
    with desk.app.app_context():
        first = SCENES[CaseKind.UNKNOWN_PAYMENT](clock.now()).case_id
        second = SCENES[CaseKind.UNREADABLE](clock.now()).case_id
    assert '<span class="rooms__count">2</span>' in viewer.get("/admin/payments/").text
    assert act(owner, decision(second, "close"), reason=REASON).status_code == 303
    page = viewer.get("/admin/cases/").text
    assert '<span class="rooms__count">1</span>' in page
    listed = [int(number) for number in re.findall(r"cases/details/\?id=(\d+)", page)]
    assert listed.index(first) < listed.index(second)


def test_roles_name_who_may(desk: Desk, clerk: Browser) -> None:
    """A clerk reads what only an owner may decide, without its button."""
    with desk.app.app_context():
        number = SCENES[CaseKind.AMOUNT_MISMATCH](clock.now()).case_id
    page = clerk.get(f"/admin/cases/details/?id={number}").text
    assert "choice=accept" not in page
    assert "Принять как оплату заказа может владелец" in page
    assert clerk.get(decision(number, "accept")).status_code == 403
    assert press(clerk, decision(number, "accept"), str(uuid.uuid4()), reason=REASON).status_code == 403

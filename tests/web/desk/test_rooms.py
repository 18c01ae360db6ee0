"""The operator's desk opens for operators only, and shows no secret."""

from __future__ import annotations

import ast
import re
from itertools import product
from pathlib import Path

import pytest

from portal.accounts import registration
from portal.admin.act_words import ACTS
from portal.admin.desk import ROOMS
from portal.billing import plans
from portal.clock import now
from portal.database import db
from portal.models import WebhookEvent
from tests.desk import Desk
from tests.shares import EVERY_ONE
from tests.stories import books

WATCHED = (
    "payments",
    "refunds",
    "purchased-plans",
    "subscriptions",
    "cases",
    "webhook-events",
    "plans",
    "users",
)


@pytest.fixture
def admin(desk: Desk) -> Desk:
    """A desk with the demo operator."""
    with desk.app.app_context():
        registration.ensure_demo(now())
    return desk


def test_an_operator_sees_what_was_paid_and_what_came_in(admin: Desk, recurring: None) -> None:
    """Lists and details open after a purchase; neither a password nor a card's token is on them."""
    ira = admin.customer()
    admin.sandbox.pay("cloudpayments", ira.order("cloudpayments", recurring=True)["transaction_id"])
    admin.settle()
    operator = admin.browser()
    assert operator.send("/login", email="admin@example.com", password="admin-password").ok

    for name in WATCHED:
        listed = operator.get(f"/admin/{name}/")
        assert listed.status_code == 200, name
        assert "argon2" not in listed.text
    for name in ("payments", "webhook-events", "users", "subscriptions"):
        shown = operator.get(
            f"/admin/{name}/details/", params={"id": _first_id(operator.get(f"/admin/{name}/").text)}
        )
        assert shown.status_code == 200, name
        assert "argon2" not in shown.text
        assert len(token := _token(admin)) > 20
        assert token not in shown.text


ODD = ("0", "-1", "x", "1,2", "", "9" * 30, "\x00", "1\ud800".encode("utf-8", "surrogatepass"), "１")


LISTS = ("payments", "users", "plans", "webhook-events")
WORDS = ("page", "page_size", "sort", "desc", "search")


@pytest.mark.parametrize("name", LISTS)
def test_odd_addresses_are_never_a_failure(admin: Desk, name: str) -> None:
    """A page, a row or a search that cannot be is the list, or nothing, and never an error of the server.

    Every list is read by the same words, so the lists take turns at what each of them may hold.
    """
    operator = admin.browser()
    assert operator.send("/login", email="admin@example.com", password="admin-password").ok

    mine = tuple(product(ODD, WORDS))
    for odd, word in mine if EVERY_ONE else mine[LISTS.index(name) :: len(LISTS)]:
        found = operator.get(f"/admin/{name}/", params={word: odd})
        assert found.status_code == 200, (word, odd)
    for odd, door in product(ODD, ("details", "edit")):
        found = operator.get(f"/admin/{name}/{door}/", params={"id": odd})
        assert found.status_code in {200, 404}, (door, odd)


def test_odd_filters_and_numbers_are_never_a_failure(admin: Desk) -> None:
    """Every list takes anything in all of its fields at once, and every act any number of a row."""
    operator = admin.browser()
    assert operator.send("/login", email="admin@example.com", password="admin-password").ok
    for _, _, name, room, _ in ROOMS:
        fields = set(re.findall(r'name="(flt0_[^"]+)"', operator.get(f"/admin/{name}/").text))
        assert fields or not room.column_filters, name
        for odd in ("\x00", "9" * 30, "9999-12-31", "0001-01-01"):
            found = operator.get(f"/admin/{name}/", params=dict.fromkeys(fields, odd))
            assert found.status_code == 200, (name, odd)
    acts = ("payments/refund", "payments/chargeback", "users/extend", "cases/decide", "notifications/resend")
    for act in acts:
        for odd in ("0", "9" * 30, "１"):
            found = operator.get(f"/admin/{act}/", params={"id": odd, "choice": "close"})
            assert found.status_code == 404, (act, odd)


def _token(desk: Desk) -> str:
    """What the gateway would charge, as its notification carried it."""
    (event,) = books.rows(desk.app, "SELECT id FROM webhook_events WHERE kind = 'pay'")
    with desk.app.app_context():
        raw = db.session.get_one(WebhookEvent, event.id).raw_payload.decode()
    return raw.partition("Token=")[2].partition("&")[0]


def _first_id(page: str) -> str:
    """The id of the first row that a list links to."""
    return page.partition("/details/?id=")[2].partition("&")[0].partition('"')[0]


def test_a_plan_s_code_can_be_ordered(admin: Desk) -> None:
    """A code that no address and no gateway could carry is not taken; another one is."""
    operator = admin.browser()
    assert operator.send("/login", email="admin@example.com", password="admin-password").ok
    terms = {"title": "Проба", "description": "", "price": "10.00", "discount": "0.00", "currency": "RUB"}
    terms |= {"period_days": "30", "email_quota": "1", "on_sale": "y", "position": "9"}

    for code in ("ПРОБА", "A B", "TRIAL_2"):
        operator.send("/admin/plans/new/", code=code, **terms)

    with admin.app.app_context():
        assert {plan.code for plan in plans.on_sale()} - {"TRIAL_2"} == {
            "START_MONTHLY",
            "PRO_MONTHLY",
            "BUSINESS_MONTHLY",
            "PRO_YEARLY",
            "BUSINESS_YEARLY",
        }
        assert plans.on_sale_by_code("TRIAL_2").title == "Проба"


def test_every_column_has_a_label() -> None:
    """No operator reads a name out of the program's tables."""
    for _, _, name, room, model in ROOMS:
        hidden = set(room.column_details_exclude_list or ())
        columns = {column.key for column in model.__table__.columns} - hidden
        assert not columns - set(room.column_labels), name


def test_every_act_has_its_words() -> None:
    """Whatever the code writes into the journal is read there in Russian."""
    written = set()
    for file in (Path(__file__).parents[3] / "portal").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in {"audit.note", "_act"}:
                named = call.args[1] if ast.unparse(call.func) == "audit.note" else call.args[0]
                written |= {one.value for one in ast.walk(named) if isinstance(one, ast.Constant)}
    assert len(written) > 25
    assert not written - set(ACTS)


def test_the_journal_speaks_to_people(admin: Desk) -> None:
    """What was done to what, and what it was before: with words and links, without a program's braces."""
    operator = admin.browser()
    assert operator.send("/login", email="admin@example.com", password="admin-password").ok
    form = {"first_gateway": "yookassa", "lead_to_gateway": ""}
    assert operator.send("/admin/settings/offer", **form).ok
    page = operator.get("/admin/audit/").text
    assert "изменил настройку" in page
    assert "«Какой шлюз первым»" in page
    assert "{" not in page.partition("<tbody>")[2]
    rows = operator.get("/admin/audit/?flt0_act=role").text.partition("<tbody>")[2]
    assert "изменил настройку" not in rows

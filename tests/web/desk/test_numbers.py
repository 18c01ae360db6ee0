"""Statistics and the register: the page, its tables as files, and the rows that each number leads to."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import func, select, update

from dev.bench import payments as bench
from portal import clock, spreadsheets
from portal.billing import figure_reading, figures
from portal.database import db, transaction
from portal.models import Payment, PaymentStatus, Refund
from tests.billing import rows
from tests.desk import Browser, Desk
from tests.shares import pairs
from tests.test_spreadsheets import begins_a_formula, read
from tests.web.desk.test_exports import HOSTILE

NUMBERS = ("/admin/statistics/money.csv", "/admin/statistics/customers.csv", "/admin/register/register.csv")
SHEETS = ("money", "success", "orders", "refusals", "plans", "renewals", "customers", "gateways", "states")


@pytest.fixture
def past(desk: Desk, database_url: str) -> Desk:
    """A shop of two years; no day is added up yet."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        bench.fill(connection, 700, clock.now())
    return desk


@pytest.fixture
def shop(past: Desk) -> Desk:
    """The same, most of its days added up."""
    with past.app.app_context():
        figures.close_all(clock.now())
    return past


def lines(browser: Browser, path: str, **asked: str) -> list[list[str]]:
    """A file's lines below its head."""
    answer = browser.get(path, params=asked)
    assert answer.status_code == 200, path
    text = answer.content.decode()
    assert text.startswith(spreadsheets.MARK)
    return read(text.removeprefix(spreadsheets.MARK))[1:]


def number(cell: str) -> Decimal:
    """An amount out of a file."""
    return Decimal(cell.replace(",", "."))


def live(desk: Desk) -> None:
    """Let the shop's money have been real."""
    with desk.app.app_context(), transaction() as session:
        session.execute(update(Payment).values(test_mode=False))


def test_every_table_is_on_the_page_and_a_file(shop: Desk, viewer: Browser) -> None:
    """Numbers, definitions, charts and a file for each table; odd questions are answered with an even one."""
    page = viewer.get("/admin/statistics/").text
    assert page.count('<svg class="chart__drawing"') == 2
    assert "style=" not in page.partition("<main")[2].partition("</main")[0]
    for key in SHEETS:
        assert f"/admin/statistics/{key}.csv" in page
        for decimal in ("comma", "point"):
            assert lines(viewer, f"/admin/statistics/{key}.csv", period="year", decimal=decimal), key
    assert viewer.get("/admin/statistics/nothing.csv").status_code == 404
    odd, names = ("x", "", "9999-99-99", "0001-01-01", "9999-12-31", "1\x00"), ("since", "until", "period")
    for value, name in (*pairs(odd, names), *pairs(odd, ("gateway", "mode", "kind"))):
        assert viewer.get("/admin/statistics/", params={name: value}).status_code == 200, (name, value)
        assert viewer.get("/admin/register/", params={name: value}).status_code == 200, (name, value)


def test_a_number_leads_to_its_rows(shop: Desk, viewer: Browser) -> None:
    """Each count that is a link opens a list of so many rows."""
    page = viewer.get("/admin/statistics/", params={"period": "year"}).text
    links = re.findall(r'<a href="(/admin/(?:payments|refunds)/\?[^"]+)">([\d\xa0]+)</a>', page)
    assert len(links) > 25
    for href, count in links:
        path = html.unescape(href).replace("/?", "/export/csv/?")
        assert len(lines(viewer, path)) == int(count.replace("\xa0", "")), href


def test_the_files_add_up_to_the_ledger(past: Desk, viewer: Browser) -> None:
    """The statistics' and the register's sums are those of the payments and refunds themselves."""
    live(past)
    asked = {"since": "2020-01-01", "kind": "live"}
    with past.app.app_context():
        paid = select(func.count(), func.sum(Payment.amount)).where(Payment.status == PaymentStatus.SUCCEEDED)
        ledger = db.session.execute(paid).one()
        fees = select(func.sum(Payment.fee), func.count().filter(Payment.fee.is_(None)))
        fee, unknown = db.session.execute(fees.where(Payment.status == PaymentStatus.SUCCEEDED)).one()
        back = db.session.execute(select(func.count(), func.sum(Refund.amount))).one()
    assert fee > 0
    assert unknown > 0
    for path, first in (
        ("/admin/statistics/money.csv", 1),
        ("/admin/statistics/gateways.csv", 1),
        ("/admin/register/register.csv", 2),
        ("/admin/register/register-gateways.csv", 1),
    ):
        found = lines(viewer, path, **asked)
        sums = [sum(number(line[first + place] or "0") for line in found) for place in range(7)]
        assert sums == [*ledger, *back, fee, unknown, ledger[1] - back[1] - fee], path
    assert viewer.get("/admin/register/nothing.csv").status_code == 404


def test_what_is_not_known_of_fees_is_said(desk: Desk, viewer: Browser) -> None:
    """A payment whose fee nobody has told is counted and leads to its row; what is left of it is not claimed.
    Learned later, of a day that was added up, the fee stands there at once.
    """
    with desk.app.app_context():
        moment = clock.now() - timedelta(days=2)
        payment = rows.in_status(
            rows.a_customer(moment), moment, PaymentStatus.SUCCEEDED, gateway=rows.YOOKASSA, theirs="1"
        )
        with transaction() as session:
            changes: dict[str, object] = {"test_mode": False, "purpose": "live_check", "next_check_at": None}
            session.execute(update(Payment).values(changes))
        figures.close_all(clock.now())
        day = f"{figures.calendar().day(moment):%d.%m.%Y}"
    begun = [day, "ЮKassa", "1", "990,00", "0", "0,00"]
    for page in ("/admin/register/", "/admin/statistics/?kind=live"):
        said = viewer.get(page).text
        assert "≤\xa0990,00" in said, page
        ways = set(re.findall(r'href="(/admin/payments/[^"]*flt0_fee=0[^"]*)"', said))
        assert ways, page
        for way in ways:
            assert len(lines(viewer, html.unescape(way).replace("/?", "/export/csv/?"))) == 1, way
    assert lines(viewer, "/admin/register/register.csv") == [[*begun, "", "1", "990,00"]]

    with desk.app.app_context(), transaction() as session:
        session.execute(update(Payment).where(Payment.id == payment.id).values(fee=Decimal("34.65")))
    assert "≤\xa0" not in viewer.get("/admin/register/").text
    assert lines(viewer, "/admin/register/register.csv") == [[*begun, "34,65", "0", "955,35"]]


def test_a_page_says_which_days_it_leaves_out(
    past: Desk, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a long past waits to be added up the page comes with what it can count, and says so; what stands
    on all of the past has no number; a file is whole.
    """
    live(past)
    asked = {"period": "year", "kind": "live"}
    whole = {path: lines(viewer, path, **asked) for path in NUMBERS}
    monkeypatch.setattr(figure_reading, "MOST_ROWS", 20)
    monkeypatch.setattr(figure_reading, "MOST_RUNNING", 1)
    for page in ("/admin/statistics/", "/admin/register/"):
        assert "Числа ещё не полные" in viewer.get(page, params=asked).text
    assert {path: lines(viewer, path, **asked) for path in NUMBERS} == whole
    tile = viewer.get("/admin/statistics/", params=asked).text.partition("Действует тарифов")[2]
    assert re.search(r"tile__value\">\s*—\s*<", tile)
    with past.app.app_context():
        figures.close_all(clock.now())
    for page in ("/admin/statistics/", "/admin/register/"):
        assert "Числа ещё не полные" not in viewer.get(page, params=asked).text
    assert {path: lines(viewer, path, **asked) for path in NUMBERS} == whole


def test_play_money_is_never_in_the_register(past: Desk, viewer: Browser) -> None:
    """Whatever the address asks for."""
    assert lines(viewer, "/admin/register/register.csv", since="2020-01-01", kind="test") == []
    assert "Тестовые платежи сюда не входят" in viewer.get("/admin/register/").text


def test_the_day_that_runs_is_counted(desk: Desk, viewer: Browser) -> None:
    """What was paid a moment ago stands on the page; nothing has to be added up first."""
    ira = desk.customer()
    desk.sandbox.pay("yookassa", ira.order("yookassa")["transaction_id"], card="4111111111111111")
    desk.settle()
    assert lines(viewer, "/admin/statistics/money.csv", period="today") == [
        [f"{_today(desk):%d.%m.%Y}", "1", "990,00", "0", "0,00", "42,27", "0", "947,73"]
    ]
    assert lines(viewer, "/admin/statistics/plans.csv", period="today") == [
        ["PRO_MONTHLY", "1", "100,0", "990,00", "1", "990,00"]
    ]


def test_a_refusal_and_then_another_card(desk: Desk, viewer: Browser) -> None:
    """An order that a bank refused once and that was paid after all is paid, but not at the first try."""
    ira = desk.customer()
    order = ira.order("cloudpayments")["transaction_id"]
    desk.sandbox.pay("cloudpayments", order, card="4444444444444444")
    desk.settle()
    bought = lines(viewer, "/admin/statistics/orders.csv", period="today")[0]
    assert bought == ["покупка", "1", "0", "0", "1", "0", "0", "0,0", "0,0"]
    assert lines(viewer, "/admin/statistics/refusals.csv", period="today")[0][:4] == [
        "1",
        "100,0",
        "CloudPayments",
        "5051",
    ]
    desk.sandbox.pay("cloudpayments", order, card="4111111111111111")
    desk.settle()
    bought = lines(viewer, "/admin/statistics/orders.csv", period="today")[0]
    assert bought == ["покупка", "1", "0", "1", "0", "0", "0", "0,0", "100,0"]
    assert lines(viewer, "/admin/statistics/refusals.csv", period="today") == []


def test_no_cell_of_a_table_begins_a_formula(desk: Desk, viewer: Browser) -> None:
    """A plan or a code that a gateway made up is text in the file."""
    with desk.app.app_context():
        user = rows.a_customer(clock.now())
        for word in HOSTILE:
            for status in (PaymentStatus.SUCCEEDED, PaymentStatus.FAILED):
                one = rows.in_status(
                    user, clock.now(), status, gateway=rows.CLOUDPAYMENTS, theirs=str(next(rows.numbers))
                )
                with transaction() as session:
                    change = update(Payment).where(Payment.id == one.id)
                    session.execute(change.values(plan_code=word, failure_code=word, purpose="live_check"))
                    session.execute(change.values(next_check_at=None))
                    if status is PaymentStatus.FAILED:
                        session.execute(change.values(purpose="purchase"))
    for key in SHEETS:
        found = lines(viewer, f"/admin/statistics/{key}.csv", period="today")
        assert not [cell for line in found for cell in line if begins_a_formula(cell)], key
    assert any("cmd" in cell for line in lines(viewer, "/admin/statistics/refusals.csv") for cell in line)


def _today(desk: Desk) -> object:
    with desk.app.app_context():
        return figures.calendar().day(clock.now())

"""Reconciliation at the desk: asked for, read, followed to its rows, taken away as a file."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import clock
from portal.billing import audit
from portal.billing.audit import Subject
from tests.desk import Browser, Desk
from tests.stories import books

ROOM = "/admin/reconciliation/"


@pytest.fixture
def unheard(desk: Desk) -> None:
    """A payment at each gateway of which we were never told."""
    desk.sandbox.control("settings", webhooks="drop")
    for gateway in ("cloudpayments", "yookassa"):
        order = desk.customer(f"{gateway}@example.com").order(gateway)["transaction_id"]
        desk.sandbox.pay(gateway, order, "5555555555554444")
    clock.set_to(clock.now() + timedelta(seconds=2))


def today() -> str:
    return f"{clock.now() + timedelta(hours=3):%Y-%m-%d}"  # Moscow


def test_a_clerk_compares_and_reads_what_was_found(desk: Desk, clerk: Browser, unheard: None) -> None:
    """Ordered in the background, and in the audit; the page has each day's totals and each line's way on."""
    ordered = clerk.send(ROOM, since=today())
    assert "идёт" in ordered.text
    number = ordered.url.rpartition("/")[2]
    desk.work()

    page = clerk.get(ROOM + number).text
    assert page.count("оплачен там, не у нас") == 2
    assert page.count("исправлено") == 2
    assert page.count("сходится") == 2
    assert "990,00 (1)" in page
    (fee,) = books.rows(desk.app, "SELECT sum(fee) AS paid FROM payments")
    (kept,) = books.rows(desk.app, "SELECT sum(fee_sum) AS paid FROM reconciliation_days")
    assert fee.paid == kept.paid > 0
    listed = clerk.get(ROOM).text
    assert "1 980,00" in listed.replace("\N{NO-BREAK SPACE}", " ")
    assert "сходится" in listed
    with desk.app.app_context():
        (entry,) = audit.of(Subject("reconciliation", number))
    assert (entry.act, entry.actor) == ("reconciliation-ordered", "support@example.com")


def test_lines_and_days_are_files(desk: Desk, clerk: Browser, unheard: None) -> None:
    """Narrowed to the run, with a decimal comma."""
    number = clerk.send(ROOM, since=today()).url.rpartition("/")[2]
    desk.work()
    lines = clerk.get("/admin/reconciliation-lines/export/csv/", params={"flt0_run": number})
    assert lines.ok
    assert lines.text.count("оплачен там") == 2
    assert "990,00" in lines.text
    none = clerk.get("/admin/reconciliation-lines/export/csv/", params={"flt0_run": number + "9"})
    assert "оплачен там" not in none.text
    days = clerk.get("/admin/reconciliation-days/export/csv/", params={"flt0_run": number})
    assert days.text.count("990,00") >= 4


def test_what_cannot_be_meant_is_said(desk: Desk, clerk: Browser, viewer: Browser) -> None:
    """No day, a day to come, a run that is none; a viewer reads and orders nothing."""
    assert "Выберите день" in clerk.send(ROOM, since="soon").text
    assert "Выберите день" in clerk.send(ROOM, since="2999-01-01").text
    assert clerk.get(ROOM + "777777").status_code == 404
    assert clerk.get(f"{ROOM}{2**70}").status_code == 404
    assert viewer.get(ROOM).status_code == 200
    assert "Сверить сейчас" not in viewer.get(ROOM).text
    assert viewer.send(ROOM, since=today()).status_code == 403
    assert books.count(desk.app, "reconciliation_runs") == 0
    assert "Строки сверок" not in viewer.get(ROOM).text  # reached from a run, not from the menu

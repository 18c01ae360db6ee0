"""Every list of the desk as a file: all that fits, nothing secret, nothing that a spreadsheet calculates."""

from __future__ import annotations

import gc
import tracemalloc
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from portal import clock, spreadsheets
from portal.admin import exports
from portal.admin.desk import ROOMS
from portal.billing import audit
from portal.database import db, transaction
from portal.models import GatewayName, Payment
from tests.billing import rows
from tests.desk import Browser, Desk
from tests.stories import books
from tests.test_spreadsheets import begins_a_formula, read

SECRETS = {
    "password_hash",
    "totp_secret",
    "totp_last_step",
    "token",
    "fingerprint",
    "raw_payload",
    "key",
    "key_hash",
    "confirmation_url",
    "secret",
}
HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "a;b\n=c",
    '"=1"',
    "честный текст",
)


def table(browser: Browser, path: str, **asked: str) -> list[dict[str, str]]:
    """A file of the desk, line by line."""
    answer = browser.get(path, params=asked)
    assert answer.status_code == 200, path
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    text = answer.content.decode()
    assert text.startswith(spreadsheets.MARK)
    head, *lines = read(text.removeprefix(spreadsheets.MARK))
    assert len(set(head)) == len(head), "two columns of one name"
    return [dict(zip(head, line, strict=True)) for line in lines]


def some_payments(desk: Desk, count: int = 1) -> None:
    """Payments of one customer whose texts are hostile; every second at YooKassa."""
    with desk.app.app_context():
        now = clock.now()
        user = rows.a_customer(now)
        for number in range(count):
            for place, text in enumerate(HOSTILE):
                rows.a_payment(
                    user,
                    now,
                    gateway=list(GatewayName)[(number + place) % 2],
                    plan_title=text,
                    description=text,
                    amount=Decimal("990.37") + place,
                    superseded_at=now,
                )


def test_every_list_is_a_file_without_secrets(owner: Browser, desk: Desk) -> None:
    """Each list can be taken away by whoever may see it; what is sealed or signs in is in none of them."""
    ira = desk.customer()
    desk.sandbox.pay("cloudpayments", ira.order("cloudpayments")["transaction_id"])
    desk.settle()
    for _, _, url, _, model in ROOMS:
        lines = table(owner, f"/admin/{url}/export/csv/")
        listed = owner.get(f"/admin/{url}/")
        assert f"/admin/{url}/export/csv/?" in listed.text, url
        with desk.app.app_context():
            assert len(lines) == db.session.scalar(select(func.count()).select_from(model)), url
            view = next(one for one in desk.app.extensions["admin"][0]._views if one.url == f"/admin/{url}")
            assert not {name for name, _ in view.export_columns()} & SECRETS, url
        assert not any("argon2" in cell for line in lines for cell in line.values())


@pytest.mark.parametrize("decimal", ("comma", "point"))
def test_a_file_calculates_nothing_and_adds_up(viewer: Browser, desk: Desk, decimal: str) -> None:
    """No cell begins a formula, whatever customers and gateways write; the sums are the ledger's."""
    some_payments(desk)
    lines = table(viewer, "/admin/payments/export/csv/", decimal=decimal)
    assert not [cell for line in lines for cell in line.values() if begins_a_formula(cell)]
    assert "'=cmd|' /C calc'!A0" in {cell for line in lines for cell in line.values()}
    amounts = [line["Сумма"] for line in lines]
    assert ("," in amounts[0]) == (decimal == "comma")
    with desk.app.app_context():
        ledger = db.session.scalar(select(func.sum(Payment.amount)))
    assert sum(Decimal(amount.replace(",", ".")) for amount in amounts) == ledger


def test_filters_hold_and_pages_do_not(viewer: Browser, desk: Desk) -> None:
    """The file holds what the list was narrowed to, all of it, whichever page was open, in its order."""
    some_payments(desk, 14)
    asked = {"flt0_gateway": "yookassa", "page": "1", "sort": "4"}
    lines = table(viewer, "/admin/payments/export/csv/", **asked)
    with desk.app.app_context():
        fitting = db.session.scalar(
            select(func.count()).select_from(Payment).where(Payment.gateway == GatewayName.YOOKASSA)
        )
    assert len(lines) == fitting == 63
    assert {line["Шлюз"] for line in lines} == {"ЮKassa"}
    amounts = [Decimal(line["Сумма"].replace(",", ".")) for line in lines]
    assert amounts == sorted(amounts)
    page = viewer.get("/admin/payments/", params=asked).text
    assert "flt0_gateway=yookassa" in page
    assert viewer.get("/admin/payments/export/xlsx/").status_code == 404


def test_a_long_file_needs_no_memory(
    app: Flask, desk: Desk, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six times the rows need nothing like six times the memory: they are read and sent a few at a time."""
    monkeypatch.setattr(exports, "AT_A_TIME", 100)
    first = _peak(viewer, desk, 200)
    assert _peak(viewer, desk, 1200) < first * 3


def _peak(viewer: Browser, desk: Desk, count: int) -> int:
    """The most that the portal held while it sent a list of *count* payments."""
    with desk.app.app_context():
        now = clock.now()
        payment = rows.a_payment(rows.a_customer(now), now, superseded_at=now)
        names = [column.name for column in Payment.__table__.columns if column.name != "id"]
        values = ["gen_random_uuid()::text" if name == "transaction_id" else name for name in names]
        more = (
            f"INSERT INTO payments ({', '.join(names)}) SELECT {', '.join(values)} FROM payments,"  # noqa: S608 - names of ours
            " generate_series(1, :count) WHERE id = :copied"
        )
        with transaction() as session:
            session.execute(text(more), {"count": count, "copied": payment.id})
        db.session.remove()
    client = desk.app.test_client()
    for cookie in viewer.session.cookies:
        client.set_cookie(cookie.name, str(cookie.value))
    gc.collect()
    tracemalloc.start()
    answer = client.get("/admin/payments/export/csv/", buffered=False)
    lines = sum(part.count(b"\n") for part in answer.iter_encoded())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    answer.close()
    assert lines > count
    return peak


def test_who_takes_a_list_away_is_written_down(desk: Desk, viewer: Browser) -> None:
    """Which list, how narrowed, by whom: customers' data leaves the desk by it."""
    table(viewer, "/admin/users/export/csv/", flt0_email="ira")
    asked = "SELECT actor, subject_id, after FROM audit_entries WHERE act = 'export'"
    (entry,) = books.rows(desk.app, asked)
    assert tuple(entry) == ("viewer@example.com", "Люди", {"email": "ira"})


def test_the_journal_s_file_tells_what_was_acted_upon(owner: Browser, desk: Desk) -> None:
    """The page says it in one link; a file has no links, so the number stands beside the kind."""
    with desk.app.app_context(), transaction():
        audit.note(audit.COMMAND_LINE, "setting", audit.Subject("setting", "grace_days"), clock.now())

    lines = table(owner, "/admin/audit/export/csv/")

    assert [line["Номер"] for line in lines if line["Над чем"] == "setting"] == ["grace_days"]

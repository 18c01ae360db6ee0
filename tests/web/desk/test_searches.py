"""Whatever the lists of money are narrowed by, the database reads little more than it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import event, text

from dev.bench import payments as bench
from portal import clock
from portal.database import db
from tests.desk import Browser, Desk

#: Far fewer than there are, and more than two pages.
FEW = 700
SEARCHES = {
    "payments": (
        {"id": "no-such-number"},
        {"customer": "payer-7@example.com"},
        {"last4": "0007"},
        {"last4": "9999"},
        {"status": "unknown"},
        {"purpose": "binding"},
        {"plan": "NO-SUCH-PLAN"},
        {"reason": "no-such-code"},
        {"reason": "5051", "gateway": "yookassa"},
        {"since": "{early}", "until": "{early}"},
        {"paid-since": "{early}", "paid-until": "{early}", "status": "succeeded", "fee": "0"},
        {"until": "{early}"},
    ),
    "refunds": ({"id": "no-such-number"}, {"done-since": "{early}", "done-until": "{early}"}),
    "purchased-plans": (
        {"because": "refunded"},
        {"ends-until": "{early}"},
        {"customer": "payer-7@example.com"},
    ),
    "methods": ({"last4": "0007"},),
}


@contextmanager
def selects(table: str) -> Iterator[list[tuple[str, Any]]]:
    """What is read of a table's rows inside this block."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if f"FROM {table}" in statement and "LIMIT" in statement:
            asked.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", note)
    yield asked
    event.remove(db.engine, "before_cursor_execute", note)


def read(plan: dict[str, Any]) -> int:
    """Rows that the largest step of a plan looked at."""
    rows = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return max([int(rows), *(read(part) for part in plan.get("Plans", []))])


def test_no_search_walks_past_what_it_does_not_show(desk: Desk, viewer: Browser, database_url: str) -> None:
    """By a card, an id, a reason, a state, days long ago, whether there are such rows or not."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        bench.fill(connection, 9000, clock.now())
    early = f"{clock.now():%Y}"
    early = f"{int(early) - 1}-{clock.now():%m}-01"
    tables = {"purchased-plans": "purchased_plans", "methods": "payment_methods"}
    walked = []
    with desk.app.app_context():
        for room, searches in SEARCHES.items():
            for search in searches:
                with selects(tables.get(room, room)) as asked:
                    args = {f"flt0_{key}": value.format(early=early) for key, value in search.items()}
                    assert viewer.get(f"/admin/{room}/", params=args).status_code == 200
                ((statement, values),) = asked
                with db.engine.connect() as connection:
                    told = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
                    plan = told.scalar_one()[0]["Plan"]
                if read(plan) > FEW:
                    walked.append((room, search, read(plan)))
    assert walked == []


PARTS = (
    ("users", {"email": "olga-77"}),
    ("users", {"email": "NOBODY@"}),
    ("payments", {"customer": "olga-77"}),
    ("subscriptions", {"customer": "no-such-name"}),
)


def test_a_part_of_an_address_finds_without_reading_all_of_them(desk: Desk, viewer: Browser) -> None:
    """Among six thousand customers; in either case, whether there is such a one or not."""
    people = """INSERT INTO users (public_id, email, password_hash, is_demo, created_at)
        SELECT gen_random_uuid()::text, 'olga-' || n || '@example.com', '', false, now()
        FROM generate_series(1, 6000) AS n"""
    with desk.app.app_context(), db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as held:
        held.execute(text(people))
        held.execute(text("VACUUM ANALYZE users"))
        for room, search in PARTS:
            with selects(room) as asked:
                args = {f"flt0_{key}": value for key, value in search.items()}
                assert viewer.get(f"/admin/{room}/", params=args).status_code == 200
            ((statement, values),) = asked
            told = held.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
            assert read(told.scalar_one()[0]["Plan"]) < FEW, (room, search)
    found = viewer.get("/admin/users/", params={"flt0_email": "OLGA-5999"}).text
    assert "olga-5999@example.com" in found


def test_the_last_four_find_either_place(desk: Desk, viewer: Browser, database_url: str) -> None:
    """The card that a payment was paid with, and the saved one that it charged."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        bench.fill(connection, 100, clock.now())
    changes = (
        "UPDATE payments SET method_title = NULL WHERE id % 2 = 0",
        "UPDATE payment_methods SET last4 = '0001'",
    )
    with desk.app.app_context(), db.engine.begin() as connection:
        for change in changes:
            connection.execute(text(change))
        shown = "SELECT count(*) FROM payments WHERE {} "
        titled = connection.execute(text(shown.format("method_title LIKE '% 0002'"))).scalar_one()
        charged = connection.execute(text(shown.format("payment_method_id IS NOT NULL"))).scalar_one()
        first = connection.execute(
            text(shown.format("payment_method_id IS NULL AND method_title LIKE '% 0001'"))
        ).scalar_one()
    for last4, expected in (("0002", titled), ("0001", charged + first), ("9999", 0)):
        found = viewer.get("/admin/payments/export/csv/", params={"flt0_last4": last4}).text
        assert len(found.splitlines()) - 1 == expected, last4

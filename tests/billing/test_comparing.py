"""What a comparison of a gateway's day with ours finds, both ways, and what it does about each difference."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from portal import clock
from portal.billing import comparing_runs, due, lookback, reconciliation
from portal.billing.audit import Actor
from portal.database import db
from portal.errors import InvalidRequest
from portal.models import ReconciliationRun
from tests.desk import Desk
from tests.stories import books

GATEWAYS = ("cloudpayments", "yookassa")
BOSS = Actor(None, "boss@example.com")
LINES = "SELECT what, remedy, there_amount, here_amount, note FROM reconciliation_lines ORDER BY id"


@pytest.fixture(params=GATEWAYS)
def paid(request: pytest.FixtureRequest, desk: Desk) -> str:
    """A payment that both sides know of; the gateway's name."""
    gateway = str(request.param)
    desk.sandbox.pay(gateway, desk.customer().order(gateway)["transaction_id"], "5555555555554444")
    desk.settle()
    return gateway


def compare(desk: Desk) -> reconciliation.Report:
    """Today's lists beside ours, a moment after all that happened."""
    report = reconciliation.Report()
    with desk.app.app_context():
        clock.set_to(clock.now() + timedelta(seconds=2))
        reconciliation._compare_lists(report, clock.now(), clock.now())
    return report


def change(desk: Desk, statement: str, **values: str) -> None:
    with desk.app.app_context(), db.engine.begin() as connection:
        connection.execute(db.text(statement), values)


def lines(desk: Desk) -> list[tuple[str, ...]]:
    return [tuple(str(cell) for cell in row) for row in books.rows(desk.app, LINES)]


def drifts(desk: Desk) -> list[Any]:
    return books.rows(desk.app, "SELECT amount, facts FROM cases WHERE kind = 'drift' ORDER BY id")


def test_equal_books_are_no_news(desk: Desk, paid: str) -> None:
    """Nothing differs; the payment is marked as seen, with its fee, and is not asked about again."""
    report = compare(desk)
    assert (report.listed, report.moved, report.cases, lines(desk)) == (1, 0, 0, [])
    (row,) = books.rows(desk.app, "SELECT fee, listed_at FROM payments")
    assert row.listed_at
    assert row.fee is not None
    assert row.fee >= 0


def test_another_sum_is_a_case(desk: Desk, paid: str) -> None:
    """Both sides have the payment, in different sums: nobody but a person may touch that; once."""
    change(desk, "UPDATE payments SET amount = 980")
    for _ in range(2):
        compare(desk)
    assert lines(desk) == [("amount", "case", "990.00", "980.00", "RUB")] * 2
    (case,) = drifts(desk)
    assert (case.facts["there"], case.facts["here"]) == ("990.00", "980.00")
    days = books.rows(desk.app, "SELECT there_sum, here_sum FROM reconciliation_days WHERE there_count > 0")
    assert {(str(day.there_sum), str(day.here_sum)) for day in days} == {("990.00", "980.00")}
    change(desk, "UPDATE payments SET amount = 990")


def test_paid_here_and_unknown_there_is_a_case(desk: Desk, paid: str) -> None:
    """In no list, and the gateway, asked about it by itself, does not know it."""
    other = {"cloudpayments": "99999999", "yookassa": "22e18a2f-000f-5000-a000-1db6312b7767"}[paid]
    change(desk, "UPDATE payments SET gateway_payment_id = :other", other=other)
    report = compare(desk)
    assert ("paid_here", "case", "None", "990.00", "not there") in lines(desk)
    assert report.cases >= 1
    assert any(case.facts["what"] == "paid_here" for case in drifts(desk))


def test_refunded_here_and_unknown_there_is_a_case(desk: Desk, paid: str) -> None:
    """A refund that we booked and the gateway never made."""
    other = {"cloudpayments": "99999999", "yookassa": "22e18a2f-000f-5000-a000-1db6312b7767"}[paid]
    theirs = books.rows(desk.app, "SELECT gateway_payment_id FROM payments")[0][0]
    desk.sandbox.control("refund", gateway=paid, payment_id=theirs, amount="100.00")
    desk.settle()
    change(desk, "UPDATE refunds SET gateway_refund_id = :other", other=other)
    compare(desk)
    found = lines(desk)
    assert ("refunded_here", "case", "None", "100.00", "not there") in found


def test_a_refund_in_the_cabinet_is_booked(desk: Desk, paid: str) -> None:
    """Refunded there and not here: booked like any other news, the customer told."""
    desk.sandbox.control("settings", webhooks="drop")
    theirs = books.rows(desk.app, "SELECT gateway_payment_id FROM payments")[0][0]
    desk.sandbox.control("refund", gateway=paid, payment_id=theirs, amount="100.00")
    report = compare(desk)
    assert (report.moved, lines(desk)) == (1, [("refunded_there", "healed", "100.00", "None", "")])
    assert str(books.rows(desk.app, "SELECT refunded_amount FROM payments")[0][0]) == "100.00"
    assert compare(desk).moved == 0


def test_another_fee_is_put_right(desk: Desk, paid: str) -> None:
    """The gateway's word about its own fee counts; the report says what it was."""
    change(desk, "UPDATE payments SET fee = 1.23")
    compare(desk)
    ((what, remedy, _, here, _),) = lines(desk)
    assert (what, remedy, here) == ("fee", "healed", "1.23")
    assert books.rows(desk.app, "SELECT fee FROM payments")[0][0] != 1.23


def test_a_list_that_cannot_be_had_is_tried_again(desk: Desk, paid: str) -> None:
    """The day says why; later the run goes on with it, and does not begin the others anew."""
    desk.sandbox.control("faults", gateway=paid, operation="*", fault="http_500", times=1)
    with desk.app.app_context():
        today = clock.now().date()
        number = comparing_runs.order(BOSS, today - timedelta(days=1), clock.now())
    desk.work()
    (failed,) = books.rows(
        desk.app, "SELECT attempts, error FROM reconciliation_days WHERE compared_at IS NULL"
    )
    assert failed.attempts == 1
    assert failed.error
    with desk.app.app_context():
        assert db.session.get_one(ReconciliationRun, number).finished_at is None
        clock.set_to(clock.now() + comparing_runs.LATER)
        assert comparing_runs.hand_out(clock.now()) == 1
    desk.work()
    days = books.rows(desk.app, "SELECT attempts, compared_at FROM reconciliation_days")
    assert sorted(day.attempts for day in days)[-2:] == [1, 2]
    assert all(day.compared_at for day in days)
    assert books.rows(desk.app, "SELECT finished_at FROM reconciliation_runs")[0][0]


def test_two_workers_are_one(desk: Desk) -> None:
    """A run that somebody is at work on is not begun by another."""
    with desk.app.app_context():
        number = comparing_runs.order(BOSS, clock.now().date(), clock.now())
        assert comparing_runs._claim(number, clock.now())
        assert not comparing_runs.carry_on(number)
        assert comparing_runs._claim(number, clock.now() + comparing_runs.LEASE)


def test_once_a_day_in_the_morning(desk: Desk) -> None:
    """The first time only sets the mark; then a run each morning, of the days that are over."""
    with desk.app.app_context():
        start = clock.now().replace(hour=1, minute=0) + timedelta(days=1)  # 04:00 in Moscow

        def order_after(hours: int) -> int | None:
            now = start + timedelta(hours=hours)
            return comparing_runs.order_daily(now, due.due(now).marks)

        assert order_after(0) is None
        assert order_after(20) is None
        assert order_after(22) is None  # midnight is past, 04:00 is not
        run_id = order_after(24)
        assert run_id is not None
        assert order_after(25) is None
        days = {day.day for day in comparing_runs.pending(run_id)}
    today = (start + timedelta(hours=24)).date()
    assert days == {today - timedelta(days=back) for back in (1, 2, 3)}


def test_a_stretch_that_cannot_be_is_refused(desk: Desk) -> None:
    """Neither tomorrow nor years ago."""
    with desk.app.app_context():
        for days in (-2, 400):
            with pytest.raises(InvalidRequest):
                comparing_runs.order(BOSS, clock.now().date() - timedelta(days=days), clock.now())


def test_a_list_is_read_a_hundred_at_a_time() -> None:
    """However long a day is, no more of it is in memory."""
    pages = lookback.batched(iter(range(250)))
    assert [len(page) for page in pages] == [100, 100, 50]

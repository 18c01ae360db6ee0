"""A week in which no notification arrives: purchases, renewals, declines, refunds in the cabinet.

The ledgers end equal, by the sweep that asks about every open payment, and by the gateways' lists alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from portal import clock
from portal.billing import comparing_runs, lookback, reconciliation, sweep
from portal.models import GatewayName
from tests.desk import Desk
from tests.stories import books

GATEWAYS = ("cloudpayments", "yookassa")
GOOD, POOR = "5555555555554444", "4444444444444444"


def spend(desk: Desk, day: int) -> None:
    """One day at both tills: a sale, a refusal that is paid with another card, and a refusal that stays."""
    for gateway in GATEWAYS:
        for name, cards in (("anna", [GOOD]), ("boris", [POOR, GOOD]), ("vera", [POOR])):
            who = desk.customer(f"{name}-{day}-{gateway}@example.com")
            plan = ("PRO_MONTHLY", "START_MONTHLY")[day % 2]
            order = who.order(gateway, plan, recurring=True)["transaction_id"]
            for card in cards if gateway == "cloudpayments" else cards[-1:]:
                desk.sandbox.pay(gateway, order, card)


def give_back(desk: Desk, share: Callable[[Decimal], Decimal]) -> None:
    """Refunds made in each gateway's own cabinet, of the payment that was captured last."""
    for gateway in GATEWAYS:
        paid = [
            p for p in desk.sandbox.ledger()["payments"] if p["gateway"] == gateway and Decimal(p["captured"])
        ]
        amount = share(Decimal(paid[-1]["captured"]))
        desk.sandbox.control("refund", gateway=gateway, payment_id=paid[-1]["id"], amount=str(amount))


def travel(desk: Desk, step: timedelta) -> None:
    """Both sides' time goes on; the portal does what falls due in its end."""
    moment = clock.now() + step
    desk.sandbox.world.clock.move_to(moment)
    desk.sandbox.world.run_due()
    clock.set_to(moment)
    with desk.app.app_context():
        sweep.sweep_until_quiet(clock.now(), without_workers=True)


def balance(desk: Desk) -> list[str]:
    """Both sides, printed, and where they differ."""
    ledger = desk.sandbox.ledger()
    theirs, (ours, _) = books.of_the_gateways(ledger), books.of_the_portal(desk.app)
    for name, side in (("gateways", theirs), ("portal", ours)):
        print(  # noqa: T201 - what this story shows
            f"{name}: captured {len(side.captured)} payments, {sum(side.captured.values())};"
            f" refunded {len(side.refunded)}, {sum(side.refunded.values())}"
        )
    return books.disagreements(desk.app, ledger)


@pytest.mark.lists
@pytest.mark.parametrize("asks", (True, False), ids=("the-sweep-asks", "the-lists-alone"))
def test_a_week_without_notifications_ends_equal(
    desk: Desk, recurring: None, monkeypatch: pytest.MonkeyPatch, *, asks: bool
) -> None:
    """Nothing is heard for a week; a reconciliation finds what is paid and returned, and reports it."""
    # The week before: plans that will be renewed inside the deaf one.
    spend(desk, 0)
    desk.settle()
    desk.sandbox.control("settings", webhooks="drop")
    monkeypatch.setattr(lookback, "claim", lambda _now, _marks: [])  # the hourly look would heal it before
    monkeypatch.setattr(comparing_runs, "order_daily", lambda _now, _marks: None)
    travel(desk, timedelta(days=26))
    if not asks:
        monkeypatch.setattr(sweep, "_claim_payments", lambda _now: [])
    for day in range(1, 8):
        if day not in {3, 6}:  # on some days nobody buys
            spend(desk, day)
        if day in {2, 5}:
            give_back(desk, lambda whole: whole if day == 2 else whole / 2)  # noqa: B023 - called at once
        travel(desk, timedelta(days=1))
    if not asks:
        assert balance(desk), "nothing differs, so nothing is shown"
    deaf = books.count(desk.app, "webhook_events")

    with desk.app.app_context():
        now = clock.now()
        run_id = comparing_runs.begin(now - timedelta(days=9), now)
        for day_row in comparing_runs.pending(run_id):
            assert comparing_runs.compare(day_row) is None
        comparing_runs.finish(run_id)
        report = comparing_runs.summary(run_id)
    print(report)  # noqa: T201 - what this story shows

    assert balance(desk) == []
    assert books.count(desk.app, "webhook_events") == deaf
    assert report.cases == 0
    assert report.healed > 0
    days = books.rows(desk.app, TOTALS)
    assert all(day.there_sum == day.here_sum and day.there_count == day.here_count for day in days)
    assert all(day.refunds_there_sum == day.refunds_here_sum for day in days)
    assert {GatewayName(day.gateway) for day in days if day.there_sum} == set(GatewayName)
    assert sum(day.refunds_there_count for day in days) == 4


TOTALS = "SELECT * FROM reconciliation_days ORDER BY day, gateway"


def test_a_second_look_finds_nothing(desk: Desk) -> None:
    """What was healed is no difference any more, and its fee is known."""
    desk.sandbox.control("settings", webhooks="drop")
    for gateway in GATEWAYS:
        order = desk.customer(f"{gateway}@example.com").order(gateway)["transaction_id"]
        desk.sandbox.pay(gateway, order, GOOD)
    with desk.app.app_context():
        # CloudPayments' list is asked for to the second.
        clock.set_to(clock.now() + timedelta(seconds=2))
        now = clock.now()
        first: Any = reconciliation.Report()
        reconciliation._compare_lists(first, now, now)
        second: Any = reconciliation.Report()
        reconciliation._compare_lists(second, now, now)
    assert (first.listed, first.moved, first.cases) == (2, 2, 0)
    assert (second.listed, second.moved, second.cases) == (2, 0, 0)
    rows = books.rows(desk.app, "SELECT fee, listed_at FROM payments")
    assert all(row.fee is not None and row.listed_at for row in rows)

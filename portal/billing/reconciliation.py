"""Reconciling: everything that is open is asked about, and the gateways' own lists are compared with ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from portal.billing import doors, lookback, sweep


@dataclass(slots=True)
class Report:
    """What a reconciliation looked at and what it changed."""

    asked: int = 0
    unanswered: int = 0
    listed: int = 0
    moved: int = 0
    cases: int = 0


def reconcile(now: datetime, since: datetime | None = None) -> Report:
    """Ask about everything open; with *since* also walk through what the gateways list from then on.

    Payments that are paid there and open here are settled, refunds are booked; money that fits no order
    becomes a case. Raises GatewayError when a list cannot be had; what was carried out until then stays.
    """
    report = Report()
    report.asked, report.unanswered = sweep.ask_about_everything_open(now)
    if since is not None:
        for name in doors.are_open():
            found = lookback.compare(name, since, now)
            report.listed += found.listed
            report.moved += found.moved
            report.cases += found.cases
    return report

"""Reconciling: everything that is open is asked about, and the gateways' own lists are compared with ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from portal.billing import comparing_runs, sweep
from portal.gateways.base import GatewayError


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
    becomes a case. Raises GatewayError when a list cannot be had, after the other gateway's was compared;
    what was carried out stays.
    """
    report = Report()
    report.asked, report.unanswered = sweep.ask_about_everything_open(now)
    if since is not None:
        _compare_lists(report, since, now)
    return report


def _compare_lists(report: Report, since: datetime, now: datetime) -> None:
    """Every day of every open gateway; the first failure is raised once all were tried."""
    run_id = comparing_runs.begin(since, now)
    failed: GatewayError | None = None
    for day in comparing_runs.pending(run_id):
        failed = comparing_runs.compare(day) or failed
    comparing_runs.finish(run_id)
    found = comparing_runs.summary(run_id)
    report.listed, report.moved, report.cases = found.listed, found.healed, found.cases
    if failed is not None:
        raise failed

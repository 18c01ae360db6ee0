"""Reconciling: everything that is open is asked about, and the gateways' own lists are compared with ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from portal.billing import doors, lookback, sweep
from portal.gateways.base import GatewayError

log = logging.getLogger(__name__)


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
    """Every open gateway's list; the first failure is raised once all were tried."""
    failed: GatewayError | None = None
    for name in doors.are_open():
        try:
            found = lookback.compare(name, since, now)
        except GatewayError as error:
            log.warning("The list of %s could not be had: %s %s", name.value, error.code, error.detail)
            failed = failed or error
            continue
        report.listed += found.listed
        report.moved += found.moved
        report.cases += found.cases
    if failed is not None:
        raise failed

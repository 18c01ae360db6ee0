"""Comparing the gateways' own lists with ours: what was paid there and is not paid here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from portal.billing import cases, doors, settlement, sweep
from portal.billing.settlement import Verdict
from portal.database import transaction
from portal.gateways.base import Outcome, PaymentSnapshot
from portal.models import CaseKind, GatewayName


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

    Payments that are paid there and open here are settled; money that fits no order becomes a case. Raises
    GatewayError when a list cannot be had; what was settled until then stays settled.
    """
    report = Report()
    report.asked, report.unanswered = sweep.ask_about_everything_open(now)
    if since is not None:
        for name in doors.are_open():
            listing = doors.cloudpayments() if name is GatewayName.CLOUDPAYMENTS else doors.yookassa()
            for told in list(listing.list_payments(since, now)):
                report.listed += 1
                _compare(name, told, now, report)
    return report


def _compare(gateway: GatewayName, told: PaymentSnapshot, now: datetime, report: Report) -> None:
    """One line of a gateway's list against our row."""
    if told.outcome is Outcome.PENDING:
        return
    with transaction() as session:
        row = settlement.locked(session, transaction_id=told.reference[:64]) if told.reference else None
        if row is None or row.gateway is not gateway:
            if told.outcome is Outcome.SUCCEEDED:
                cases.open_for_payment(
                    session, CaseKind.UNKNOWN_PAYMENT, gateway, told, row.id if row else None, now
                )
                report.cases += 1
            return
        if told.outcome is Outcome.FAILED and row.gateway_payment_id != told.gateway_payment_id:
            return  # an older attempt of an order that may have gone on since
        verdict = settlement.settle(session, row, told, now).verdict
        report.moved += verdict is Verdict.MOVED
        report.cases += verdict is Verdict.CASE

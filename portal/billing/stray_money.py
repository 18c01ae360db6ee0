"""What a refund comes to whose money was no order's: it stands in a case, moves no payment and ends no plan.

It is a row like any other: written before the call, with one key, asked about until it has ended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from portal.billing import cases, refund_outcomes
from portal.gateways.base import Outcome, RefundSnapshot
from portal.models import Case, CaseKind, Refund, RefundStatus
from portal.models.refund import UNDER_WAY

_refunds: Any = Refund.__table__


def write_down(session: Session, refund_id: int, told: RefundSnapshot, now: datetime) -> None:
    """Carry out what the gateway says of such a refund; in the caller's transaction. Safe to repeat."""
    row = _locked(session, refund_id)
    theirs = {"gateway_refund_id": told.gateway_refund_id}
    if row.status is RefundStatus.SUCCEEDED:
        return
    if told.outcome is Outcome.SUCCEEDED:
        done = theirs | {"failure_code": None, "next_check_at": None, "finished_at": now}
        refund_outcomes.move(session, row, RefundStatus.SUCCEEDED, **done)
    elif row.status not in UNDER_WAY:
        return
    elif told.outcome is Outcome.FAILED:
        fail(session, refund_id, told.failure_code, now)
    else:
        again = refund_outcomes.next_look(row, now)
        refund_outcomes.move(session, row, RefundStatus.PENDING, **theirs, next_check_at=again)


def fail(session: Session, refund_id: int, code: str | None, now: datetime, *, detail: str = "") -> None:
    """Give it up: the money is still with the shop, and that is a case again."""
    row = _locked(session, refund_id)
    if row.status not in UNDER_WAY:
        return
    refund_outcomes.close(session, row, code, now)
    case = session.get_one(Case, row.case_id)
    key = f"{row.gateway.value}:{CaseKind.REFUND_FAILED.value}:{row.id}"
    facts = {"refund_id": row.id, "code": code, "detail": detail, "case": case.id, **_reference(case)}
    money, theirs = (row.amount, row.currency), case.gateway_payment_id
    kind = CaseKind.REFUND_FAILED
    cases.open_case(session, kind, key, row.gateway, theirs, None, money, facts, now)


def _reference(case: Case) -> dict[str, Any]:
    return {"reference": case.facts["reference"]} if case.facts.get("reference") else {}


def _locked(session: Session, refund_id: int) -> Row[Any]:
    return session.execute(select(_refunds).where(_refunds.c.id == refund_id).with_for_update()).one()

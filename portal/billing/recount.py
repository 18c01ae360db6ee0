"""Counting used e-mails anew: the usage records are what happened, a period's counter only sums them up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select, update

from portal.billing import locks
from portal.database import db, release, transaction
from portal.models import PurchasedPlan, UsageRecord

#: Periods compared in one statement.
AT_ONCE = 1000

_periods: Any = PurchasedPlan.__table__
_records: Any = UsageRecord.__table__


@dataclass(frozen=True, slots=True)
class Drift:
    """A period whose counter was not the sum of its records."""

    period_id: int
    user_id: int
    counted: int
    recorded: int
    #: What the counter says now: the sum, or the whole quota where the records hold more than that.
    mended: int


@dataclass(frozen=True, slots=True)
class Recount:
    """What was looked at, and what this run mended."""

    periods: int
    recorded: int
    drifts: tuple[Drift, ...]


def recount() -> Recount:
    """Compare every period's counter with its records, and mend the counters that differ.

    Safe to run twice, at the same time as itself, and while e-mails are being used: periods are compared
    without a lock, in one look at counter and records, and only one that differs is looked at again under its
    customer's lock. Of two runs at once one reports a drift.
    """
    periods, recorded, drifts = 0, 0, []
    for found in _batches():
        periods += len(found)
        recorded += sum(row.recorded for row in found)
        drifts += [_mend(row) for row in found if row.emails_used != row.recorded]
    return Recount(periods, recorded, tuple(drift for drift in drifts if drift is not None))


def _batches() -> Iterator[list[Row[Any]]]:
    """Every period with its counter and the sum of its records, in the order of their ids."""
    after = 0
    while True:
        found = list(db.session.execute(_compared(_periods.c.id > after)))
        # Between batches nothing is held: neither a lock nor an old view of the data.
        release()
        if not found:
            return
        yield found
        after = found[-1].id


def _compared(*conditions: Any) -> Any:
    some = select(_periods).where(*conditions).order_by(_periods.c.id).limit(AT_ONCE).cte("some")
    records = _records.c.purchased_plan_id == some.c.id
    recorded = select(func.coalesce(func.sum(_records.c.quantity), 0)).where(records).scalar_subquery()
    return select(
        some.c.id, some.c.user_id, some.c.emails_used, some.c.email_quota, recorded.label("recorded")
    ).order_by(some.c.id)


def _mend(seen: Row[Any]) -> Drift | None:
    """Set the counter right, unless somebody has done so since it was seen."""
    with transaction() as session:
        locks.lock_customer(session, seen.user_id)
        period = session.execute(_compared(_periods.c.id == seen.id)).one()
        if period.emails_used == period.recorded:
            return None
        mended = min(period.recorded, period.email_quota)
        session.execute(update(_periods).where(_periods.c.id == period.id).values(emails_used=mended))
        return Drift(period.id, period.user_id, period.emails_used, period.recorded, mended)

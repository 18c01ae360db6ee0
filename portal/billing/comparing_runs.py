"""Reconciliations: both gateways' days compared by a worker, daily and on demand; the report is kept."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal import clock, jobs, running
from portal.billing import audit, doors, marks
from portal.billing.audit import Actor, Subject
from portal.billing.comparing import Comparison
from portal.billing.marks import Marks
from portal.database import changed, db, transaction
from portal.errors import InvalidRequest
from portal.gateways.base import GatewayError
from portal.models import ReconciliationDay, ReconciliationLine, ReconciliationRun, Remedy, RunOrigin, Setting

log = logging.getLogger(__name__)

_runs: Any = ReconciliationRun.__table__
_days: Any = ReconciliationDay.__table__
_settings: Any = Setting.__table__

#: Days that a daily run compares: a refund may need days to succeed and is listed by its beginning.
DAYS_BACK = 3
#: The shop's hour from which the day before may be compared.
HOUR = 4
#: The longest stretch of one run.
MOST_DAYS = 366
#: Seconds that one job works on a run before it hands the rest to the next one.
AT_A_TIME = 40.0
#: The longest that one day's list may take.
JOB_SECONDS = 3600
LEASE = timedelta(seconds=JOB_SECONDS)
#: A worker should have taken it up by then; otherwise it is handed out again.
GRACE = timedelta(minutes=1)
#: A list that cannot be had is tried again so often, so much later.
TRIES, LATER = 5, timedelta(minutes=10)


def order(actor: Actor, since: date, now: datetime) -> int:
    """Ask for a comparison of every day from *since* to today. Raises InvalidRequest for one that
    cannot be.

    An operator's act: it stands in the audit.
    """
    today = now.astimezone(_zone()).date()
    if not 0 <= (today - since).days < MOST_DAYS:
        raise InvalidRequest(f"Выберите день не раньше чем {MOST_DAYS} дней назад и не позже сегодняшнего.")
    with transaction() as session:
        run_id = _write(session, RunOrigin.OPERATOR, actor.name, since, today, now)
        after = {"since": since, "until": today}
        audit.note(actor, "reconciliation-ordered", Subject("reconciliation", run_id), now, after=after)
    return run_id


def order_daily(now: datetime, known: Marks) -> int | None:
    """Once a day, from early in the morning on, ask for the days that are over.

    The first time of all only sets the mark.
    """
    local = now.astimezone(_zone())
    today = local.date()
    last = known.get(marks.RECONCILED)
    if local.hour < HOUR or (last is not None and last.value >= today.isoformat()):
        return None  # as at nearly every sweep
    with transaction() as session:
        first = insert(_settings).values(name=marks.RECONCILED, value=today.isoformat(), updated_at=now)
        if changed(session.execute(first.on_conflict_do_nothing(index_elements=["name"]))):
            return None
        moved = update(_settings).where(
            _settings.c.name == marks.RECONCILED, _settings.c.value < today.isoformat()
        )
        if not changed(session.execute(moved.values(value=today.isoformat(), updated_at=now))):
            return None
        since = today - timedelta(days=DAYS_BACK)
        return _write(session, RunOrigin.SCHEDULE, "", since, today - timedelta(days=1), now)


def begin(since: datetime, now: datetime) -> int:
    """A run for whoever will carry it out himself: the command line."""
    zone = _zone()
    with transaction() as session:
        first, last = since.astimezone(zone).date(), now.astimezone(zone).date()
        return _write(session, RunOrigin.COMMAND, audit.COMMAND_LINE.name, first, last, now, at_once=False)


def waiting(now: datetime) -> list[int]:
    """Runs that are due."""
    due = select(ReconciliationRun.id).where(ReconciliationRun.next_attempt_at <= now)
    return list(db.session.scalars(due))


def hand_out(now: datetime) -> int:
    """Give what is due to the workers; a list may be long, and the sweep has other things to do."""
    due = update(_runs).where(_runs.c.next_attempt_at <= now).values(next_attempt_at=now + LATER)
    with transaction() as session:
        found = list(session.execute(due.returning(_runs.c.id)).scalars())
        jobs.enqueue_each(carry_on, found)
    return len(found)


@jobs.lasts(JOB_SECONDS)
def carry_on(run_id: int) -> bool:
    """Compare the next days of a run. Safe to run twice and at the same time as itself."""
    if not _claim(run_id, clock.now()):
        return False
    until = time.monotonic() + AT_A_TIME
    for day in pending(run_id):
        if time.monotonic() > until:
            _go_on_at(run_id, clock.now())
            return True
        compare(day)
    _go_on_at(run_id, clock.now() + LATER if pending(run_id) else None)
    return True


def compare(day: ReconciliationDay) -> GatewayError | None:
    """Compare one day and write down its totals; the gateway's trouble is noted and given back."""
    now = clock.now()
    try:
        totals = Comparison(day, now).walk()
    except GatewayError as error:
        log.warning("The list of %s could not be had: %s %s", day.gateway.value, error.code, error.detail)
        said = f"{error.code} {error.detail}".strip()[:250]
        _set(day.id, attempts=_days.c.attempts + 1, error=said)
        return error
    _set(day.id, attempts=_days.c.attempts + 1, error=None, compared_at=now, **asdict(totals))
    return None


def pending(run_id: int) -> list[ReconciliationDay]:
    """The days of a run that have not been compared and may still be; those that failed come last."""
    wanted = select(ReconciliationDay).where(
        ReconciliationDay.run_id == run_id,
        ReconciliationDay.compared_at.is_(None),
        ReconciliationDay.attempts < TRIES,
    )
    ordered = wanted.order_by(ReconciliationDay.attempts, ReconciliationDay.day, ReconciliationDay.gateway)
    return list(db.session.scalars(ordered.execution_options(populate_existing=True)))


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in three numbers."""

    listed: int
    healed: int
    cases: int


def summary(run_id: int) -> Summary:
    """How many payments and refunds the gateways listed, and what was done about the differences."""
    listed = func.coalesce(func.sum(_days.c.there_count + _days.c.refunds_there_count), 0)
    lines = select(func.count()).where(ReconciliationLine.run_id == run_id)
    with transaction() as session:
        return Summary(
            session.execute(select(listed).where(_days.c.run_id == run_id)).scalar_one(),
            session.execute(lines.where(ReconciliationLine.remedy == Remedy.HEALED)).scalar_one(),
            session.execute(lines.where(ReconciliationLine.remedy == Remedy.CASE)).scalar_one(),
        )


def finish(run_id: int) -> None:
    """Nothing more is done about this run."""
    _go_on_at(run_id, None)


def _write(
    session: Session,
    origin: RunOrigin,
    who: str,
    first: date,
    last: date,
    now: datetime,
    *,
    at_once: bool = True,
) -> int:
    """The run and its days; a worker is told."""
    run = ReconciliationRun(
        created_at=now, origin=origin, actor=who[:254], next_attempt_at=now + GRACE if at_once else None
    )
    session.add(run)
    session.flush()
    zone = _zone()
    for gateway in doors.are_open():
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            starts, ends = (
                datetime.combine(one, clock_time(), zone) for one in (day, day + timedelta(days=1))
            )
            session.add(
                ReconciliationDay(run_id=run.id, gateway=gateway, day=day, starts_at=starts, ends_at=ends)
            )
    session.flush()
    if at_once:
        jobs.enqueue(carry_on, run.id)
    return run.id


def _claim(run_id: int, now: datetime) -> bool:
    """Take a run that nobody is at work on."""
    taken = update(_runs).where(
        _runs.c.id == run_id,
        _runs.c.finished_at.is_(None),
        (_runs.c.claimed_until.is_(None)) | (_runs.c.claimed_until <= now),
    )
    with transaction() as session:
        return changed(session.execute(taken.values(claimed_until=now + LEASE)))


def _go_on_at(run_id: int, moment: datetime | None) -> None:
    """Let go of a run, until then; for ever without a moment."""
    values: dict[str, Any] = {"next_attempt_at": moment, "claimed_until": None}
    if moment is None:
        values["finished_at"] = clock.now()
    with transaction() as session:
        session.execute(update(_runs).where(_runs.c.id == run_id).values(values))
        if moment is not None and moment <= clock.now():
            jobs.enqueue(carry_on, run_id)


def _set(day_id: int, **values: Any) -> None:
    with transaction() as session:
        session.execute(update(_days).where(_days.c.id == day_id).values(values))


def _zone() -> ZoneInfo:
    return ZoneInfo(running.config().tz_display)

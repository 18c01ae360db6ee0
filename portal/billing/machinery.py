"""Whether what runs by itself runs: the scheduler, the workers, the looks at lists, renewals that are due.

Each answers by what it left behind, so that silence is noticed by whoever looks: the desk's pages, /metrics.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.dialects.postgresql import insert

from portal import jobs
from portal.billing import audit, doors, marks, notices
from portal.billing.audit import Actor, Subject
from portal.billing.marks import Marks
from portal.database import db, transaction
from portal.models import Channel, Notification, ScheduleRun, Subscription

log = logging.getLogger(__name__)

SWEEP = "sweep"
#: A sweep may wait for slow gateways; beyond this nobody sweeps.
SWEEP_SILENT = timedelta(minutes=5)
LISTS_SILENT = timedelta(hours=3)
DAILY_SILENT = timedelta(hours=36)
#: Whatever is due in its row is taken up within a few sweeps.
LEFT_BEHIND = timedelta(minutes=30)


class Alarm(StrEnum):
    """What is silent that should not be."""

    SCHEDULER = "scheduler"
    WORKERS = "workers"
    QUEUE = "queue"
    LISTS = "lists"
    RECONCILIATION = "reconciliation"
    RENEWALS = "renewals"
    LETTERS = "letters"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule: its name, when it last ran well, and what it said."""

    name: str
    ran_at: datetime | None
    result: str = ""
    failed_at: datetime | None = None
    error: str = ""
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work that is due: how much, and since when the oldest waits."""

    count: int
    oldest: datetime | None

    def is_left_behind(self, now: datetime) -> bool:
        """Whether nobody has come to it for longer than anything takes."""
        return _is_left_behind(self.oldest, now)


def _is_left_behind(oldest: datetime | None, now: datetime) -> bool:
    return oldest is not None and oldest < now - LEFT_BEHIND


def ran(name: str, result: str, now: datetime) -> None:
    """Write down that a schedule has run."""
    _write(name, ran_at=now, result=result[:200])


def failed(name: str, error: str, now: datetime) -> None:
    """Write down that a schedule's run was cut short."""
    _write(name, failed_at=now, error=error[:200])


def schedules(now: datetime) -> list[Schedule]:
    """Everything that runs by itself, the scheduler's sweep first."""
    rows = {row.name: row for row in db.session.scalars(select(ScheduleRun))}
    sweep = rows.get(SWEEP) or ScheduleRun(name=SWEEP, ran_at=None, result="", failed_at=None, error="")
    silent = _is_silent(sweep.ran_at, now)
    found = [Schedule(SWEEP, sweep.ran_at, sweep.result, sweep.failed_at, sweep.error, silent)]
    return [*found, *_by_marks(marks.of(db.session.scalar(select(marks.ALL))), now)]


def _is_silent(swept_at: datetime | None, now: datetime) -> bool:
    return swept_at is None or swept_at < now - SWEEP_SILENT


def _by_marks(known: Marks, now: datetime) -> list[Schedule]:
    """What has no row of its own, but a turn."""
    found = []
    for gateway in doors.are_open():
        looked = known.get(marks.listed(gateway))
        at = datetime.fromisoformat(looked.value) if looked else None
        found.append(
            Schedule(f"list {gateway.value}", at, is_silent=at is not None and at < now - LISTS_SILENT)
        )
    reconciled = known.get(marks.RECONCILED)
    at = reconciled.at if reconciled else None
    found.append(Schedule("reconciliation", at, is_silent=at is not None and at < now - DAILY_SILENT))
    return found


def renewals_left(now: datetime) -> Backlog:
    """Renewals whose moment has come and that nobody has taken up: none, while all is well."""
    due = select(func.count(), func.min(Subscription.charge_look_at)).where(
        Subscription.charge_look_at <= now
    )
    return Backlog(*db.session.execute(due).one())


def letters_left(now: datetime) -> Backlog:
    """Letters that are due and have not left; one that was given up would be an alarm for ever."""
    due = select(func.count(), func.min(Notification.next_attempt_at)).where(*_unsent(now))
    return Backlog(*db.session.execute(due).one())


def _unsent(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Notification.sent_at.is_(None),
        Notification.channel == Channel.EMAIL,
        Notification.next_attempt_at <= now,
        notices.not_given_up(now),
    )


def alarms(now: datetime) -> list[Alarm]:
    """What is silent that should not be, most serious first; each is logged, since nobody may be looking."""
    found = []
    swept_at, told, charge_at, letter_at = db.session.execute(_glance(now)).one()
    silent = {schedule.name for schedule in _by_marks(marks.of(told), now) if schedule.is_silent}
    if _is_silent(swept_at, now):
        found.append(Alarm.SCHEDULER)
    try:
        if not jobs.workers_alive():
            found.append(Alarm.WORKERS)
    except (RedisError, OSError):
        found.append(Alarm.QUEUE)
    if _is_left_behind(charge_at, now):
        found.append(Alarm.RENEWALS)
    if _is_left_behind(letter_at, now):
        found.append(Alarm.LETTERS)
    if any(name.startswith("list ") for name in silent):
        found.append(Alarm.LISTS)
    if "reconciliation" in silent:
        found.append(Alarm.RECONCILIATION)
    if found:
        log.error("Alarm: %s", ", ".join(found))
    return found


def _glance(now: datetime) -> Select[Any]:
    """All that alarms are about in one statement, for it is asked by every page of the desk: when the sweep
    ran, the marks, and since when the oldest renewal and the oldest letter wait.
    """
    return select(
        select(ScheduleRun.ran_at).where(ScheduleRun.name == SWEEP).scalar_subquery(),
        marks.ALL,
        select(func.min(Subscription.charge_look_at))
        .where(Subscription.charge_look_at <= now)
        .scalar_subquery(),
        select(func.min(Notification.next_attempt_at)).where(*_unsent(now)).scalar_subquery(),
    )


def retry(ids: Sequence[str], actor: Actor, now: datetime) -> None:
    """Put failed jobs back into the queue; what each does is fenced by its row."""
    _act("jobs-retried", ids, actor, now)
    for job_id in ids:
        jobs.retry(job_id)


def forget(ids: Sequence[str], actor: Actor, now: datetime) -> None:
    """Take failed jobs off the list; what their rows still wait for, the sweep finds."""
    _act("jobs-forgotten", ids, actor, now)
    for job_id in ids:
        jobs.forget(job_id)


def _act(act: str, ids: Sequence[str], actor: Actor, now: datetime) -> None:
    subject = Subject("job", ids[0] if len(ids) == 1 else "many")
    with transaction():
        audit.note(actor, act, subject, now, after={"count": len(ids)})


def _write(name: str, **values: object) -> None:
    row = {"name": name, "result": "", "error": "", **values}
    written = insert(ScheduleRun).values(row)
    with transaction() as session:
        session.execute(written.on_conflict_do_update(index_elements=["name"], set_=values))

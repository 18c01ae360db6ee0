"""Many kept notifications replayed: counted, rehearsed in part, then done by a worker some at a time.

The row says how far it is. A worker that dies repeats at most one notification, which then changes nothing;
two at once count each notification once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from portal import clock, jobs
from portal.billing import audit, replay
from portal.billing.audit import Actor, Subject
from portal.billing.replay import Result
from portal.billing.settlement import Verdict
from portal.database import changed, db, transaction
from portal.errors import InvalidRequest, PortalError
from portal.models import EventStatus, GatewayName, Replay, WebhookEvent

log = logging.getLogger(__name__)

_replays: Any = Replay.__table__
_events: Any = WebhookEvent.__table__

#: So many of a range are rehearsed to be shown.
SHOWN = 20
#: Seconds that one job works on a range before it hands the rest to the next one.
AT_A_TIME = 40.0
#: Nobody else takes a range up so long after somebody did.
LEASE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Range:
    """Which notifications: every condition that is given."""

    gateway: GatewayName | None = None
    status: EventStatus | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One notification of a rehearsed range: what it would come to, or why it cannot be told."""

    event_id: int
    kind: str
    received_at: datetime
    result: Result | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A range before it is replayed: how many by kind, and the first of them in full."""

    total: int
    by_kind: Mapping[str, int]
    lines: list[Line]


def rehearse(asked: Range, now: datetime) -> Rehearsal:
    """What a replay of this range would be; nothing is kept of it."""
    fits = _fits(asked)
    by_kind = db.session.execute(
        select(WebhookEvent.kind, func.count()).where(*fits).group_by(WebhookEvent.kind)
    ).all()
    first = db.session.execute(
        select(WebhookEvent.id, WebhookEvent.kind, WebhookEvent.received_at)
        .where(*fits)
        .order_by(WebhookEvent.id)
        .limit(SHOWN)
    ).all()
    counted = {kind: int(count) for kind, count in by_kind}
    lines = [_line(event_id, kind, received_at, now) for event_id, kind, received_at in first]
    return Rehearsal(sum(counted.values()), counted, lines)


def order(asked: Range, actor: Actor, reason: str, now: datetime) -> int:
    """Ask for the range to be replayed by a worker; gives the number of the order.

    Raises InvalidRequest for a range without a notification in it, or without a reason.
    """
    if not reason.strip():
        raise InvalidRequest("Напишите, почему уведомления применяются ещё раз: это останется в журнале.")
    fits = _fits(asked)
    with transaction() as session:
        found = select(func.count(), func.coalesce(func.max(WebhookEvent.id), 0)).where(*fits)
        total, last = session.execute(found).one()
        if not total:
            raise InvalidRequest("Под эти условия не попало ни одно уведомление.")
        row = Replay(
            created_at=now,
            user_id=actor.user_id,
            actor=actor.name[:254],
            address=actor.address[:45],
            reason=reason.strip(),
            gateway=asked.gateway,
            event_status=asked.status,
            since=asked.since,
            until=asked.until,
            last_event_id=last,
            total=total,
            next_attempt_at=now,
        )
        session.add(row)
        session.flush()
        words = {"gateway": asked.gateway, "status": asked.status, "since": asked.since, "until": asked.until}
        after = {"total": total, **{name: value for name, value in words.items() if value is not None}}
        subject = Subject("replay", row.id)
        audit.note(actor, "notifications-replayed", subject, now, after=after, reason=reason)
        jobs.enqueue(carry_on, row.id)
        return row.id


def waiting(now: datetime) -> list[int]:
    """Ranges that nobody is at work on."""
    return list(db.session.scalars(select(Replay.id).where(Replay.next_attempt_at <= now)))


def carry_on(replay_id: int) -> bool:
    """Replay the next notifications of a range. Safe to run twice and at the same time as itself."""
    row = _claim(replay_id, clock.now())
    if row is None:
        return False
    until = time.monotonic() + AT_A_TIME
    while (event_id := _next(row)) is not None:
        if time.monotonic() > until:
            _hand_on(row.id)
            return True
        _do(row, event_id)
    with transaction() as session:
        over = {"next_attempt_at": None, "finished_at": clock.now()}
        session.execute(update(_replays).where(_replays.c.id == row.id).values(over))
    return True


def _fits(asked: Range) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.gateway is not None:
        conditions.append(WebhookEvent.gateway == asked.gateway)
    if asked.status is not None:
        conditions.append(WebhookEvent.status == asked.status)
    if asked.since is not None:
        conditions.append(WebhookEvent.received_at >= asked.since)
    if asked.until is not None:
        conditions.append(WebhookEvent.received_at < asked.until)
    return conditions


def _line(event_id: int, kind: str, received_at: datetime, now: datetime) -> Line:
    try:
        return Line(event_id, kind, received_at, replay.rehearse(event_id, now))
    except PortalError as error:
        return Line(event_id, kind, received_at, None, error.message)


def _claim(replay_id: int, now: datetime) -> Replay | None:
    with transaction() as session:
        taken = update(_replays).where(_replays.c.id == replay_id, _replays.c.next_attempt_at <= now)
        if not changed(session.execute(taken.values(next_attempt_at=now + LEASE))):
            return None
        return session.get_one(Replay, replay_id, populate_existing=True)


def _next(row: Replay) -> int | None:
    """The oldest notification that has not been done; one that has left the range since is not taken."""
    done = select(_replays.c.done_event_id).where(_replays.c.id == row.id).scalar_subquery()
    asked = Range(row.gateway, row.event_status, row.since, row.until)
    wanted = select(func.min(_events.c.id)).where(
        *_fits(asked), _events.c.id > done, _events.c.id <= row.last_event_id
    )
    with transaction() as session:
        return session.execute(wanted).scalar()


def _do(row: Replay, event_id: int) -> None:
    """One notification; its count is kept with it, and only by whoever is the first."""
    actor, now = Actor(row.user_id, row.actor, row.address), clock.now()
    try:
        result = replay.again(event_id, actor, row.reason, now, quietly=True)
        counts = {"moved": result.verdict is Verdict.MOVED, "cases": result.verdict is Verdict.CASE}
    except PortalError as error:
        log.warning("Notification %s could not be replayed: %s", event_id, error.code)
        counts = {"failed": True}
    except Exception:
        # A fault of ours with one notification must not keep the rest of the range waiting: it is logged with
        # its traceback, counted as failed, and its row stays as it was.
        log.exception("Notification %s could not be replayed", event_id)
        counts = {"failed": True}
    counted = {name: _replays.c[name] + 1 for name, happened in counts.items() if happened}
    with transaction() as session:
        session.execute(
            update(_replays)
            .where(_replays.c.id == row.id, _replays.c.done_event_id < event_id)
            .values(done_event_id=event_id, done=_replays.c.done + 1, next_attempt_at=now + LEASE, **counted)
        )


def _hand_on(replay_id: int) -> None:
    with transaction() as session:
        now = clock.now()
        session.execute(update(_replays).where(_replays.c.id == replay_id).values(next_attempt_at=now))
        jobs.enqueue(carry_on, replay_id)

"""The shop's figures: days that are over are added up once, whatever has changed since is counted anew.

Triggers write down, with every change of a row, the moments whose days count otherwise since
(:class:`~portal.models.FigureTouch`). So what is read here is, at every moment and in one snapshot, what the
rows say: the closed days that nothing has touched, and all others straight from the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, insert, select, text

from portal import running
from portal.billing.figure_queries import FIGURES, RUNNING, UNDECIDED
from portal.database import exclusive, transaction
from portal.models import DailyFigure, FigureDay, FigureFamily, FigureTouch

_days: Any = FigureDay.__table__
_figures: Any = DailyFigure.__table__
_touches: Any = FigureTouch.__table__

DAY = timedelta(days=1)
#: Days closed in one go, so that a shop with a long past does not keep the scheduler busy for long.
AT_ONCE = 14
#: Days counted by one statement.
TOGETHER = 31

_FIRST = text(
    "SELECT least((SELECT min(created_at) FROM payments), (SELECT min(starts_at) FROM purchased_plans))"
)
_TOUCHED = text(
    "SELECT DISTINCT (moment AT TIME ZONE :zone)::date FROM figure_touches, unnest(moments) AS moment"
)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days on the shop's clock."""

    zone: str

    def starts(self, day: date) -> datetime:
        """The first moment of a day."""
        return datetime.combine(day, time(), ZoneInfo(self.zone))

    def day(self, moment: datetime) -> date:
        """The day of a moment."""
        return moment.astimezone(ZoneInfo(self.zone)).date()


def calendar() -> Calendar:
    """The shop's."""
    return Calendar(running.config().tz_display)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days from *since* up to *until*, that one left out."""

    since: date
    until: date

    def __iter__(self) -> Iterator[date]:
        """Each day."""
        return (self.since + n * DAY for n in range((self.until - self.since).days))


def stretches(days: Iterable[date]) -> list[Stretch]:
    """Days that follow one another, taken together, but not so many that counting them takes long."""
    found: list[Stretch] = []
    for day in sorted(days):
        if found and found[-1].until == day and (day - found[-1].since).days < TOGETHER:
            found[-1] = Stretch(found[-1].since, day + DAY)
        else:
            found.append(Stretch(day, day + DAY))
    return found


def first_day(connection: Connection) -> date | None:
    """The day of the shop's first row; ``None`` before there is any."""
    first = connection.execute(_FIRST).scalar()
    return calendar().day(first) if first is not None else None


def closed_days(connection: Connection, family: FigureFamily, wanted: Stretch, now: datetime) -> set[date]:
    """Of *wanted*, the days that are over and added up."""
    asked = select(_days.c.day).where(
        _days.c.zone == calendar().zone,
        _days.c.family == family,
        _days.c.day >= wanted.since,
        _days.c.day < min(wanted.until, calendar().day(now)),
    )
    return set(connection.execute(asked).scalars())


def touched_days(connection: Connection) -> set[date]:
    """Days that count otherwise since they were added up, if they were."""
    return set(connection.execute(_TOUCHED, {"zone": calendar().zone}).scalars())


def count(connection: Connection, family: FigureFamily, days: Stretch, now: datetime) -> list[dict[str, Any]]:
    """The figures of these days up to *now*, straight from the rows."""
    clock = calendar()
    until = min(clock.starts(days.until), now)
    asked = {"since": clock.starts(days.since), "until": until, "zone": clock.zone, "now": now}
    if family is not FigureFamily.RENEWALS:
        del asked["now"]
    return [dict(row) for row in connection.execute(text(FIGURES[family]), asked).mappings()]


def running_before(connection: Connection, day: date, now: datetime) -> list[dict[str, Any]]:
    """The paid periods that ran when *day* began, straight from the rows: what ended before is not read."""
    moment = min(calendar().starts(day), now)
    return [dict(row) for row in connection.execute(text(RUNNING), {"moment": moment}).mappings()]


def close_days(now: datetime) -> int:
    """Add up some of the days that are over, the latest first; say how many days of a family were closed.

    What a change has touched is opened again first, in the same transaction. Safe to run twice and at once.
    """
    with transaction() as session:
        exclusive(session, "figures")
        connection = session.connection()
        _open_touched(connection)
        first = first_day(connection)
        if first is None:
            return 0
        past = Stretch(first, calendar().day(now))
        return sum(_close(connection, family, past, now) for family in FigureFamily)


def close_all(now: datetime) -> int:
    """Add up every day that is over; say how many days of a family were closed."""
    closed = 0
    while done := close_days(now):
        closed += done
    return closed


def forget() -> None:
    """Throw away all that was added up: until it is again, everything is counted from the rows."""
    with transaction() as session:
        exclusive(session, "figures")
        for table in (_days, _figures):
            session.execute(delete(table))


def _open_touched(connection: Connection) -> None:
    """What is committed later than this look stays noted, and readers count its days from the rows.

    Days by another clock, from before the shop's zone was changed, go too: nobody would keep them right.
    """
    noted = connection.execute(delete(_touches).returning(_touches.c.moments)).scalars().all()
    days = {calendar().day(moment) for moments in noted for moment in moments}
    zones = set(connection.execute(select(_days.c.zone).distinct()).scalars())
    for table in (_days, _figures):
        if days:
            connection.execute(delete(table).where(table.c.day.in_(days)))
        if zones - {calendar().zone}:
            connection.execute(delete(table).where(table.c.zone != calendar().zone))


def _close(connection: Connection, family: FigureFamily, past: Stretch, now: datetime) -> int:
    """Some days of one family, by stretches of :data:`AT_ONCE` until something was closed."""
    closed = closed_days(connection, family, past, now)
    waiting = [day for day in past if day not in closed]
    while waiting:
        waiting, latest = waiting[:-AT_ONCE], waiting[-AT_ONCE:]
        if done := sum(_write(connection, family, one, now) for one in stretches(latest)):
            return done
    return 0


def _write(connection: Connection, family: FigureFamily, days: Stretch, now: datetime) -> int:
    """The figures of these days. One in which something may still change by itself stays open."""
    found = count(connection, family, days, now)
    unfinished = {row["day"] for row in found if row["name"] == "renewals" and row["detail"] in UNDECIDED}
    common = {"zone": calendar().zone, "family": family}
    rows = [row | common for row in found if row["day"] not in unfinished]
    closed = [common | {"day": day} for day in days if day not in unfinished]
    if rows:
        connection.execute(insert(_figures), rows)
    if closed:
        connection.execute(insert(_days), closed)
    return len(closed)

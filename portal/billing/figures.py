"""The shop's figures: days that are over are added up once, whatever has changed since is counted anew.

Triggers write down, with every change of a row, the moments whose days count otherwise since
(:class:`~portal.models.FigureTouch`). So what is read here is, at every moment and in one snapshot, what the
rows say: the closed days that nothing has touched, and all others straight from the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, TextClause, delete, insert, select, text

from portal import running
from portal.billing.figure_queries import HOW_MANY, OPEN, UNDECIDED, together
from portal.database import exclusive, transaction
from portal.models import DailyFigure, FigureDay, FigureFamily, FigureTouch

_days: Any = FigureDay.__table__
_figures: Any = DailyFigure.__table__
_touches: Any = FigureTouch.__table__

DAY = timedelta(days=1)
#: Payments whose days the scheduler closes in one go: a second or two, after which other work has its turn.
AT_ONCE = 25_000
#: The same for the command, for which nobody waits in line: large portions cost less each.
MANY_AT_ONCE = 250_000

_OPEN = text(OPEN)
_HOW_MANY = text(HOW_MANY)


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
        return (self.since + n * DAY for n in range(len(self)))

    def __len__(self) -> int:
        """How many days."""
        return max(0, (self.until - self.since).days)


@dataclass(frozen=True, slots=True)
class OpenDays:
    """Days of each family that have to be counted from the rows; *touched* are those added up and changed."""

    of: dict[FigureFamily, set[date]]
    touched: set[date]


def stretches(days: Iterable[date], gap: int = 0) -> list[Stretch]:
    """Days that follow one another, or lie apart by no more than *gap*, taken together; the latest first."""
    found: list[Stretch] = []
    for day in sorted(days, reverse=True):
        if found and (found[-1].since - day).days <= 1 + gap:
            found[-1] = Stretch(day, found[-1].until)
        else:
            found.append(Stretch(day, day + DAY))
    return found


def open_days(
    connection: Connection, families: Iterable[FigureFamily], last: date, now: datetime
) -> OpenDays:
    """The days up to *last* that are not added up; the day that runs is one of them."""
    families = tuple(families)
    asked = {
        "families": [one.value for one in families],
        "zone": calendar().zone,
        "today": calendar().day(now),
        "last": last,
    }
    found: dict[FigureFamily, set[date]] = {family: set() for family in families}
    touched = set()
    for row in connection.execute(_OPEN, asked):
        found[FigureFamily(row.family)].add(row.day)
        if row.touched:
            touched.add(row.day)
    return OpenDays(found, touched)


def latest(connection: Connection, days: Stretch, most: int) -> tuple[Stretch, int]:
    """The latest of these days that hold no more than *most* rows, perhaps none; and how many, if they do."""
    clock = calendar()
    asked = {"since": clock.starts(days.since), "until": clock.starts(days.until), "most": most}
    since, n = days.since, 0
    for row in connection.execute(_HOW_MANY, asked):
        n = max(n, row.n)
        if row.n > most:
            since = max(since, clock.day(row.at) + DAY)
    return Stretch(since, days.until), n


def portions(connection: Connection, days: Stretch, most: int) -> Iterator[Stretch]:
    """All of these days, the latest first, taken together as long as they hold no more than *most* rows."""
    while days:
        some, _ = latest(connection, days, most)
        some = some or Stretch(days.until - DAY, days.until)
        yield some
        days = Stretch(days.since, some.since)


def count(
    connection: Connection, families: Iterable[FigureFamily], days: Stretch, now: datetime
) -> list[dict[str, Any]]:
    """The figures of these days up to *now*, straight from the rows and in one look."""
    clock, families = calendar(), tuple(families)
    until = min(clock.starts(days.until), now)
    asked = {"since": clock.starts(days.since), "until": until, "zone": clock.zone}
    if FigureFamily.RENEWALS in families:
        asked["now"] = now
    return [dict(row) for row in connection.execute(_together(families), asked).mappings()]


@cache
def _together(families: tuple[FigureFamily, ...]) -> TextClause:
    return text(together(families))


def close_days(now: datetime, most: int = AT_ONCE) -> int:
    """Add up the latest days that are over and hold about *most* payments; say how many days of a family.

    What a change has touched is opened again first, in the same transaction. Safe to run twice and at once.
    """
    with transaction() as session:
        exclusive(session, "figures")
        connection = session.connection()
        # Nobody waits for this, and it may be a busy hour.
        connection.execute(text("SET LOCAL statement_timeout = '10min'"))
        _open_touched(connection)
        yesterday = calendar().day(now) - DAY
        waiting = open_days(connection, FigureFamily, yesterday, now)
        return sum(_close(connection, family, days, most, now) for family, days in waiting.of.items())


def close_all(now: datetime) -> int:
    """Add up every day that is over; say how many days of a family were closed."""
    closed = 0
    while done := close_days(now, MANY_AT_ONCE):
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


def _close(connection: Connection, family: FigureFamily, waiting: set[date], most: int, now: datetime) -> int:
    """The latest days of one family, by portions until something was closed; what stays open is passed."""
    for stretch in stretches(waiting):
        for portion in portions(connection, stretch, most):
            if done := _write(connection, family, portion, now):
                return done
    return 0


def _write(connection: Connection, family: FigureFamily, days: Stretch, now: datetime) -> int:
    """The figures of these days. One in which something may still change by itself stays open."""
    found = count(connection, (family,), days, now)
    unfinished = {row["day"] for row in found if row["name"] == "renewals" and row["detail"] in UNDECIDED}
    common = {"zone": calendar().zone, "family": family}
    rows = [row | common for row in found if row["day"] not in unfinished]
    closed = [common | {"day": day} for day in days if day not in unfinished]
    if rows:
        connection.execute(insert(_figures), rows)
    if closed:
        connection.execute(insert(_days), closed)
    return len(closed)

"""Figures of a window: closed days as they were added up, all others from the rows, within bounds.

A page must come soon even when nobody has added up two years yet. So only so many rows are counted for it,
the latest first, and it is told which days are left out. A file waits instead: it is whole or it is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from portal.billing import figures
from portal.billing.figure_queries import HOW_MANY_RUN, RUNNING, STORED
from portal.billing.figures import OpenDays, Stretch
from portal.billing.questions import Question
from portal.database import db, planned_anew
from portal.models import FigureFamily

#: So many payments are counted from the rows for one page: a part of a second.
MOST_ROWS = 10_000
#: So many paid periods are looked through for those that ran when a window began.
MOST_RUNNING = 50_000
#: Days that are always counted: the one that runs, and one that nobody has come to yet.
ALWAYS = 2
#: With more days before the window not added up, its beginning is read from the periods that ran then.
MOST_WAITING = 7
#: Stretches of days that are counted one by one; what lies scattered more widely is counted with what lies
#: between.
MOST_STRETCHES = 12
#: Days that lie apart by no more than this are always counted together with those between them.
GAP = 7

_RUNNING = text(RUNNING)
_STORED = text(STORED)
_HOW_MANY_RUN = text(HOW_MANY_RUN)

#: Names of which the difference is what stands.
STANDING = frozenset({"began", "ended"})

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """Lines of the window; what ran when it began, where that is known; days that are not counted yet."""

    rows: list[Row]
    before: list[Row] | None
    missing: frozenset[date]


@contextmanager
def snapshot() -> Iterator[Connection]:
    """A connection whose every statement sees the same moment."""
    at_one_moment = db.engine.connect().execution_options(isolation_level="REPEATABLE READ")
    with at_one_moment as connection, planned_anew(connection):
        yield connection


def read(
    connection: Connection,
    question: Question,
    now: datetime,
    families: tuple[FigureFamily, ...] = tuple(FigureFamily),
    names: tuple[str, ...] = (),
    *,
    unit: str,
    whole: bool,
) -> Figures:
    """The figures by parts of *unit*, those of *names* or all. *whole*: count all, however long it takes."""
    waiting = figures.open_days(connection, families, question.until, now)
    stored = _stored(connection, question, now, families, waiting, unit, names)
    rows = [row for row in stored if row["day"] is not None]
    standing: list[Row] | None = [row for row in stored if row["day"] is None]
    missing: set[date] = set()
    within = {family: {day for day in days if day >= question.since} for family, days in waiting.of.items()}
    for together, days in _alike(within):
        counted, left_out = _count(connection, together, days, now, whole=whole)
        rows += filter(question.fits, counted)
        missing |= left_out
        if left_out and FigureFamily.PERIODS in together:
            standing = None
    if standing is not None:
        past = {day for day in waiting.of.get(FigureFamily.PERIODS, ()) if day < question.since}
        standing = _before(connection, question, now, standing, past, whole=whole)
    return Figures(rows, standing, frozenset(missing))


def _stored(
    connection: Connection,
    question: Question,
    now: datetime,
    families: Iterable[FigureFamily],
    waiting: OpenDays,
    unit: str,
    names: tuple[str, ...],
) -> list[Row]:
    """Closed days that nothing has touched, by parts; without a day what lies before the window."""
    asked = {
        "zone": figures.calendar().zone,
        "families": [one.value for one in families],
        "since": question.since,
        "until": min(question.until, figures.calendar().day(now) - figures.DAY),
        "touched": sorted(waiting.touched),
        "test": question.test,
        "gateway": question.gateway and question.gateway.value,
        "mode": question.mode and question.mode.value,
        "unit": unit,
        "names": list(names) or None,
    }
    return [dict(row) for row in connection.execute(_STORED, asked).mappings()]


def _alike(
    waiting: dict[FigureFamily, set[date]],
) -> Iterator[tuple[tuple[FigureFamily, ...], set[date]]]:
    """Families with the same days to count are counted in one look; most often it is the day that runs."""
    left = {family: days for family, days in waiting.items() if days}
    while left:
        days = next(iter(left.values()))
        together = tuple(family for family, theirs in left.items() if theirs == days)
        yield together, days
        left = {family: theirs for family, theirs in left.items() if family not in together}


def _count(
    connection: Connection, families: tuple[FigureFamily, ...], days: set[date], now: datetime, *, whole: bool
) -> tuple[list[Row], set[date]]:
    """The figures of these days, the latest first, and the days for which a page has no time."""
    rows: list[Row] = []
    taken: set[date] = set()
    for portion in _portions(connection, days, whole=whole):
        taken |= {day for day in portion if day in days}
        rows += (row for row in figures.count(connection, families, portion, now) if row["day"] in days)
    return rows, days - taken


def _portions(connection: Connection, days: set[date], *, whole: bool) -> Iterator[Stretch]:
    """What is counted in one look each: of a page no more rows together than it may read."""
    gap = GAP
    while len(found := figures.stretches(days, gap)) > MOST_STRETCHES:
        gap *= 2
    if whole:
        for stretch in found:
            yield from figures.portions(connection, stretch, figures.AT_ONCE)
        return
    room, recent = MOST_ROWS, Stretch(max(days) - (ALWAYS - 1) * figures.DAY, max(days) + figures.DAY)
    for number, stretch in enumerate(found):
        if len(stretch) <= ALWAYS and not number:
            yield stretch
            continue
        portion, n = figures.latest(connection, stretch, room)
        if not number and len(portion) < ALWAYS:
            portion = recent
        if portion:
            yield portion
        room -= n
        if len(portion) < len(stretch):
            return


def _before(
    connection: Connection,
    question: Question,
    now: datetime,
    before: list[Row],
    past: set[date],
    *,
    whole: bool,
) -> list[Row] | None:
    """What had begun and not ended when the window began; ``None`` where a page has no time to look."""
    if len(past) <= MOST_WAITING:
        found = list(before)
        for stretch in figures.stretches(past):
            counted = figures.count(connection, (FigureFamily.PERIODS,), stretch, now)
            found += filter(question.fits, counted)
    else:
        moment = min(figures.calendar().starts(question.since), now)
        asked = {"moment": moment, "most": MOST_RUNNING + 1}
        if not whole and connection.execute(_HOW_MANY_RUN, asked).scalar_one() > MOST_RUNNING:
            return None
        found = [dict(row) for row in connection.execute(_RUNNING, {"moment": moment}).mappings()]
        found = list(filter(question.fits, found))
    return [row for row in found if row["name"] in STANDING]

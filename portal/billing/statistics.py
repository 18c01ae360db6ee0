"""The shop in numbers, for days and kinds of payments that an operator chose.

What is read is one snapshot: closed days as they were added up, all others from the rows
(:mod:`portal.billing.figures`). What each number counts stands in :mod:`portal.billing.figure_queries`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select, text

from portal.billing import figures
from portal.billing.figure_queries import UNEXPLAINED
from portal.billing.figures import Stretch
from portal.billing_mode import BillingMode
from portal.database import db
from portal.models import DailyFigure, FigureFamily, GatewayName
from portal.money import ZERO

_figures: Any = DailyFigure.__table__

#: Longer windows are shown by weeks, then by months.
DAYS_BY_DAY = 45
DAYS_BY_WEEK = 200
#: With more days before the window not added up, its beginning is read from the periods that ran then.
MOST_WAITING = 7
#: So many renewals without an explanation are named; all of them are counted.
NAMED = 50

_KINDS = ("gateway", "purpose", "plan_code", "name", "detail")
_STANDING = frozenset({"began", "ended"})


@dataclass(frozen=True, slots=True)
class Question:
    """Which days, both counted, and which payments."""

    since: date
    until: date
    gateway: GatewayName | None = None
    mode: BillingMode | None = None
    test: bool = False

    @property
    def days(self) -> Stretch:
        """The window."""
        return Stretch(self.since, self.until + figures.DAY)

    @property
    def unit(self) -> str:
        """How the window is cut for a chart: day, week, month."""
        length = len(list(self.days))
        if length <= DAYS_BY_DAY:
            return "day"
        return "week" if length <= DAYS_BY_WEEK else "month"

    def fits(self, row: dict[str, Any]) -> bool:
        """Whether a figure is about the payments asked for."""
        return (
            row["test_mode"] == self.test
            and self.gateway in {None, row["gateway"]}
            and self.mode in {None, row["billing_mode"]}
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """How many, and how much together."""

    n: int = 0
    amount: Decimal = ZERO

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(self.n + other.n, self.amount + other.amount)

    def __sub__(self, other: Tally) -> Tally:
        """What is left."""
        return Tally(self.n - other.n, self.amount - other.amount)


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of one part of the window."""

    begins: date
    gateway: str
    purpose: str
    plan_code: str
    name: str
    detail: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A renewal that was due and became nothing."""

    subscription_id: int
    at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Numbers:
    """The answer: figures of the window, and the plans that ran when it began."""

    question: Question
    now: datetime
    lines: list[Line]
    before: dict[str, Tally]
    unexplained: list[Unexplained] = field(default_factory=list)

    def total(self, name: str, **only: str) -> Tally:
        """A figure over the whole window; *only* narrows it: ``detail="first"``."""
        found = (line.tally for line in self._named(name) if _is(line, only))
        return sum(found, Tally())

    def by(self, name: str, key: str, **only: str) -> dict[Any, Tally]:
        """A figure by one property of its lines."""
        found: dict[Any, Tally] = {}
        for line in self._named(name):
            if _is(line, only):
                which = getattr(line, key)
                found[which] = found.get(which, Tally()) + line.tally
        return found

    def parts(self) -> list[date]:
        """The first day of each part of the window, the last of which may have begun a moment ago."""
        unit, found = self.question.unit, list[date]()
        for day in self.question.days:
            begins = _part(day, unit)
            if not found or found[-1] != begins:
                found.append(begins)
        return found

    def running(self) -> dict[str, Tally]:
        """Plans that run when the window ends, or now; their sum is the revenue of 30 days."""
        found = dict(self.before)
        for name, sign in (("began", 1), ("ended", -1)):
            for plan, tally in self.by(name, "plan_code").items():
                had = found.get(plan, Tally())
                found[plan] = had + tally if sign > 0 else had - tally
        return {plan: tally for plan, tally in found.items() if tally.n or tally.amount}

    def _named(self, name: str) -> Iterator[Line]:
        return (line for line in self.lines if line.name == name)


def read(question: Question, now: datetime) -> Numbers:
    """Answer in one snapshot."""
    with snapshot() as connection:
        lines = lines_of(connection, question, now)
        before = _before(connection, question, now)
        due = any(line.detail == "unexplained" for line in lines)
        unexplained = _unexplained(connection, question, now) if due else []
    return Numbers(question, now, lines, before, unexplained)


@contextmanager
def snapshot() -> Iterator[Connection]:
    """A connection whose every statement sees the same moment."""
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        # Compiling these statements would take longer than running them.
        connection.execute(text("SET LOCAL jit = off"))
        yield connection


def lines_of(
    connection: Connection,
    question: Question,
    now: datetime,
    families: Iterable[FigureFamily] = tuple(FigureFamily),
    unit: str = "",
) -> list[Line]:
    """The figures of the window, closed and open days together."""
    unit = unit or question.unit
    touched = figures.touched_days(connection)
    families = tuple(families)
    lines = _stored(connection, question, now, families, touched, unit)
    for family in families:
        closed = figures.closed_days(connection, family, question.days, now) - touched
        for days in figures.stretches(day for day in question.days if day not in closed):
            for row in figures.count(connection, family, days, now):
                if question.fits(row):
                    lines.append(_line(row, unit))
    return lines


def _stored(
    connection: Connection,
    question: Question,
    now: datetime,
    families: tuple[FigureFamily, ...],
    touched: set[date],
    unit: str,
) -> list[Line]:
    """Closed days that nothing has touched."""
    begins = func.date_trunc(unit, _figures.c.day).label("day")
    kinds = [_figures.c[name] for name in _KINDS]
    sums = (func.sum(_figures.c.n).label("n"), func.sum(_figures.c.amount).label("amount"))
    asked = select(begins, *kinds, *sums).where(
        *_asked_for(question, now, touched),
        _figures.c.family.in_(families),
        _figures.c.day >= question.since,
        _figures.c.day <= question.until,
    )
    found = connection.execute(asked.group_by(begins, *kinds)).mappings()
    return [_line({**row, "day": row["day"].date()}, unit) for row in found]


def _before(connection: Connection, question: Question, now: datetime) -> dict[str, Tally]:
    """The plans that ran when the window began: all that had begun and not ended."""
    touched = figures.touched_days(connection)
    first = figures.first_day(connection) or question.since
    past = Stretch(min(first, question.since), question.since)
    closed = figures.closed_days(connection, FigureFamily.PERIODS, past, now) - touched
    waiting = [day for day in past if day not in closed]
    if len(waiting) > MOST_WAITING:
        found = figures.running_before(connection, question.since, now)
    else:
        found = _stood(connection, question, now, touched)
        for days in figures.stretches(waiting):
            found += figures.count(connection, FigureFamily.PERIODS, days, now)
    running: dict[str, Tally] = {}
    for row in found:
        if question.fits(row) and row["name"] in _STANDING:
            plan, tally = row["plan_code"], Tally(int(row["n"]), row["amount"])
            had = running.get(plan, Tally())
            running[plan] = had + tally if row["name"] == "began" else had - tally
    return running


def _stood(
    connection: Connection, question: Question, now: datetime, touched: set[date]
) -> list[dict[str, Any]]:
    """What began and ended on closed days before the window, by kind."""
    kinds = [_figures.c[name] for name in ("gateway", "billing_mode", "test_mode", "plan_code", "name")]
    sums = (func.sum(_figures.c.n).label("n"), func.sum(_figures.c.amount).label("amount"))
    asked = select(*kinds, *sums).where(
        *_asked_for(question, now, touched),
        _figures.c.family == FigureFamily.PERIODS,
        _figures.c.day < question.since,
        _figures.c.name.in_(_STANDING),
    )
    return [dict(row) for row in connection.execute(asked.group_by(*kinds)).mappings()]


def _asked_for(question: Question, now: datetime, touched: set[date]) -> list[Any]:
    narrowed = [
        _figures.c.zone == figures.calendar().zone,
        _figures.c.test_mode == question.test,
        _figures.c.day < figures.calendar().day(now),
        _figures.c.day.not_in(touched),
    ]
    if question.gateway is not None:
        narrowed.append(_figures.c.gateway == question.gateway.value)
    if question.mode is not None:
        narrowed.append(_figures.c.billing_mode == question.mode.value)
    return narrowed


def _unexplained(connection: Connection, question: Question, now: datetime) -> list[Unexplained]:
    clock = figures.calendar()
    asked = {
        "since": clock.starts(question.since),
        "until": min(clock.starts(question.until + figures.DAY), now),
        "now": now,
        "most": NAMED,
    }
    found = connection.execute(text(UNEXPLAINED), asked).mappings()
    return [
        Unexplained(row["subscription_id"], row["at"], row["amount"])
        for row in found
        if question.fits(dict(row))
    ]


def _line(row: dict[str, Any], unit: str) -> Line:
    begins, tally = _part(row["day"], unit), Tally(int(row["n"]), row["amount"])
    kinds = {name: str(row[name]) for name in _KINDS}
    return Line(begins=begins, tally=tally, **kinds)


def _part(day: date, unit: str) -> date:
    """The first day of the week or month that a day lies in."""
    if unit == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if unit == "week" else day


def _is(line: Line, only: dict[str, str]) -> bool:
    return all(getattr(line, name) == value for name, value in only.items())

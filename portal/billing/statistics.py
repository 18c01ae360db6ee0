"""The shop in numbers, for days and kinds of payments that an operator chose.

What is read is one snapshot: closed days as they were added up, all others from the rows
(:mod:`portal.billing.figures`). What each number counts stands in :mod:`portal.billing.figure_queries`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, text

from portal.billing import figure_reading, figures
from portal.billing.figure_queries import UNEXPLAINED
from portal.billing.questions import Line, Question, Tally, part

#: So many renewals without an explanation are named; all of them are counted.
NAMED = 50

_KINDS = ("gateway", "purpose", "plan_code", "name", "detail")


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A renewal that was due and became nothing."""

    subscription_id: int
    at: datetime
    amount: Decimal


@dataclass(frozen=True)
class Numbers:
    """The answer: figures of the window, and the plans that ran when it began."""

    question: Question
    now: datetime
    lines: list[Line]
    #: ``None`` while it is not known, since too little of the past is added up.
    before: dict[str, Tally] | None
    unexplained: list[Unexplained]
    #: Days of the window that these figures leave out, since nobody has added them up yet.
    missing: frozenset[date]

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
        unit = self.question.unit
        return sorted({part(day, unit) for day in self.question.days})

    def running(self) -> dict[str, Tally] | None:
        """Plans that run when the window ends, or now; their sum is the revenue of 30 days.

        ``None`` while too little is added up to tell.
        """
        if self.before is None:
            return None
        found = dict(self.before)
        for name, sign in (("began", 1), ("ended", -1)):
            for plan, tally in self.by(name, "plan_code").items():
                had = found.get(plan, Tally())
                found[plan] = had + tally if sign > 0 else had - tally
        return {plan: tally for plan, tally in found.items() if tally.n or tally.amount}

    def _named(self, name: str) -> list[Line]:
        return self._by_name.get(name, [])

    @cached_property
    def _by_name(self) -> dict[str, list[Line]]:
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            found.setdefault(line.name, []).append(line)
        return found


def read(question: Question, now: datetime, *, whole: bool = False) -> Numbers:
    """Answer in one snapshot. *whole*: leave nothing out, however long it takes; a page has no such time."""
    with figure_reading.snapshot() as connection:
        found = figure_reading.read(connection, question, now, unit=question.unit, whole=whole)
        lines = [line_of(row, question.unit) for row in found.rows]
        # Such days are never closed, so their lines come from the rows and say which day it was.
        days = {row["day"] for row in found.rows if row["detail"] == "unexplained"}
        unexplained = _unexplained(connection, question, days, now)
    before = None if found.before is None else _standing(found.before)
    return Numbers(question, now, lines, before, unexplained, found.missing)


def line_of(row: dict[str, Any], unit: str) -> Line:
    """A row of figures as a line of the answer."""
    kinds = {name: str(row[name]) for name in _KINDS}
    return Line(begins=part(row["day"], unit), tally=Tally(int(row["n"]), row["amount"]), **kinds)


def _standing(rows: list[dict[str, Any]]) -> dict[str, Tally]:
    """What has begun and not ended, by plan."""
    found: dict[str, Tally] = {}
    for row in rows:
        plan, tally = row["plan_code"], Tally(int(row["n"]), row["amount"])
        had = found.get(plan, Tally())
        found[plan] = had + tally if row["name"] == "began" else had - tally
    return found


def _unexplained(
    connection: Connection, question: Question, days: set[date], now: datetime
) -> list[Unexplained]:
    """The latest of them by name, looked for on the days that have any."""
    clock, named = figures.calendar(), list[Unexplained]()
    for stretch in figures.stretches(days):
        if len(named) >= NAMED:
            break
        until = min(clock.starts(stretch.until), now)
        asked = {"since": clock.starts(stretch.since), "until": until, "now": now, "most": NAMED - len(named)}
        named += (
            Unexplained(row["subscription_id"], row["at"], row["amount"])
            for row in connection.execute(text(UNEXPLAINED), asked).mappings()
            if question.fits(dict(row))
        )
    return named


def _is(line: Line, only: dict[str, str]) -> bool:
    return all(getattr(line, name) == value for name, value in only.items())

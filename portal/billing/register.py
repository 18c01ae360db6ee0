"""The accountant's register: for each day and gateway what came in, what went back, what the gateway kept.

Real money only. The sums are those of the ledger: payments and their fees by the day on which they were
captured, refunds by the day on which they went through, on the shop's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from portal.billing import figure_reading, statistics, takings
from portal.billing.questions import Question
from portal.billing.takings import Takings
from portal.models import FigureFamily


@dataclass(frozen=True, slots=True)
class Entry:
    """One day at one gateway."""

    day: date
    gateway: str
    money: Takings


@dataclass(frozen=True, slots=True)
class Book:
    """The register of some days, the latest first, and the days it leaves out: not added up yet."""

    entries: list[Entry]
    missing: frozenset[date]


def of(question: Question, now: datetime, *, whole: bool = False) -> Book:
    """Days on which money moved. Play money is never in it, whatever *question* asks.

    *whole*: leave nothing out, however long it takes.
    """
    live = Question(question.since, question.until, question.gateway, question.mode, test=False)
    with figure_reading.snapshot() as connection:
        read = figure_reading.read(
            connection, live, now, (FigureFamily.PAYMENTS,), takings.FIGURES, unit="day", whole=whole
        )
    found = takings.by(
        (statistics.line_of(row, "day") for row in read.rows), lambda line: (line.begins, line.gateway)
    )
    entries = [
        Entry(day, gateway, money)
        for (day, gateway), money in sorted(
            found.items(), key=lambda one: (-one[0][0].toordinal(), one[0][1])
        )
    ]
    return Book(entries, read.missing)

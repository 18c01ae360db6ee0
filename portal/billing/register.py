"""The accountant's register: for each day and gateway what came in, what went back, what the gateway kept.

Real money only. The sums are those of the ledger: payments and their fees by the day on which they were
captured, refunds by the day on which they went through, on the shop's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from portal.billing import statistics, takings
from portal.billing.statistics import Question
from portal.billing.takings import Takings
from portal.models import FigureFamily


@dataclass(frozen=True, slots=True)
class Entry:
    """One day at one gateway."""

    day: date
    gateway: str
    money: Takings


def of(question: Question, now: datetime) -> list[Entry]:
    """Days on which money moved, the latest first. Play money is never in it, whatever *question* asks."""
    live = Question(question.since, question.until, question.gateway, question.mode, test=False)
    with statistics.snapshot() as connection:
        lines = statistics.lines_of(connection, live, now, (FigureFamily.PAYMENTS,), unit="day")
    found = takings.by(lines, lambda line: (line.begins, line.gateway))
    return [
        Entry(day, gateway, money)
        for (day, gateway), money in sorted(
            found.items(), key=lambda one: (-one[0][0].toordinal(), one[0][1])
        )
    ]

"""The accountant's register: for each day and gateway what came in, what went back, and the difference.

Real money only. The sums are those of the ledger: payments by the day on which they were captured, refunds
by the day on which they went through, on the shop's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from portal.billing import statistics
from portal.billing.statistics import Question, Tally
from portal.models import FigureFamily


@dataclass(frozen=True, slots=True)
class Entry:
    """One day at one gateway."""

    day: date
    gateway: str
    captured: Tally
    refunded: Tally

    @property
    def net(self) -> Decimal:
        """What is left of the day; below nothing where more went back than came in."""
        return self.captured.amount - self.refunded.amount


def of(question: Question, now: datetime) -> list[Entry]:
    """Days on which money moved, the latest first. Play money is never in it, whatever *question* asks."""
    live = Question(question.since, question.until, question.gateway, question.mode, test=False)
    with statistics.snapshot() as connection:
        lines = statistics.lines_of(connection, live, now, (FigureFamily.PAYMENTS,), unit="day")
    found: dict[tuple[date, str], dict[str, Tally]] = {}
    for line in lines:
        if line.name in {"captured", "refunded"}:
            sums = found.setdefault((line.begins, line.gateway), {})
            sums[line.name] = sums.get(line.name, Tally()) + line.tally
    return [
        Entry(day, gateway, sums.get("captured", Tally()), sums.get("refunded", Tally()))
        for (day, gateway), sums in sorted(found.items(), key=lambda one: (-one[0][0].toordinal(), one[0][1]))
    ]

"""What is asked of the shop's numbers, and the values that answer it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from portal.billing import figures
from portal.billing.figures import Stretch
from portal.billing_mode import BillingMode
from portal.models import GatewayName
from portal.money import ZERO

#: Longer windows are shown by weeks, then by months.
DAYS_BY_DAY = 45
DAYS_BY_WEEK = 200


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
        length = len(self.days)
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


def part(day: date, unit: str) -> date:
    """The first day of the week or month that a day lies in."""
    if unit == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if unit == "week" else day

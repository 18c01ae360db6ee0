"""The chart of what was sent lately: where each bar stands. The browser stretches the drawing, so the words
around it are the page's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from portal import written
from portal.billing.daily_use import DailyUse

#: Units of the drawing: a day is so wide, the plot so high.
DAY, HEIGHT = 10, 100
_GAP = 2
#: Bars go on below the plot, where they are cut off: round at the top, straight at the foot.
_FOOT = 4
#: What was sent at all is seen, however little it is beside the busiest day.
_LEAST = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: where its bar stands and what it says, written once. A height of 0 is no bar."""

    name: str
    quantity: int
    letters: str
    left: int
    x: int
    y: int
    height: int
    is_today: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws."""

    bars: tuple[Bar, ...]
    #: Where paid periods began, as distances from the left.
    begun: tuple[int, ...]
    #: What the upper line stands for.
    top: int
    width: int
    height: int = HEIGHT
    bar_width: int = DAY - _GAP


def drawn(use: DailyUse) -> Chart:
    """The chart of these days."""
    top = _round_up(use.busiest[1])
    today = use.days[-1][0]
    bars = tuple(_bar(n, day, quantity, top, today) for n, (day, quantity) in enumerate(use.days))
    places = {day: n for n, (day, _) in enumerate(use.days)}
    begun = sorted({places[one.day] * DAY for one in use.begun})
    return Chart(bars, tuple(begun), top, len(bars) * DAY)


def _bar(n: int, day: date, quantity: int, top: int, today: date) -> Bar:
    high = max(_LEAST, quantity * HEIGHT // top) if quantity else 0
    left, foot = n * DAY, _FOOT if high else 0
    name, letters = written.calendar_day(day), written.letters(quantity)
    return Bar(name, quantity, letters, left, left + _GAP // 2, HEIGHT - high, high + foot, day == today)


def _round_up(largest: int) -> int:
    """The end of the scale: an even number of the largest value's size, so that its half is whole too."""
    size = 1
    while size * 10 < largest:
        size *= 10
    return next(step * size for step in (2, 4, 6, 8, 10, 20) if step * size >= largest)

"""Charts drawn by the server: where each bar and each word of an SVG stands. Whole numbers all the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH, HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 12, 28
_MOST_LABELS = 13
_LINES = 4


@dataclass(frozen=True, slots=True)
class Series:
    """One row of values; *kind* is its colour: main, back, quiet."""

    name: str
    kind: str
    values: Sequence[Decimal | int]


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, and what it stands for."""

    x: int
    y: int
    width: int
    height: int
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A word beside an axis; *at* is its place along it."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws."""

    title: str
    what: str
    bars: list[Bar]
    across: list[Mark]
    upward: list[Mark]
    legend: list[tuple[str, str]]
    width: int = WIDTH
    height: int = HEIGHT
    floor: int = HEIGHT - _BOTTOM
    left: int = _LEFT
    right: int = WIDTH - _RIGHT


def bars(title: str, what: str, labels: Sequence[str], series: Sequence[Series], top: int = 0) -> Chart:
    """Bars beside one another; *top* is the upper end of the scale where it is not the largest value's."""
    largest = max((Decimal(v) for one in series for v in one.values), default=Decimal(0))
    highest = Decimal(top) if top else _round_up(largest)
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    width = max(1, int(room * 8 / 10 / max(1, len(series))))
    drawn = []
    for place, one in enumerate(series):
        for n, value in enumerate(one.values):
            x = _LEFT + int(n * room + room / 10) + place * width
            drawn.append(_bar(x, width, Decimal(0), value, highest, one, labels[n]))
    return _chart(title, what, labels, series, drawn, highest)


def stacked(title: str, what: str, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """One bar for each label, its parts one upon the other, the first of *series* lowest."""
    sums = [sum((max(Decimal(0), Decimal(v)) for v in values), Decimal(0)) for values in _across(series)]
    highest = _round_up(max(sums, default=Decimal(0)))
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    width = max(1, int(room * 7 / 10))
    drawn = []
    for n, values in enumerate(_across(series)):
        x, below = _LEFT + int(n * room + room * 3 / 20), Decimal(0)
        for one, value in zip(series, values, strict=True):
            drawn.append(_bar(x, width, below, value, highest, one, labels[n]))
            below += max(Decimal(0), Decimal(value))
    return _chart(title, what, labels, series, drawn, highest)


def _across(series: Sequence[Series]) -> Iterator[tuple[Decimal | int, ...]]:
    return zip(*(one.values for one in series), strict=True)


def _bar(
    x: int, width: int, below: Decimal, value: Decimal | int, highest: Decimal, one: Series, label: str
) -> Bar:
    """What is there is seen, however little it is."""
    floor, ceiling = _height(below, highest), _height(below + max(Decimal(0), Decimal(value)), highest)
    height = max(ceiling - floor, 1 if value > 0 else 0)
    told = f"{label}: {one.name} — {_grouped(value)}"
    return Bar(x, HEIGHT - _BOTTOM - floor - height, width, height, one.kind, told)


def _height(value: Decimal, highest: Decimal) -> int:
    return int(value * (HEIGHT - _TOP - _BOTTOM) / highest)


def _chart(
    title: str,
    what: str,
    labels: Sequence[str],
    series: Sequence[Series],
    drawn: list[Bar],
    highest: Decimal,
) -> Chart:
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    every = max(1, -(-len(labels) // _MOST_LABELS))
    across = [Mark(_LEFT + int(n * room + room / 2), text) for n, text in enumerate(labels) if n % every == 0]
    upward = [
        Mark(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * n // _LINES, _grouped(highest * n / _LINES))
        for n in range(_LINES + 1)
    ]
    return Chart(title, what, drawn, across, upward, [(one.name, one.kind) for one in series])


def _round_up(value: Decimal) -> Decimal:
    """The next of 4, 8, 12, 16, 20 … 32, 40, 80, 120 …, so that a fourth of it is a round number too."""
    scale = Decimal(1)
    while True:
        for step in (4, 8, 12, 16, 20, 24, 28, 32):
            if value <= step * scale:
                return step * scale
        scale *= 10


def _grouped(value: Decimal | int) -> str:
    text = f"{value:,.2f}".removesuffix(".00") if isinstance(value, Decimal) else f"{value:,}"
    return text.replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")

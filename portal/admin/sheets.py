"""Tables of numbers, each with the words that say what it counts; the same rows are a page and a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from portal.admin.charts import Chart
from portal.admin.words import NOTHING, cell
from portal.spreadsheets import Cell

_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Column:
    """A column; *kind* is text, count, money or share (per cent)."""

    label: str
    kind: str = "count"


@dataclass(frozen=True, slots=True)
class Linked:
    """A value that leads to the rows behind it."""

    value: Cell
    href: str


@dataclass(frozen=True, slots=True)
class AtMost:
    """An amount that may turn out smaller, since not all that is taken off it is known."""

    value: Decimal


Value = Cell | Linked | AtMost


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: its address, title, what it counts, and its rows."""

    key: str
    title: str
    what: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Value, ...]]
    total: tuple[Value, ...] | None = None
    chart: Chart | None = None

    def lines(self) -> Iterator[tuple[Cell, ...]]:
        """The table as a file; its total is left to whoever adds it up."""
        yield tuple(f"{one.label}, %" if one.kind == "share" else one.label for one in self.columns)
        for row in self.rows:
            yield tuple(bare(value) for value in row)


def bare(value: Value) -> Cell:
    """The value without its link."""
    return value.value if isinstance(value, Linked | AtMost) else value


def told(value: Value, kind: str) -> str:
    """The value as the page writes it."""
    found = bare(value)
    if found is None:
        return NOTHING
    if isinstance(value, AtMost):
        return f"≤\N{NO-BREAK SPACE}{told(found, kind)}"
    if kind == "share":
        return f"{found} %".replace(".", ",").replace(" ", "\N{NO-BREAK SPACE}")
    if kind == "count" and isinstance(found, int):
        return f"{found:,}".replace(",", "\N{NO-BREAK SPACE}")
    return str(cell(found)) if isinstance(found, Decimal) else str(found)


def share(part: int | Decimal, whole: int | Decimal) -> Decimal | None:
    """So many per cent, to a tenth, half a tenth upward; nothing of nothing is no number."""
    if not whole:
        return None
    return (Decimal(part) * 100 / Decimal(whole)).quantize(_TENTH, ROUND_HALF_UP)

"""Files for spreadsheets, as a Russian Excel opens them: UTF-8 with its mark, semicolons, a decimal comma.

A cell of text never begins a formula (OWASP, CSV Injection). A number is written as a number, the negative
one too: its sign is followed by nothing but digits, so there is nothing in it to calculate.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from decimal import Decimal

#: Without it a Russian Excel does not take the file for UTF-8.
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
COMMA, POINT = "comma", "point"

Cell = str | int | Decimal | None

# What begins a formula, the full-width signs that some programs take for the plain ones among it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def line(cells: Iterable[Cell], decimal: str = COMMA) -> str:
    """One line of a file; *decimal* is the sign before the kopecks, ``comma`` or ``point``."""
    written = io.StringIO()
    csv.writer(written, delimiter=";").writerow(_written(cell, decimal) for cell in cells)
    return written.getvalue()


def plain(text: str) -> str:
    """*text* so that no spreadsheet calculates it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _written(cell: Cell, decimal: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return f"{cell:f}".replace(".", "," if decimal == COMMA else ".")
    return str(cell) if isinstance(cell, int) else plain(cell)

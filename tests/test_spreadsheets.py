"""Files for spreadsheets: nothing in them is calculated, nothing is lost."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import spreadsheets

#: Texts as people write them into names and reasons, hostile ones among them.
TEXTS = st.text() | st.builds(
    "{}{}".format, st.sampled_from(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠", "'=")), st.text()
)
_NUMBER = re.compile(r"-?[0-9]+([.,][0-9]+)?", re.ASCII)


def begins_a_formula(cell: str) -> bool:
    """What a spreadsheet would calculate, or might: a plain number is none."""
    return cell[:1] in set("=+-@\t\r\n＝＋－＠") and not _NUMBER.fullmatch(cell)


def read(written: str) -> list[list[str]]:
    """The file as a spreadsheet takes it apart."""
    return list(csv.reader(io.StringIO(written, newline=""), delimiter=";"))


@given(texts=st.lists(TEXTS, min_size=1))
def test_no_cell_begins_a_formula(texts: list[str]) -> None:
    """Whatever text a cell holds, it is shown and not calculated, and is one cell of one line."""
    rows = read(spreadsheets.line(texts))
    assert len(rows) == 1
    assert not any(begins_a_formula(cell) for cell in rows[0])
    assert [cell.removeprefix("'") for cell in rows[0]] == [text.removeprefix("'") for text in texts]


@given(
    amounts=st.lists(st.decimals(min_value=-(10**9), max_value=10**9, places=2, allow_nan=False), min_size=1),
    sign=st.sampled_from((spreadsheets.COMMA, spreadsheets.POINT)),
)
def test_numbers_stay_numbers(amounts: list[Decimal], sign: str) -> None:
    """An amount, below nothing too, is written so that it can be added up, to the kopeck, by either sign."""
    cells = read(spreadsheets.line(amounts, sign))[0]
    assert all(_NUMBER.fullmatch(cell) for cell in cells)
    assert sum(Decimal(cell.replace(",", ".")) for cell in cells) == sum(amounts)
    assert ("," in cells[0]) == (sign == spreadsheets.COMMA)


@pytest.mark.parametrize(
    ("cell", "written"), ((None, ""), (7, "7"), (-7, "-7"), ("-7", "'-7"), ("=1", "'=1"))
)
def test_a_text_that_looks_like_a_number_is_text(cell: spreadsheets.Cell, written: str) -> None:
    """Only what is a number in the portal is one in the file."""
    assert spreadsheets.line([cell]).rstrip() == (written or '""')

"""Charts are drawn by whole numbers that add up."""

from __future__ import annotations

from decimal import Decimal

from portal.admin import charts
from portal.admin.charts import Series


def test_parts_stand_one_upon_the_other() -> None:
    """Without a gap, in the order of the series; little is seen, nothing or less than that is not."""
    chart = charts.stacked(
        "x",
        "y",
        ["Jan", "Feb"],
        [
            Series("left", "main", [Decimal(150_000), Decimal(-5)]),
            Series("kept", "quiet", [Decimal(65_000), Decimal(0)]),
            Series("back", "back", [Decimal("0.01"), Decimal(7)]),
        ],
    )
    left, kept, back = chart.bars[:3]
    assert left.y + left.height == chart.floor
    assert (kept.y + kept.height, back.y + back.height) == (left.y, kept.y)
    assert (left.x, left.width) == (kept.x, kept.width) == (back.x, back.width)
    assert back.height == 1
    assert [bar.height for bar in chart.bars[3:]] == [0, 0, 1]
    assert chart.upward[-1].text == "240\N{NO-BREAK SPACE}000"
    assert left.title == "Jan: left — 150\N{NO-BREAK SPACE}000"


def test_the_scale_ends_just_above_the_largest_value() -> None:
    """On a number of which a fourth is round."""
    for value, end in ((0, 4), (4, 4), (5, 8), (33, 40), (215_000, 240_000), (1_000_000, 1_200_000)):
        assert charts._round_up(Decimal(value)) == end

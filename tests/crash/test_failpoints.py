"""Where the quick run dies: at the points that leave something of their own behind."""

from __future__ import annotations

import pytest

from tests.crash import failpoints


@pytest.mark.parametrize(
    ("points", "chosen"),
    (
        (b"ssccssraccss", [3, 4, 7, 8, 9]),
        (b"ssccssra", [3, 4, 7, 8]),
        (b"ss", [1]),
    ),
    ids=("a commit is the last", "a request is the last", "reads only"),
)
def test_only_what_lies_behind_the_last_commit_is_left_out(points: bytes, chosen: list[int]) -> None:
    """A request that is still to be sent changes the gateway's books, wherever it stands."""
    assert failpoints.telling(points, 100) == chosen

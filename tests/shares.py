"""What an ordinary run takes of the combinations that a story could be told in: always the same ones.

Each value of each list is tried. COMBINATIONS=all in the environment tries each with every other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, TypeVar

T = TypeVar("T")

EVERY_ONE = os.environ.get("COMBINATIONS") == "all"


def pairs(*lists: Sequence[Any]) -> tuple[tuple[Any, ...], ...]:
    """One value of each list together; in an ordinary run each value as seldom as its list allows."""
    if EVERY_ONE:
        return tuple(product(*lists))
    most = max(map(len, lists))
    return tuple(tuple(values[number % len(values)] for values in lists) for number in range(most))


def share(values: Iterable[T], number: int) -> tuple[T, ...]:
    """The values that the first (0) or the second (1) of two stories tries, which take turns."""
    return tuple(values) if EVERY_ONE else tuple(values)[number::2]

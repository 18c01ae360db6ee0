"""What is left of the money: came in, less what went back, less what the gateways keep of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from portal.billing.questions import Line, Tally

Key = TypeVar("Key")

#: The figures that it is made of.
FIGURES = ("captured", "refunded", "fee")
_NONE = Tally()


@dataclass(frozen=True, slots=True)
class Takings:
    """The money of one day, one gateway, one window."""

    captured: Tally = _NONE
    refunded: Tally = _NONE
    #: Payments whose fee is known, and their fees together.
    fee: Tally = _NONE
    #: Payments whose fee no gateway has told yet, and their own sum: what is kept of that is not known.
    without_fee: Tally = _NONE

    @property
    def before_fees(self) -> Decimal:
        """What is left without regard to fees; below nothing where more went back than came in."""
        return self.captured.amount - self.refunded.amount

    @property
    def net(self) -> Decimal:
        """What is left; where some fee is not known yet, the most that can be left."""
        return self.before_fees - self.fee.amount

    def __add__(self, other: Takings) -> Takings:
        """Both together."""
        return Takings(
            self.captured + other.captured,
            self.refunded + other.refunded,
            self.fee + other.fee,
            self.without_fee + other.without_fee,
        )


def by(lines: Iterable[Line], key: Callable[[Line], Key]) -> dict[Key, Takings]:
    """The money of these figures, for each value of *key*."""
    found: dict[Key, Takings] = {}
    for line in lines:
        if line.name in FIGURES:
            which, name = key(line), line.name
            if name == "fee" and line.detail == "unknown":
                name = "without_fee"
            had = found.setdefault(which, Takings())
            found[which] = replace(had, **{name: getattr(had, name) + line.tally})
    return found


def total(found: Iterable[Takings]) -> Takings:
    """All of it together."""
    return sum(found, Takings())

"""The one way an amount enters or leaves the portal: exact roubles and kopecks as :class:`~decimal.Decimal`.

Floats are refused, not rounded: ``int(19.99 * 100)`` is 1998.
"""

from __future__ import annotations

import re
from decimal import Decimal

KOPECK = Decimal("0.01")
ZERO = Decimal("0.00")
LARGEST = Decimal("9999999999.99")

# What both gateways write: ASCII digits, a dot, at most two decimals. "1e3", "990,00", " 5", "−1" and full-
# width digits are not amounts.
_WRITTEN = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?", re.ASCII)


class NotAnAmount(ValueError):
    """The value cannot be an exact, non-negative amount of roubles and kopecks."""


def money(value: str | int | Decimal) -> Decimal:
    """Read an amount exactly, to two decimals.

    Raises :class:`NotAnAmount` for anything that would need rounding or guessing, floats among it.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise NotAnAmount(f"{type(value).__name__} is not an amount")
    if isinstance(value, str):
        if not _WRITTEN.fullmatch(value):
            raise NotAnAmount("not written as an amount")
        value = Decimal(value)
    exact = Decimal(value)
    if not exact.is_finite() or exact < 0 or exact > LARGEST:
        raise NotAnAmount("outside the range of amounts")
    rounded = exact.quantize(KOPECK)
    if rounded != exact:
        raise NotAnAmount("finer than a kopeck")
    return rounded


def portion(amount: Decimal, part: int, whole: int) -> Decimal:
    """``amount × part / whole``, rounded down to the kopeck, never less than nothing nor more than *amount*.

    Whole numbers all the way: nothing is lost between the parts. *whole* must be positive.
    """
    if whole <= 0:
        raise NotAnAmount("a portion of nothing")
    kopecks = int(money(amount) * 100) * min(max(part, 0), whole) // whole
    return Decimal(kopecks).scaleb(-2)


def to_wire(amount: Decimal) -> str:
    """Write an amount the way the APIs do: ``"990.00"``."""
    return f"{money(amount):.2f}"


def to_people(amount: Decimal, currency: str = "RUB") -> str:
    """Write an amount for a person: ``1 990 ₽``, kopecks only when there are any, with no-break spaces."""
    exact = money(amount)
    roubles, kopecks = divmod(exact, 1)
    text = f"{int(roubles):,}".replace(",", "\u00a0")
    if kopecks:
        text += f",{int(kopecks * 100):02d}"
    return f"{text}\u00a0{'₽' if currency == 'RUB' else currency}"

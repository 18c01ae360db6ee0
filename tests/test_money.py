from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import LARGEST, NotAnAmount, money, to_people, to_wire

KOPECKS = st.integers(min_value=0, max_value=int(LARGEST * 100))


@pytest.mark.parametrize(
    ("written", "amount"),
    (
        ("0", "0.00"),
        ("0.00", "0.00"),
        ("990", "990.00"),
        ("990.0", "990.00"),
        ("990.00", "990.00"),
        ("0.01", "0.01"),
        ("9999999999.99", "9999999999.99"),
        (990, "990.00"),
        (0, "0.00"),
        (Decimal("9.9e2"), "990.00"),
        (Decimal("990.0000"), "990.00"),
    ),
)
def test_an_amount_is_read_exactly(written: Any, amount: str) -> None:
    """What both gateways write, and whole numbers and decimals of ours, become roubles with two decimals."""
    assert str(money(written)) == amount


@pytest.mark.parametrize(
    "written",
    (
        *(
            "",
            " ",
            "990,00",
            "9.9e2",
            "1e3",
            " 990",
            "990 ",
            "990\n",
            "+1",
            "-1",
            "-0.01",
            "−1",
            "990.",
            ".5",
        ),
        *(
            "990.001",
            "0x10",
            "９９０",
            "٩٩٠",
            "1_000",
            "1 000",
            "NaN",
            "Infinity",
            "-Infinity",
            "10000000000",
        ),
        *(19.99, 990.0, float("nan"), True, False, None, b"990", ["990"], -1, 10**10),
        *(Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-0.01"), Decimal("0.001")),
        Decimal("9999999999.991"),
    ),
)
def test_what_is_no_amount_is_refused(written: Any) -> None:
    """Whatever would have to be rounded, guessed or converted from a float is no amount."""
    with pytest.raises(NotAnAmount):
        money(written)


@given(KOPECKS)
def test_an_amount_survives_the_wire(kopecks: int) -> None:
    """Every amount is read back as the amount it was written as, to the kopeck."""
    amount = Decimal(kopecks) / 100
    assert money(to_wire(amount)) == amount
    assert to_wire(amount) == f"{kopecks // 100}.{kopecks % 100:02d}"


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_a_decimal_is_an_amount_or_refused(value: Decimal) -> None:
    """A decimal is taken only when it is an exact number of kopecks within bounds; nothing else escapes."""
    try:
        amount = money(value)
    except NotAnAmount:
        return
    assert amount == value
    assert amount.as_tuple().exponent == -2
    assert 0 <= amount <= LARGEST


@given(st.text(max_size=20))
def test_a_text_is_an_amount_or_refused(text: str) -> None:
    """A text is taken only when it is ASCII digits with at most two decimals."""
    try:
        amount = money(text)
    except NotAnAmount:
        return
    assert text.isascii()
    assert text.replace(".", "", 1).isdigit()
    assert amount == Decimal(text)


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    (
        ("0", "RUB", "0\u00a0₽"),
        ("990.00", "RUB", "990\u00a0₽"),
        ("1990.50", "RUB", "1\u00a0990,50\u00a0₽"),
        ("1234567.05", "RUB", "1\u00a0234\u00a0567,05\u00a0₽"),
        ("10", "KZT", "10\u00a0KZT"),
    ),
)
def test_people_read_roubles(amount: str, currency: str, words: str) -> None:
    """Thousands apart, kopecks only where there are any, spaces that do not break."""
    assert to_people(Decimal(amount), currency) == words

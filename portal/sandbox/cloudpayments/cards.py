"""Test cards and what becomes of them: the official table, the two cards of the shop's own manual, and the
rest.

Source of the table: https://developers.cloudpayments.ru, "Тестирование". Two cards are not in it and are
kept because shops use them: 4444 4444 4444 4444 (insufficient funds) and 4000 0000 0000 0002 (card
blocked). The latter declines with 5005 "Do Not Honor", because that is the row of the handbook whose cause
says "карта заблокирована".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from portal.sandbox.cloudpayments.reasons import (
    APPROVED,
    DO_NOT_HONOR,
    EXPIRED_CARD,
    INSUFFICIENT_FUNDS,
    INVALID_CARD_NUMBER,
)

VISA = "Visa"
MASTERCARD = "MasterCard"
MIR = "MIR"
MAESTRO = "Maestro"


@dataclass(frozen=True)
class TestCard:
    """One row of the table: number, whether the issuer asks, and the reasons of first and of token
    payments.
    """

    __test__ = False

    number: str
    network: str
    three_ds: bool
    first: int
    by_token: int
    title: str


@dataclass(frozen=True)
class EnteredCard:
    """What a payer typed into a form; any CVV is right."""

    number: str
    month: int
    year: int
    name: str = ""


def _row(number: str, network: str, three_ds: bool, first: int, by_token: int, title: str) -> TestCard:
    return TestCard(number.replace(" ", ""), network, three_ds, first, by_token, title)


_SUCCESS = "Успех"
_OK = APPROVED
_NO_FUNDS = INSUFFICIENT_FUNDS

TABLE: tuple[TestCard, ...] = (
    _row("4242 4242 4242 4242", VISA, True, _OK, _OK, "3-D Secure, успех"),
    _row("5555 5555 5555 4444", MASTERCARD, True, _OK, _OK, "3-D Secure, успех"),
    _row("2200 0000 0000 0004", MIR, True, _OK, _OK, "3-D Secure, успех"),
    _row("4012 8888 8888 1881", VISA, True, _NO_FUNDS, _NO_FUNDS, "3-D Secure, недостаточно средств"),
    _row("5105 1051 0510 5100", MASTERCARD, True, _NO_FUNDS, _NO_FUNDS, "3-D Secure, недостаточно средств"),
    _row("2202 2022 0220 2200", MIR, True, _NO_FUNDS, _NO_FUNDS, "3-D Secure, недостаточно средств"),
    _row("4000 0000 0000 3055", VISA, False, _OK, _OK, _SUCCESS),
    _row("5205 0000 0000 3055", MASTERCARD, False, _OK, _OK, _SUCCESS),
    _row("2202 0000 0000 3055", MIR, False, _OK, _OK, _SUCCESS),
    _row("4111 1111 1111 1111", VISA, False, _OK, _NO_FUNDS, "Успех, повтор по токену – отказ"),
    _row("5200 8282 8282 8210", MASTERCARD, False, _OK, _NO_FUNDS, "Успех, повтор по токену – отказ"),
    _row("2200 0000 2222 2222", MIR, False, _OK, _NO_FUNDS, "Успех, повтор по токену – отказ"),
    _row("4000 0566 5566 5556", VISA, False, _NO_FUNDS, _NO_FUNDS, "Недостаточно средств"),
    _row("5404 0000 0000 0043", MASTERCARD, False, _NO_FUNDS, _NO_FUNDS, "Недостаточно средств"),
    _row("2203 0000 0000 0043", MIR, False, _NO_FUNDS, _NO_FUNDS, "Недостаточно средств"),
    _row("4444 4444 4444 4444", VISA, False, _NO_FUNDS, _NO_FUNDS, "Недостаточно средств"),
    _row("4000 0000 0000 0002", VISA, False, DO_NOT_HONOR, DO_NOT_HONOR, "Карта заблокирована"),
)

_BY_NUMBER = {card.number: card for card in TABLE}


def lookup(number: str) -> TestCard:
    """Return the row for a number; one that is in no table succeeds without 3-D Secure when Luhn allows
    it.
    """
    digits = digits_of(number)
    if digits in _BY_NUMBER:
        return _BY_NUMBER[digits]
    first = APPROVED if luhn(digits) else INVALID_CARD_NUMBER
    return TestCard(digits, network_of(digits), False, first, APPROVED, "")


def first_outcome(card: EnteredCard, today: date) -> int:
    """Return the ReasonCode of a payment with the card itself; any CVV is right, a date in the past is
    not.
    """
    if (card.year, card.month) < (today.year, today.month):
        return EXPIRED_CARD
    return lookup(card.number).first


def digits_of(number: str) -> str:
    """Strip everything but digits."""
    return re.sub(r"\D", "", number)


def luhn(digits: str) -> bool:
    """Tell whether 12 to 19 digits carry a right check digit."""
    if not 12 <= len(digits) <= 19:
        return False
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def acceptable(number: str) -> bool:
    """Tell whether a form should take the number: Luhn holds, or it is one of the table's."""
    digits = digits_of(number)
    return digits in _BY_NUMBER or luhn(digits)


def network_of(digits: str) -> str:
    """Name the network by the first digits, in the spelling seen on the wire (``MasterCard``, ``MIR``)."""
    if digits.startswith("220"):
        return MIR
    if digits.startswith("4"):
        return VISA
    if digits[:2] in {"51", "52", "53", "54", "55"} or "2221" <= digits[:4] <= "2720":
        return MASTERCARD
    return MAESTRO


#: CardTypeCode: only Visa = 0 is documented; the rest are the sandbox's own numbers.
TYPE_CODES = {VISA: 0, MASTERCARD: 1, MAESTRO: 2, MIR: 3}


def spaced(number: str) -> str:
    """Write a number in groups of four for a person."""
    return " ".join(number[index : index + 4] for index in range(0, len(number), 4))


def groups() -> list[tuple[str, list[str]]]:
    """Return the table for a person: titles with their numbers in groups of four, plain success first."""
    found: dict[str, list[str]] = {_SUCCESS: []}
    for card in TABLE:
        found.setdefault(card.title, []).append(spaced(card.number))
    return list(found.items())

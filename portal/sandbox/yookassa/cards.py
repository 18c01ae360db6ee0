"""Test cards and what becomes of them.

Sources: YooKassa's testing page (three cards for each outcome), CloudPayments' table of test cards, and two
cards that shops' manuals use on both: 4444 4444 4444 4444 and 4000 0000 0000 0002. For the latter, "card
blocked" is ``payment_method_restricted``, which YooKassa explains by a lost card. Any other number with a
valid check digit is paid without 3-D Secure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

SUCCESS = "success"
BY_NETWORK = "payment_network"
BY_GATEWAY = "yoo_money"


@dataclass(frozen=True)
class Outcome:
    """How a first payment ends: ``reason`` is ``success`` or one of YooKassa's cancellation reasons."""

    reason: str
    party: str = BY_NETWORK
    three_ds: bool = False


_TABLE: tuple[tuple[str, Outcome, str], ...] = (
    (
        "Успех с 3-D Secure",
        Outcome(SUCCESS, three_ds=True),
        "5555555555554477 4793128161644804 2200000000000004",
    ),
    ("Успех без 3-D Secure", Outcome(SUCCESS), "5555555555554444 4111111111111111 2202474301322987"),
    ("Не хватает денег", Outcome("insufficient_funds"), "4444444444444444"),
    ("Карта заблокирована", Outcome("payment_method_restricted"), "4000000000000002"),
    (
        "3-D Secure не пройден",
        Outcome("3d_secure_failed", three_ds=True),
        "5555555555554592 4839665499603842 2200000000000012",
    ),
    ("Обратитесь в банк", Outcome("call_issuer"), "5555555555554535 4926946416239025 2200000000000020"),
    ("Карта просрочена", Outcome("card_expired"), "5555555555554543 4141435412630840 2200000000000038"),
    (
        "Подозрение в мошенничестве",
        Outcome("fraud_suspected"),
        "5555555555554568 4483274282299972 2200000000000046",
    ),
    (
        "Отказ без объяснения",
        Outcome("general_decline"),
        "5555555555554527 4889971706588753 2202202212312379",
    ),
    (
        "Не хватает денег (карты ЮKassa)",
        Outcome("insufficient_funds"),
        "5555555555554600 4562265587712390 2200000000000053",
    ),
    ("Неверный номер", Outcome("invalid_card_number"), "5555555555554618 4951017853630544 2201382000000013"),
    ("Неверный CVC", Outcome("invalid_csc"), "5555555555554626 4194180666146368 2200770212727079"),
    ("Банк недоступен", Outcome("issuer_unavailable"), "5555555555554501 4654130848359150 2201382000000021"),
    (
        "Лимит исчерпан",
        Outcome("payment_method_limit_exceeded"),
        "5555555555554576 4565231022577548 2201382000000039",
    ),
    (
        "Операции запрещены",
        Outcome("payment_method_restricted"),
        "5555555555554550 4233961169071671 2201382000000047",
    ),
    (
        "Страна не поддерживается",
        Outcome("country_forbidden", BY_GATEWAY),
        "5555555555554584 4969751510013864 2201382000000054",
    ),
    (
        "Мошенничество (ЮKassa)",
        Outcome("fraud_suspected", BY_GATEWAY),
        "5555555555554634 4119098878796485 2201696981989955",
    ),
    (
        "Другие системы: успех",
        Outcome(SUCCESS),
        "6759649826438453 4175001000000017 370000000000002 3528000700000000 36700102000000",
    ),
    ("CloudPayments: успех с 3-D Secure", Outcome(SUCCESS, three_ds=True), "4242424242424242"),
    (
        "CloudPayments: не хватает денег, 3-D Secure",
        Outcome("insufficient_funds", three_ds=True),
        "4012888888881881 5105105105105100 2202202202202200",
    ),
    (
        "CloudPayments: успех",
        Outcome(SUCCESS),
        "4000000000003055 5205000000003055 2202000000003055 5200828282828210 2200000022222222",
    ),
    (
        "CloudPayments: не хватает денег",
        Outcome("insufficient_funds"),
        "4000056655665556 5404000000000043 2203000000000043",
    ),
)
_BY_NUMBER = {number: outcome for _, outcome, numbers in _TABLE for number in numbers.split()}

_NETWORKS = (
    (("2200", "2201", "2202", "2203", "2204"), "Mir"),
    (("34", "37"), "AmericanExpress"),
    (("35",), "JCB"),
    (("30", "36", "38"), "DinersClub"),
    (("62",), "UnionPay"),
    (("4",), "Visa"),
    (("2", "5"), "MasterCard"),
)


def offered() -> list[tuple[str, list[str]]]:
    """The table for a page: a title and the numbers that behave so."""
    return [(title, numbers.split()) for title, _, numbers in _TABLE]


def reasons() -> set[str]:
    """Every outcome that a card of the table has."""
    return {outcome.reason for outcome in _BY_NUMBER.values()}


def is_number(number: str) -> bool:
    """Whether this can be typed as a card number: a test card, or 13–19 digits with a right check digit."""
    if number in _BY_NUMBER:
        return True
    if not number.isascii() or not number.isdigit() or not 13 <= len(number) <= 19:
        return False
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(number))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def outcome_of(number: str) -> Outcome:
    """How the first payment with a card ends."""
    return _BY_NUMBER.get(number, Outcome(SUCCESS) if is_number(number) else Outcome("invalid_card_number"))


def network(number: str) -> str:
    """The card's payment system in YooKassa's spelling."""
    return next((name for prefixes, name in _NETWORKS if number.startswith(prefixes)), "Unknown")


def card_document(number: str, month: str, year: str) -> dict[str, Any]:
    """The ``card`` object of a payment method."""
    return {
        "first6": number[:6],
        "last4": number[-4:],
        "expiry_year": year,
        "expiry_month": month,
        "card_type": network(number),
        "issuer_country": "RU",
        "issuer_name": "Sandbox Bank",
    }


def has_expired(card: dict[str, Any], now: datetime) -> bool:
    """Whether the month printed on a card is over."""
    return (int(card["expiry_year"]), int(card["expiry_month"])) < (now.year, now.month)

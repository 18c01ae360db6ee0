"""What the text of a setting may be, and the sentence for one that does not fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import pairwise

from portal.errors import InvalidRequest
from portal.money import NotAnAmount, money

#: Card networks fine a shop that charges one card more often for one period.
MOST_TRIES = 4
LONGEST = 500
_LARGEST_NUMBER = 9999

CHOICES: Mapping[str, frozenset[str]] = {
    "refund_policy": frozenset({"full", "unused_days", "unused_quota"}),
    "first_gateway": frozenset({"cloudpayments", "yookassa"}),
    "lead_to_gateway": frozenset({"", "cloudpayments", "yookassa"}),
    # YooKassa's numbers (yookassa.md 5.2); the other gateway's are made of them.
    "receipt_vat_code": frozenset({"1", "2", "3", "5", "7", "8", "9", "10", "11", "12"}),
    "receipt_tax_system": frozenset({"", "1", "2", "3", "5", "6"}),
    "receipt_subject": frozenset(
        {"service", "commodity", "job", "intellectual_activity", "payment", "another"}
    ),
    "receipt_mode": frozenset({"full_prepayment", "advance", "full_payment"}),
}

#: Beyond these a number is a slip of the finger.
_LARGEST: Mapping[str, int] = {"auto_renewal_days_before": 30, "grace_days": 60}


class WrongSetting(InvalidRequest):
    """The text does not fit; the message says what would."""

    code = "WRONG_SETTING"


def parse(name: str, kind: str, text: str) -> str | int | bool | Decimal:
    """Give a setting's text the field's type. Raises :class:`WrongSetting`."""
    text = text.strip()
    if kind == "bool":
        if text.lower() not in {"true", "false"}:
            raise WrongSetting(f"{name}: нужно true или false.")
        return text.lower() == "true"
    if kind == "int":
        return _number(name, text)
    if kind == "Decimal":
        try:
            return money(text.replace(",", ".").replace(" ", "").replace("\N{NO-BREAK SPACE}", ""))
        except NotAnAmount:
            raise WrongSetting(f"{name}: нужна сумма в рублях, например 10000 или 10000,50.") from None
    if name in CHOICES and text not in CHOICES[name]:
        raise WrongSetting(f"{name}: нужно одно из {', '.join(sorted(CHOICES[name]))}.")
    if len(text) > LONGEST or not text.isprintable():
        raise WrongSetting(f"{name}: не больше {LONGEST} знаков в одну строку.")
    return _RULES[name](text) if name in _RULES and (text or name in _NEVER_EMPTY) else text


def _number(name: str, text: str) -> int:
    most = _LARGEST.get(name, _LARGEST_NUMBER)
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) <= most):
        raise WrongSetting(f"{name}: нужно целое число от 0 до {most}.")
    return int(text)


def _days(text: str) -> str:
    """At most four growing numbers of days, the first of them 0: the card networks allow no more tries."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) <= 2 for word in words):
        raise WrongSetting("retry_schedule: нужны числа дней через запятую, например 0,1,3,7.")
    days = [int(word) for word in words]
    if days[0] != 0 or len(days) > MOST_TRIES or any(a >= b for a, b in pairwise(days)):
        raise WrongSetting("retry_schedule: первое число 0, дальше по возрастанию, всего не больше четырёх.")
    return ",".join(map(str, days))


def _like(pattern: str, sentence: str) -> Callable[[str], str]:
    """A rule: the whole text is of *pattern*."""
    compiled = re.compile(pattern, re.ASCII)

    def rule(text: str) -> str:
        if not compiled.fullmatch(text):
            raise WrongSetting(sentence)
        return text

    return rule


_url = r"https?://[^\s]+|/[^\s]*"
_RULES: Mapping[str, Callable[[str], str]] = {
    "retry_schedule": _days,
    "cloudpayments_public_id": _like(
        r"[\w-]{1,64}", "Public ID состоит из латинских букв, цифр, «_» и «-»: pk_… или test_api_…."
    ),
    "cloudpayments_api_secret": _like(r"[\x21-\x7e]{1,200}", "Пароль API вводится без пробелов."),
    "yookassa_shop_id": _like(r"[0-9]{1,20}", "shopId — только цифры; он виден вверху кабинета ЮKassa."),
    "yookassa_secret_key": _like(
        r"[\x21-\x7e]{1,200}", "Секретный ключ вводится без пробелов: live_… или test_…."
    ),
    "seller_inn": _like(r"[0-9]{10}|[0-9]{12}", "ИНН — 10 цифр у организации, 12 у предпринимателя."),
    "seller_ogrn": _like(r"[0-9]{13}|[0-9]{15}", "ОГРН — 13 цифр, ОГРНИП — 15."),
    "seller_email": _like(r"[^@\s]+@[^@\s]+\.[^@\s]+", "Нужен адрес почты, например shop@example.ru."),
    "offer_url": _like(_url, "Нужен адрес страницы, например https://example.ru/oferta."),
    "privacy_url": _like(_url, "Нужен адрес страницы, например https://example.ru/privacy."),
}
#: Texts that must say something.
_NEVER_EMPTY = frozenset({"retry_schedule"})

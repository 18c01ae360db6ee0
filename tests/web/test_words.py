from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal import mail
from portal.models import Channel, Notification
from portal.web import words

MOMENT = "2026-12-19T12:00:00+00:00"
MONEY = {"amount": "990.00", "currency": "RUB", "plan_title": "Про", "gateway": "cloudpayments"}
EMAILS = Path(__file__).parents[2] / "templates" / "emails"
LETTERS_ONLY = {
    "card_elsewhere",
    "account_closed",
    "already_registered",
    "change_email",
    "change_email_asked",
    "email_changed",
    "email_wanted",
    "base",
    "confirm_email",
    "password_changed",
    "reset_password",
}

SAID: dict[str, tuple[dict[str, Any], str]] = {
    "payment_succeeded": (
        {"ends_at": MOMENT},
        "Тариф «Про» оплачен: Получили 990 ₽, тариф действует до 19 декабря 2026.",
    ),
    "payment_failed": ({"failure_code": "5051"}, "Платёж 990 ₽ не прошёл: На карте или счёте не хватило"),
    "refunded": ({"whole": False}, "Возврат 990 ₽: Вернули часть суммы за «Про», тариф действует."),
    "refund_failed": ({}, "Возврат 990 ₽ задерживается: Платёжная система не провела возврат за «Про»."),
    "plan_canceled": (
        {"plan_titles": ["Про", "Старт"], "sums": [{"amount": "990.00", "currency": "RUB"}]},
        "Тарифы «Про» и «Старт» отменены: Вернём 990 ₽ тем же способом",
    ),
    "renewal_coming": (
        {"charge_at": MOMENT, "method": "Visa •• 4242"},
        "19 декабря 2026 спишем 990 ₽: Продление тарифа «Про», Visa •• 4242.",
    ),
    "renewed": (
        {"ends_at": MOMENT},
        "Тариф «Про» продлён: Списали 990 ₽, тариф действует до 19 декабря 2026.",
    ),
    "renewal_failed": (
        {"failure_code": "5051", "next_try_at": MOMENT},
        (
            "Не удалось продлить тариф «Про»: На карте или счёте не хватило денег. Пополните счёт или "
            "оплатите другой картой. Деньги не списаны. Попробуем ещё раз 19 декабря 2026, 15:00 МСК."
        ),
    ),
    "plan_ends": ({"ends_at": MOMENT}, "Тариф «Про» действует до 19 декабря 2026, 15:00 МСК: Сам он не"),
    "plan_ended": (
        {"ended_at": MOMENT},
        "Тариф «Про» закончился: Срок вышел 19 декабря 2026, 15:00 МСК. Ваши",
    ),
    "card_expires": (
        {"method": "Visa •• 4242", "month": "12/2026", "charge_at": MOMENT},
        "Скоро закончится срок карты: Visa •• 4242: Карта действует по 12/2026. Следующее списание — 19",
    ),
    "price_changes": (
        {"moves_at": MOMENT, "raised": True},
        "С 19 декабря 2026 тариф «Про» стоит 990 ₽: Без вашего согласия новая цена не спишется",
    ),
    "price_stays": (
        {"old_amount": "390.00"},
        "Цена тарифа «Про» не изменится: Вы, как и прежде, платите 390",
    ),
    "price_stopped": ({}, "Тариф «Про» больше не продлевается: На новую цену, 990 ₽, вы не соглашались"),
    "plan_extended": (
        {"days": 7, "ends_at": MOMENT},
        "Добавили 7 дней к тарифу «Про»: Теперь он действует до 19 декабря 2026, 15:00 МСК.",
    ),
    "renewal_stopped": (
        {"ends_at": MOMENT},
        "Тариф «Про» больше не продлевается: Поддержка отключила продление, списаний больше не будет.",
    ),
    "plan_changed": (
        {"what": "now", "credit": "495.00", "ends_at": MOMENT},
        "Вы перешли на тариф «Про»: Заплачено 990 ₽, зачтено 495 ₽. Тариф действует до 19 декабря",
    ),
    "change_returned": ({}, "Вернём 990 ₽: Менять тариф на «Про» было уже поздно: прежнего нет."),
    "quota_low": (
        {"percent": 80, "emails_left": 9000, "ends_at": MOMENT, "next_starts_at": None},
        "Использовано 80 % писем: тариф «Про»: Осталось 9 000 писем до 19 декабря 2026. Новые появятся",
    ),
    "quota_spent": (
        {"next_starts_at": MOMENT, "next_emails": 50000},
        "Письма закончились: тариф «Про»: Отправка остановлена. 50 000 писем добавятся 19 декабря 2026",
    ),
}


@pytest.mark.parametrize("kind", SAID)
def test_every_notice_has_its_words(app: Flask, kind: str) -> None:
    """What happened, the sum, the day, and what follows."""
    facts, expected = SAID[kind]
    row = Notification(
        kind=kind, channel=Channel.PORTAL, facts={**MONEY, **facts}, created_at=datetime.now(UTC)
    )
    with app.test_request_context():
        found = words.told(row)
    assert found
    said = re.sub("[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]", " ", f"{found.title}: {found.text}")
    assert said.startswith(expected), said


def test_whatever_is_written_in_a_letter_stands_in_the_portal_too() -> None:
    """Every letter but those of the account has words for the dashboard, and a text beside its page."""
    letters = {path.stem for path in EMAILS.glob("*.txt")}
    assert letters | {"base"} == {path.stem for path in EMAILS.glob("*.html")}
    assert letters - LETTERS_ONLY == set(words._WORDS) == set(SAID)


@pytest.mark.parametrize(
    ("what", "expected"),
    (
        (
            "restored",
            "Снова действует тариф «Про»: Деньги за переход на «Бизнес» вернулись. Тариф действует до 19",
        ),
        (
            "scheduled",
            "С 19 декабря 2026 — тариф «Про»: Тариф «Бизнес» действует до конца оплаченного срока.",
        ),
        ("stays", "Тариф «Про» остаётся: Следующее продление: 990 ₽."),
    ),
)
def test_every_change_of_plan_has_its_words(app: Flask, what: str, expected: str) -> None:
    """Paid at once, put off, taken back, undone: each is told as what it is, here and in the letter."""
    more = {
        "what": what,
        "old_title": "Бизнес",
        "emails_left": 7,
        "charge_at": MOMENT,
        "base_url": "https://x",
    }
    facts = {**MONEY, **more, "ends_at": MOMENT, "starts_at": MOMENT}
    row = Notification(kind="plan_changed", channel=Channel.PORTAL, facts=facts, created_at=datetime.now(UTC))
    with app.test_request_context():
        found = words.told(row)
        letter = mail.compose("plan_changed", facts)
    assert found
    said = re.sub("[\N{NO-BREAK SPACE}]", " ", f"{found.title}: {found.text}")
    assert said.startswith(expected), said
    assert letter.subject == found.title
    assert "«Про»" in letter.text
    assert "«Про»" in letter.html

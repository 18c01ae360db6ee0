"""How facts are written for a reader of Russian."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask, render_template
from sqlalchemy.exc import OperationalError

from config import Config
from portal.billing import settings
from portal.models import Payment, PaymentStatus
from portal.web import filters
from tests.web.browser import Browser

LETTERS = (
    (0, "0 писем"),
    (1, "1 письмо"),
    (2, "2 письма"),
    (4, "4 письма"),
    (5, "5 писем"),
    (11, "11 писем"),
    (12, "12 писем"),
    (14, "14 писем"),
    (21, "21 письмо"),
    (22, "22 письма"),
    (25, "25 писем"),
    (101, "101 письмо"),
    (111, "111 писем"),
    (112, "112 писем"),
    (1_001, "1 001 письмо"),
    (3_000_000, "3 000 000 писем"),
)
DAYS = ((1, "1 день"), (3, "3 дня"), (11, "11 дней"), (30, "30 дней"), (31, "31 день"), (365, "365 дней"))
STATES = (
    ("pending", "0", "Не завершён"),
    ("authorized", "0", "В обработке"),
    ("succeeded", "0", "Оплачен"),
    ("succeeded", "1.00", "Возврат части"),
    ("succeeded", "990.00", "Возвращён"),
    ("failed", "0", "Не прошёл"),
    ("unknown", "0", "Выясняем"),
)


def plain(text: str) -> str:
    """The text with ordinary spaces, as a test is easier to read."""
    return text.replace(filters.NBSP, " ")


@pytest.mark.parametrize(("value", "written"), LETTERS)
def test_counted_letters_have_the_form_that_russian_asks_for(
    context: Flask, value: int, written: str
) -> None:
    """1 письмо, 2 письма, 5 писем, and the teens are many."""
    assert plain(filters.letters(value)) == written


@pytest.mark.parametrize(("value", "written"), DAYS)
def test_counted_days_have_the_form_that_russian_asks_for(context: Flask, value: int, written: str) -> None:
    """1 день, 3 дня, 30 дней."""
    assert plain(filters.days(value)) == written


def test_a_number_does_not_part_from_its_noun() -> None:
    """No line ends between the groups of a number, or between a number and what it counts."""
    assert " " not in filters.letters(50_000)
    assert "\N{NARROW NO-BREAK SPACE}" not in filters.letters(50_000)


@pytest.mark.parametrize(
    ("amount", "written"), (("990.00", "990 ₽"), (Decimal("2491.67"), "2 491,67 ₽"), ("0.05", "0,05 ₽"))
)
def test_money_shows_kopecks_only_when_there_are_any(amount: Decimal | str, written: str) -> None:
    """An amount reads the same from the wire's text and from the database's number."""
    assert plain(filters.money(amount)) == written


def test_moments_are_on_moscow_s_clock(context: Flask) -> None:
    """A moment is told with the name of its zone, also when it came out of a letter's facts as text."""
    there = datetime(2026, 12, 22, 11, 5, tzinfo=UTC)

    assert plain(filters.moment(there)) == "22 декабря 2026, 14:05 МСК"
    assert filters.moment(there.isoformat()) == filters.moment(there)


def test_a_day_begins_at_moscow_s_midnight(context: Flask) -> None:
    """Late in the evening by UTC it is already tomorrow for the reader."""
    assert plain(filters.day(datetime(2026, 12, 31, 22, 30, tzinfo=UTC))) == "1 января 2027"


def test_another_zone_is_told_by_its_offset(context: Flask, portal_config: Config) -> None:
    """TZ_DISPLAY moves the clock and the name beside it."""
    context.extensions["portal_config"] = replace(portal_config, tz_display="Asia/Yekaterinburg")

    assert plain(filters.moment(datetime(2026, 12, 22, 11, 5, tzinfo=UTC))) == "22 декабря 2026, 16:05 UTC+05"


def test_a_moment_without_a_zone_is_refused(context: Flask) -> None:
    """Nobody guesses what hour was meant."""
    with pytest.raises(ValueError, match="zone"):
        filters.moment("2026-12-22T11:05:00")


@pytest.mark.parametrize(("status", "refunded", "told"), STATES)
def test_every_state_of_a_payment_has_its_word(status: str, refunded: str, told: str) -> None:
    """What went back is told before the success that it was."""
    payment = Payment(
        status=PaymentStatus(status), amount=Decimal("990.00"), refunded_amount=Decimal(refunded)
    )

    assert filters.state(payment).text == told


def test_every_status_has_a_word() -> None:
    """A new status cannot reach a page without one."""
    assert {status for status, _, _ in STATES} == set(PaymentStatus)


def test_a_static_file_s_address_changes_with_its_contents(tmp_path: Path) -> None:
    """Browsers keep a file for ever under one address, so other contents need another."""
    (tmp_path / "a.css").write_text("a")
    (tmp_path / "b.css").write_text("b")

    assert filters._mark(str(tmp_path), "a.css") != filters._mark(str(tmp_path), "b.css")


def test_a_page_needs_no_database_for_its_footer(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the database down the seller's details are missing and the page is there."""

    def fail() -> None:
        raise OperationalError("SELECT 1", {}, Exception("down"))

    monkeypatch.setattr(settings, "current", fail)

    assert filters._shop()["shop"].seller_name == ""


def test_the_footer_names_the_seller(app: Flask) -> None:
    """Whoever pays can see whom."""
    with app.app_context():
        settings.put("seller_name", "ООО «Ромашка» & Ко", datetime(2026, 1, 1, tzinfo=UTC))

    assert "ООО «Ромашка» &amp; Ко" in Browser(app).get("/plans").text


FACTS = {
    "transaction_id": "b7c1",
    "gateway": "cloudpayments",
    "plan_title": "Про & <Ко>",
    "amount": "990.00",
    "currency": "RUB",
    "method": "Visa •• 4242",
    "ends_at": "2026-12-22T11:05:00+00:00",
    "failure_code": "5051",
    "base_url": "https://pay.example",
}


@pytest.mark.parametrize(
    ("kind", "words"),
    (
        ("payment_succeeded", ("990 ₽", "22 декабря 2026, 14:05 МСК", "Visa •• 4242", "/dashboard/")),
        ("payment_failed", ("990 ₽", "не хватило денег", "/billing/payment/b7c1/return")),
    ),
)
def test_letters_about_payments_say_what_happened(context: Flask, kind: str, words: tuple[str, ...]) -> None:
    """Both forms of a letter carry the facts, with no request around; only in HTML is a title escaped."""
    text = plain(render_template(f"emails/{kind}.txt", **FACTS))
    html = plain(render_template(f"emails/{kind}.html", **FACTS))

    subject, _, body = text.partition("\n\n")
    assert subject.strip().startswith("Subject: ")
    assert "\n" not in subject.strip()
    assert "«Про & <Ко>»" in body
    assert "«Про &amp; &lt;Ко&gt;»" in html
    for word in words:
        assert word in body
        assert word in html

"""How facts are written for the present reader: money, moments, counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, get_timezone_gmt
from babel.lists import format_list
from babel.numbers import format_decimal

from portal import running
from portal.money import money as exact
from portal.money import to_people
from portal.wording import SOURCE, language, say, say_many

NBSP = "\N{NO-BREAK SPACE}"


def money(amount: Decimal | str, currency: str = "RUB") -> str:
    """``1 990 ₽`` or ``₽1,990``; kopecks only when there are any. Takes the wire's ``"990.00"`` too."""
    if language() == SOURCE:
        return to_people(exact(amount), currency)
    value = exact(amount)
    text = f"{value:,.2f}" if value % 1 else f"{value:,.0f}"
    return f"₽{text}" if currency == "RUB" else f"{currency}{NBSP}{text}"


def number(value: int | Decimal) -> str:
    """``50 000`` or ``50,000``; Russian thousands are grouped with no-break spaces."""
    return format_decimal(value, locale=language()).replace("\N{NARROW NO-BREAK SPACE}", NBSP)


def percent(value: int) -> str:
    """``80 %`` or ``80%``."""
    return f"{value}{NBSP}%" if language() == SOURCE else f"{value}%"


def days(value: int) -> str:
    """``1 день``, ``2 дня``, ``30 дней``."""
    return say_many("%(num)s день", "%(num)s дней", value, number(value)).replace(" ", NBSP)


def letters(value: int) -> str:
    """``1 письмо``, ``50 000 писем``: what a plan lets its customer send."""
    return say_many("%(num)s письмо", "%(num)s писем", value, number(value)).replace(" ", NBSP)


def quoted(titles: Sequence[str]) -> str:
    """``«Про»``, ``«Старт», «Про» и «Бизнес»``: what the shop gave a name, as a list."""
    return format_list([say("«%(title)s»", title=title) for title in titles], locale=language())


def further_periods(value: int) -> str:
    """``Ещё 1 оплаченный срок``, ``Ещё 16 оплаченных сроков``: those that a list folds away."""
    return say_many("Ещё %(num)s оплаченный срок", "Ещё %(num)s оплаченных сроков", value, number(value))


def moment(value: datetime | str) -> str:
    """``22 декабря 2026, 14:05 МСК``: on the clock of TZ_DISPLAY, with its name. Takes ISO 8601 text too."""
    there = local(value)
    return f"{_by_calendar(there)}, {there:%H:%M}{NBSP}{_zone_name(there)}"


def day(value: datetime | str) -> str:
    """``22 декабря 2026``, as the calendar of TZ_DISPLAY has it."""
    return _by_calendar(local(value))


def calendar_day(value: date) -> str:
    """``22 декабря``: a day on the calendar, near enough to need no year."""
    return str(format_date(value, "d MMMM", locale=language())).replace(" ", NBSP)


def zone_name(value: datetime) -> str:
    """The name of the clock that times are told by: ``МСК``."""
    return _zone_name(local(value))


def local(value: datetime | str) -> datetime:
    """The same moment on the clock of TZ_DISPLAY."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if found.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return found.astimezone(ZoneInfo(running.config().tz_display))


def _by_calendar(there: datetime) -> str:
    """Day and month stay together; before the year a narrow screen may break the line."""
    text = format_datetime(there, "d MMMM y", tzinfo=there.tzinfo, locale=language())
    return str(text).replace(" ", NBSP, 1)


def _zone_name(there: datetime) -> str:
    """Moscow's time has a name of its own; for other zones the offset is what everybody understands."""
    if str(there.tzinfo) == "Europe/Moscow":
        return say("МСК")
    return "UTC" + str(get_timezone_gmt(there, width="iso8601_short", locale=language()))

"""How facts are written for a Russian reader: money, moments, counts, states; and what every template knows.

Templates calculate nothing; they pass ready facts through these filters.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, get_timezone_gmt
from babel.numbers import format_decimal
from flask import Flask, current_app, url_for
from sqlalchemy.exc import SQLAlchemyError

from portal import running
from portal.billing import settings
from portal.gateways import declines
from portal.models import Payment, PaymentStatus
from portal.money import money as exact
from portal.money import to_people

log = logging.getLogger(__name__)

NBSP = "\N{NO-BREAK SPACE}"
BRAND = "Конверт"


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in one or two words, and how good it is: good, wait, bad, plain."""

    text: str
    kind: str


_STATES = {
    PaymentStatus.PENDING: Badge("Не завершён", "plain"),
    PaymentStatus.AUTHORIZED: Badge("В обработке", "wait"),
    PaymentStatus.SUCCEEDED: Badge("Оплачен", "good"),
    PaymentStatus.FAILED: Badge("Не прошёл", "bad"),
    PaymentStatus.UNKNOWN: Badge("Выясняем", "wait"),
}


def init_app(app: Flask) -> None:
    """Teach *app*'s templates to write facts."""
    app.add_template_filter(money)
    app.add_template_filter(moment)
    app.add_template_filter(_local, "local")
    app.add_template_filter(day)
    app.add_template_filter(calendar_day)
    app.add_template_filter(zone_name)
    app.add_template_filter(number)
    app.add_template_filter(count)
    app.add_template_filter(days)
    app.add_template_filter(letters)
    app.add_template_filter(state)
    app.add_template_filter(decline)
    app.add_template_global(asset)
    app.jinja_env.globals["brand"] = BRAND
    app.context_processor(_shop)


def money(amount: Decimal | str, currency: str = "RUB") -> str:
    """``1 990 ₽``; kopecks only when there are any. Takes the wire's ``"990.00"`` too."""
    return to_people(exact(amount), currency)


def moment(value: datetime | str) -> str:
    """``22 декабря 2026, 14:05 МСК``: on the clock of TZ_DISPLAY, with its name. Takes ISO 8601 text too."""
    local = _local(value)
    return f"{_written(local, 'd MMMM y')}, {_written(local, 'HH:mm')}{NBSP}{_zone_name(local)}"


def day(value: datetime | str) -> str:
    """``22 декабря 2026``, as the calendar of TZ_DISPLAY has it."""
    return _written(_local(value), "d MMMM y")


def calendar_day(value: date) -> str:
    """``22 декабря``: a day on the calendar, near enough to need no year."""
    return _written(datetime.combine(value, time(12), _zone()), "d MMMM")


def zone_name(value: datetime) -> str:
    """The name of the clock that times are told by: ``МСК``."""
    return _zone_name(_local(value))


def number(value: int | Decimal) -> str:
    """``50 000``, grouped with no-break spaces."""
    return format_decimal(value, locale="ru").replace("\N{NARROW NO-BREAK SPACE}", NBSP)


def count(value: int, one: str, few: str, many: str) -> str:
    """A number with its noun as Russian asks: 1 письмо, 2 письма, 5 писем, 11 писем, 21 письмо."""
    return f"{number(value)}{NBSP}{_form(value, one, few, many)}"


def days(value: int) -> str:
    """``1 день``, ``2 дня``, ``30 дней``."""
    return count(value, "день", "дня", "дней")


def letters(value: int) -> str:
    """``1 письмо``, ``50 000 писем``."""
    return count(value, "письмо", "письма", "писем")


def state(payment: Payment) -> Badge:
    """How a payment stands, in a word. Money that went back is told before the success that it was."""
    if payment.status is PaymentStatus.SUCCEEDED and payment.refunded_amount:
        whole = payment.refunded_amount == payment.amount
        return Badge("Возвращён" if whole else "Возврат части", "plain")
    return _STATES[payment.status]


def decline(code: str | None, gateway: str) -> str:
    """The sentence for a gateway's code of refusal."""
    return declines.explain(gateway, code or "unknown").message_ru


def asset(filename: str) -> str:
    """The address of a static file with a mark of its contents, so that browsers may keep it for ever."""
    return url_for("static", filename=filename, v=_mark(str(current_app.static_folder), filename))


@lru_cache(maxsize=64)
def _mark(folder: str, filename: str) -> str:
    return hashlib.sha256((Path(folder) / filename).read_bytes()).hexdigest()[:12]


def _form(value: int, one: str, few: str, many: str) -> str:
    """CLDR's plural rules for Russian whole numbers."""
    last, tens = abs(value) % 10, abs(value) % 100
    if last == 1 and tens != 11:
        return one
    return few if 2 <= last <= 4 and not 12 <= tens <= 14 else many


def _zone() -> ZoneInfo:
    config = running.config()
    return ZoneInfo(config.tz_display)


def _local(value: datetime | str) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if found.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return found.astimezone(_zone())


def _written(local: datetime, pattern: str) -> str:
    """Day and month stay together; before the year a narrow screen may break the line."""
    return str(format_datetime(local, pattern, tzinfo=local.tzinfo, locale="ru")).replace(" ", NBSP, 1)


def _zone_name(local: datetime) -> str:
    """Russians write МСК; for other zones the offset is what everybody understands."""
    if str(local.tzinfo) == "Europe/Moscow":
        return "МСК"
    return str(get_timezone_gmt(local, width="iso8601_short", locale="ru")).join(("UTC", ""))


def _shop() -> dict[str, Any]:
    """The seller, for the footer. A page that tells of a database in trouble must not need the database."""
    try:
        return {"shop": settings.current()}
    except SQLAlchemyError:
        log.warning("The seller's details could not be read; the page goes out without them")
        return {"shop": settings.ShopSettings()}

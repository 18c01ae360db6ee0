"""How facts are written in templates: money, moments, counts, states; and what every template knows.

Templates calculate nothing; they pass ready facts through these filters.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from flask import Flask, current_app, url_for
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from portal.billing import settings
from portal.gateways import declines, titles
from portal.models import Payment, PaymentPurpose, PaymentStatus
from portal.wording import language, marked, russian, say
from portal.written import (
    NBSP,
    calendar_day,
    day,
    days,
    further_periods,
    letters,
    local,
    moment,
    money,
    number,
    percent,
    quoted,
    zone_name,
)

log = logging.getLogger(__name__)

__all__ = ("NBSP", "day", "days", "letters", "local", "moment", "money", "number", "percent")

BRAND = _l("Конверт")


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in one or two words, and how good it is: good, wait, bad, plain."""

    text: str
    kind: str


_STATES = {
    PaymentStatus.PENDING: Badge(marked("Не завершён"), "plain"),
    PaymentStatus.AUTHORIZED: Badge(marked("В обработке"), "wait"),
    PaymentStatus.SUCCEEDED: Badge(marked("Оплачен"), "good"),
    PaymentStatus.FAILED: Badge(marked("Не прошёл"), "bad"),
    PaymentStatus.UNKNOWN: Badge(marked("Выясняем"), "wait"),
}


def init_app(app: Flask) -> None:
    """Teach *app*'s templates to write facts."""
    app.add_template_filter(money)
    app.add_template_filter(moment)
    app.add_template_filter(local)
    app.add_template_filter(day)
    app.add_template_filter(calendar_day)
    app.add_template_filter(zone_name)
    app.add_template_filter(number)
    app.add_template_filter(count)
    app.add_template_filter(days)
    app.add_template_filter(letters)
    app.add_template_filter(further_periods)
    app.add_template_filter(state)
    app.add_template_filter(decline)
    app.add_template_filter(tells_of_money)
    app.add_template_filter(bought)
    app.add_template_filter(linked)
    app.add_template_filter(means)
    app.add_template_filter(percent)
    app.add_template_filter(quoted)
    app.add_template_filter(russian)
    app.add_template_global(asset)
    app.add_template_global(language)
    app.jinja_env.globals["brand"] = BRAND
    app.context_processor(_shop)


def count(value: int, one: str, few: str, many: str) -> str:
    """A number with its noun, for the Russian desk: 1 платёж, 2 платежа, 5 платежей, 11 платежей."""
    return f"{number(value)}{NBSP}{_form(value, one, few, many)}"


def state(payment: Payment) -> Badge:
    """How a payment stands, in a word. Money that went back is told before the success that it was."""
    if payment.status is PaymentStatus.SUCCEEDED and payment.refunded_amount:
        whole = payment.refunded_amount == payment.amount
        return Badge(say("Возвращён") if whole else say("Возврат части"), "plain")
    badge = _STATES[payment.status]
    return Badge(say(badge.text), badge.kind)


def decline(code: str | None, gateway: str) -> str:
    """The sentence for a gateway's code of refusal."""
    return declines.explain(gateway, code or "unknown").message


def tells_of_money(code: str | None, gateway: str) -> bool:
    """Whether that sentence says itself what became of the money."""
    return declines.explain(gateway, code or "unknown").tells_of_money


def bought(payment: Payment) -> str:
    """What a payment was for, in two words."""
    if payment.purpose is PaymentPurpose.BINDING:
        return say("Сохранение карты")
    return payment.plan_title or say(payment.description)


def means(title: str | None) -> str:
    """A means of payment by its kept name, its Russian words said: ``Карта •• 4242``, ``СБП, Сбербанк``."""
    found = re.fullmatch(rf"({'|'.join(map(re.escape, titles.WORDS))})(\b.*)?", title or "")
    return say(found[1]) + (found[2] or "") if found else title or ""


def linked(text: str, *addresses: str, new: bool = False) -> Markup:
    """A sentence whose words in ``[brackets]`` are links, in their order to *addresses*.

    A sentence stays whole for whoever translates it. *new* opens a page of its own, as beside a form.
    """
    frame = Markup('<a href="{}"{}>{}</a>')
    more = Markup(' rel="noopener" target="_blank"') if new else ""
    pieces = re.split(r"\[(.+?)\]", text)
    links = [frame.format(to, more, words) for to, words in zip(addresses, pieces[1::2], strict=True)]
    return Markup("").join(part for pair in zip_longest(pieces[::2], links, fillvalue="") for part in pair)


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


def _shop() -> dict[str, Any]:
    """The seller, for the footer. A page that tells of a database in trouble must not need the database."""
    try:
        return {"shop": settings.current()}
    except SQLAlchemyError:
        log.warning("The seller's details could not be read; the page goes out without them")
        return {"shop": settings.ShopSettings()}

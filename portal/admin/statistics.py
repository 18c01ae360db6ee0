"""The shop in numbers: what was asked for, the tables, their files."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

from flask import abort, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal import clock
from portal.admin import sheets, statistics_sheets
from portal.admin.access import Room
from portal.admin.exports import as_file
from portal.admin.words import word
from portal.billing import doors, figures, statistics
from portal.billing.questions import Question
from portal.billing_mode import BillingMode
from portal.models import GatewayName

#: The shop cannot have begun earlier, and nobody looks further back at once.
FIRST = date(2020, 1, 1)
_ASKED = frozenset({"since", "until", "period", "gateway", "mode", "kind"})
PRESETS = (
    ("today", "Сегодня"),
    ("week", "7 дней"),
    ("days30", "30 дней"),
    ("month", "Этот месяц"),
    ("last-month", "Прошлый месяц"),
    ("year", "Год"),
)


class NumbersRoom(Room):
    """A page of numbers for days and payments that are chosen at its top."""

    gateways = tuple((name.value, word(name).text) for name in GatewayName)
    modes = tuple((mode.value, word(mode).text) for mode in BillingMode)

    def preset_url(self, name: str) -> str:
        """The same page for a named period."""
        kept = {key: value for key, value in request.args.items() if key in {"gateway", "mode", "kind"}}
        return str(self.get_url(".index", period=name, **kept))

    def is_preset(self, name: str, question: Question) -> bool:
        """Whether these are the days that are looked at; of two names for them, the one that was clicked."""
        if (asked := request.args.get("period")) in dict(PRESETS):
            return name == asked
        return preset(name, figures.calendar().day(clock.now())) == (question.since, question.until)

    def presets(self, question: Question) -> list[dict[str, Any]]:
        """The named periods as links, the one that is looked at marked."""
        return [
            {"href": self.preset_url(name), "text": label, "current": self.is_preset(name, question)}
            for name, label in PRESETS
        ]

    def file_url(self, key: str, decimal: str = "comma") -> str:
        """A table of the present page as a file."""
        args = {name: value for name, value in request.args.items() if name in _ASKED}
        return str(self.get_url(".csv", key=key, decimal=decimal, **args))

    def drawn(self, template: str, **more: Any) -> str:
        """The page with what its macros need."""
        return str(self.render(template, told=sheets.told, **more))


class Statistics(NumbersRoom):
    """Every number with its definition, the rows behind it, and its file."""

    what = "Каждое число — с определением и со ссылкой на строки, из которых оно сложено."

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """All tables for the days and payments that were asked for."""
        now = clock.now()
        question = asked(figures.calendar().day(now))
        numbers = statistics.read(question, now)
        return self.drawn(
            "admin/statistics.html",
            numbers=numbers,
            question=question,
            tiles=statistics_sheets.tiles(numbers),
            tables=statistics_sheets.all_of(numbers),
            unexplained=numbers.total("renewals", detail="unexplained"),
            missing=missing(numbers.missing),
        )

    @expose("/<key>.csv")
    def csv(self, key: str) -> ResponseReturnValue:
        """One of the tables."""
        now = clock.now()
        numbers = statistics.read(asked(figures.calendar().day(now)), now, whole=True)
        found = {sheet.key: sheet for sheet in statistics_sheets.all_of(numbers)}.get(key)
        if found is None:
            abort(404)
        return as_file(f"{key}-{numbers.question.since}-{numbers.question.until}", found.lines)


def missing(days: Collection[date]) -> dict[str, Any] | None:
    """What a page says of days that its numbers leave out."""
    if not days:
        return None
    return {"n": len(days), "since": f"{min(days):%d.%m.%Y}", "until": f"{max(days):%d.%m.%Y}"}


def asked(today: date) -> Question:
    """The days and payments of this request; what makes no sense is the last 30 days of the shop's money."""
    since, until = _days(today)
    gateway, mode = request.args.get("gateway", ""), request.args.get("mode", "")
    kind = request.args.get("kind", "")
    return Question(
        since=since,
        until=until,
        gateway=GatewayName(gateway) if gateway in set(GatewayName) else None,
        mode=BillingMode(mode) if mode in set(BillingMode) else None,
        test=kind == "test" if kind in {"test", "live"} else _plays(),
    )


def _days(today: date) -> tuple[date, date]:
    since, until = _date("since"), _date("until")
    if since is None and until is None:
        return preset(request.args.get("period", ""), today)
    until = min(until or today, today)
    since = max(min(since or until, until), FIRST)
    return since, max(since, until)


def preset(name: str, today: date) -> tuple[date, date]:
    """The first and the last day of a named period."""
    first = today.replace(day=1)
    before = first - timedelta(days=1)
    return {
        "today": (today, today),
        "week": (today - timedelta(days=6), today),
        "month": (first, today),
        "last-month": (before.replace(day=1), before),
        "year": (today - timedelta(days=364), today),
    }.get(name, (today - timedelta(days=29), today))


def _date(name: str) -> date | None:
    try:
        found = date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
    return max(found, FIRST)


def _plays() -> bool:
    """Whether the shop takes play money at every gateway now: then that is what there is to look at."""
    opened = doors.are_open()
    return bool(opened) and all(doors.test_mode(name) for name in opened)

"""The parts of a window, and the way from a number to the rows behind it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from flask import url_for

from portal.billing.statistics import Numbers

_MONTHS = ("янв", "фев", "мар", "апр", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
#: What a part of the window is called.
PARTS = {"day": "День", "week": "Неделя с", "month": "Месяц"}


def span(numbers: Numbers, begins: date) -> tuple[date, date]:
    """The first and last day of a part, within the window."""
    last = {
        "day": begins,
        "week": begins + timedelta(days=6),
        "month": (begins + timedelta(days=31)).replace(day=1) - timedelta(days=1),
    }[numbers.question.unit]
    return max(begins, numbers.question.since), min(last, numbers.question.until)


def label(numbers: Numbers, begins: date) -> str:
    """How a table calls a part."""
    if numbers.question.unit == "month":
        return f"{begins:%m.%Y}"
    return f"{max(begins, numbers.question.since):%d.%m.%Y}"


def short(numbers: Numbers, begins: date) -> str:
    """How a chart calls it."""
    if numbers.question.unit == "month":
        return f"{_MONTHS[begins.month - 1]} {begins:%y}"
    return f"{max(begins, numbers.question.since):%d.%m}"


def made(numbers: Numbers) -> dict[str, object]:
    """Payments begun in the window."""
    return {"since": numbers.question.since, "until": numbers.question.until}


def paid(numbers: Numbers) -> dict[str, object]:
    """Payments whose money came in the window."""
    return {"paid-since": numbers.question.since, "paid-until": numbers.question.until}


def payments(numbers: Numbers, narrowed: Mapping[str, object]) -> str:
    """The list of payments, narrowed to the rows behind a number."""
    return url_for("desk_payments.index_view", **_filters(_kinds(numbers) | dict(narrowed)))


def fees(numbers: Numbers, since: date, until: date, *, known: bool, **only: str) -> str:
    """The list of payments whose money came in these days and whose fee is known, or is not."""
    narrowed = {"paid-since": since, "paid-until": until, "fee": "1" if known else "0", **only}
    return payments(numbers, narrowed)


def refunds(numbers: Numbers, since: date, until: date, **only: str) -> str:
    """The list of refunds that went through in these days."""
    narrowed = _kinds(numbers) | {"status": "succeeded", "done-since": since, "done-until": until, **only}
    return url_for("desk_refunds.index_view", **_filters(narrowed))


def _kinds(numbers: Numbers) -> dict[str, object]:
    asked = numbers.question
    found: dict[str, object] = {"test": "1" if asked.test else "0"}
    if asked.gateway is not None:
        found["gateway"] = asked.gateway.value
    if asked.mode is not None:
        found["mode"] = asked.mode.value
    return found


def _filters(narrowed: Mapping[str, object]) -> dict[str, Any]:
    return {f"flt0_{name}": str(value) for name, value in narrowed.items()}

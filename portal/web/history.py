"""All that a customer paid: page by page, narrowed by a form, as a file, and as a document to print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from flask import Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from portal import clock, running, spreadsheets, written
from portal.billing import payments, statement
from portal.billing.statement import Kind, Wanted
from portal.models import GatewayName, Payment
from portal.spreadsheets import Cell
from portal.web import filters
from portal.web.dashboard import bp
from portal.wording import marked, say

__all__ = ("bp",)

PAGE = 20
#: Lines of the printed document: beyond them it asks for a shorter period.
PRINTED = 1000
_CSV_PAGE = 200

_COLUMNS = (
    marked("Дата"),
    marked("Номер"),
    marked("Тариф"),
    marked("Сумма"),
    marked("Возвращено"),
    marked("Валюта"),
    marked("Статус"),
    marked("Способ оплаты"),
)

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form above the list says, as it was understood: the days on the shop's calendar."""

    first: date | None
    last: date | None
    kind: Kind | None
    gateway: GatewayName | None

    def wanted(self) -> Wanted:
        """The same as moments: from the first day's midnight to that after the last."""
        zone = ZoneInfo(running.config().tz_display)
        since = datetime.combine(self.first, time.min, zone) if self.first else None
        until = datetime.combine(self.last + timedelta(days=1), time.min, zone) if self.last else None
        return Wanted(since, until, self.kind, self.gateway)

    def as_address(self) -> dict[str, str]:
        """What links to other pages of the same list carry."""
        said = {
            "from": self.first and self.first.isoformat(),
            "to": self.last and self.last.isoformat(),
            "status": self.kind and self.kind.value,
            "gateway": self.gateway and self.gateway.value,
        }
        return {name: value for name, value in said.items() if value}

    def days_in_words(self) -> dict[str, str | None]:
        """Both days as a person writes them, for templates."""
        wanted = self.wanted()
        first = written.day(wanted.since) if wanted.since else None
        last = written.day(wanted.until - timedelta(days=1)) if wanted.until else None
        return {"first": first, "last": last}


@bp.get("/payments", endpoint="payments")
@login_required
def show() -> ResponseReturnValue:
    """The history, newest first, a page at a time; with ``format`` all of it: ``csv`` or ``print``."""
    asked = _asked(request.args)
    wanted = asked.wanted()
    if request.args.get("format") == "csv":
        return _as_csv(current_user.id, wanted)
    if request.args.get("format") == "print":
        return _as_document(asked, wanted)
    cursor = request.args.get("cursor") or None
    page = payments.history(current_user.id, PAGE, cursor, wanted)
    return render_template(
        "dashboard/payments.html",
        payments=page.payments,
        beside=statement.beside(payment.id for payment in page.payments),
        totals=statement.totals(current_user.id, wanted) if page.payments else [],
        next_cursor=page.next_cursor,
        is_first=cursor is None,
        asked=asked,
        address=asked.as_address(),
        **asked.days_in_words(),
        kinds=Kind,
        gateways=GatewayName,
    )


def _asked(words: Mapping[str, str]) -> Asked:
    """The form as far as it can be meant: the rest narrows nothing, and days that run backward are turned."""
    first, last = _day(words.get("from")), _day(words.get("to"))
    if first and last and last < first:
        first, last = last, first
    return Asked(first, last, _word(Kind, words.get("status")), _word(GatewayName, words.get("gateway")))


def _day(text: str | None) -> date | None:
    """A day that a shop may have seen: the calendar's ends cannot even be moved by one."""
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return None
    return found if 2000 <= found.year < 2200 else None


def _word(words: type[_Word], text: str | None) -> _Word | None:
    return next((one for one in words if one.value == text), None)


def _as_document(asked: Asked, wanted: Wanted) -> str:
    """A sheet of paper: who was paid by whom, for which time, each payment, the sums."""
    page = payments.history(current_user.id, PRINTED, None, wanted)
    return render_template(
        "dashboard/statement.html",
        payments=page.payments,
        beside=statement.beside(payment.id for payment in page.payments),
        totals=statement.totals(current_user.id, wanted),
        is_cut=page.next_cursor is not None,
        asked=asked,
        **asked.days_in_words(),
        address=asked.as_address(),
        now=clock.now(),
    )


def _as_csv(user_id: int, wanted: Wanted) -> Response:
    """All that is wanted, streamed, so that a long history needs no memory."""
    response = Response(stream_with_context(_lines(user_id, wanted)), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="payments.csv"'
    return response


def _lines(user_id: int, wanted: Wanted) -> Iterator[str]:
    yield spreadsheets.MARK + spreadsheets.line([say(column) for column in _COLUMNS])
    cursor: str | None = None
    while True:
        page = payments.history(user_id, _CSV_PAGE, cursor, wanted)
        for payment in page.payments:
            yield spreadsheets.line(_cells(payment))
        cursor = page.next_cursor
        if cursor is None:
            return


def _cells(payment: Payment) -> tuple[Cell, ...]:
    return (
        written.moment(payment.created_at).replace(written.NBSP, " "),
        payment.transaction_id,
        filters.bought(payment),
        payment.amount,
        payment.refunded_amount,
        payment.currency,
        filters.state(payment).text,
        filters.means(payment.method_title),
    )

"""The accountant's register by day."""

from __future__ import annotations

from flask import abort, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal import clock
from portal.admin.exports import as_file
from portal.admin.sheets import Column, Sheet, Value
from portal.admin.statistics import NumbersRoom, asked, missing
from portal.admin.statistics_money import COLUMNS, OF_FEES, Ways, cells
from portal.admin.words import word
from portal.billing import figures, register, takings
from portal.billing.questions import Question
from portal.billing.register import Entry
from portal.models import GatewayName


class Register(NumbersRoom):
    """What came in, went back and was kept, day by day and gateway by gateway."""

    what = "Деньги по дням и шлюзам для бухгалтера. Тестовые платежи сюда не входят."

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """The register of the days that were asked for."""
        question = _asked()
        book = register.of(question, clock.now())
        tables = _sheets(book.entries)
        return self.drawn(
            "admin/register.html", question=question, tables=tables, missing=missing(book.missing)
        )

    @expose("/<key>.csv")
    def csv(self, key: str) -> ResponseReturnValue:
        """One of its tables as a file."""
        question = _asked()
        book = register.of(question, clock.now(), whole=True)
        found = {sheet.key: sheet for sheet in _sheets(book.entries)}.get(key)
        if found is None:
            abort(404)
        return as_file(f"{key}-{question.since}-{question.until}", found.lines)


def _asked() -> Question:
    return asked(figures.calendar().day(clock.now()))


def _sheets(entries: list[Entry]) -> list[Sheet]:
    """The days, the latest first, and what each gateway's come to."""
    total: tuple[Value, ...] = cells(takings.total(one.money for one in entries))
    by_gateway: list[tuple[Value, ...]] = [
        (
            word(gateway).text,
            *cells(takings.total(one.money for one in entries if one.gateway == gateway.value)),
        )
        for gateway in GatewayName
        if any(one.gateway == gateway.value for one in entries)
    ]
    return [
        Sheet(
            "register-gateways",
            "Итоги по шлюзам",
            "Суммы всех дней таблицы ниже.",
            (Column("Шлюз", "text"), *COLUMNS),
            by_gateway,
            ("Всего", *total) if by_gateway else None,
        ),
        Sheet(
            "register",
            "Реестр",
            "Поступления — по дню списания, возвраты — по дню, когда деньги ушли обратно; оба по часам "
            f"магазина. {OF_FEES} Итог дня меньше нуля, когда ушло больше, чем поступило.",
            (Column("День", "text"), Column("Шлюз", "text"), *COLUMNS),
            _rows(entries),
            ("Всего", "", *total),
        ),
    ]


def _rows(entries: list[Entry]) -> list[tuple[Value, ...]]:
    """Each day at each gateway, with the ways to its rows: thousands, so their beginning is made once."""
    payments, refunds = (url_for(f"{room}.index_view") for room in ("desk_payments", "desk_refunds"))
    rows: list[tuple[Value, ...]] = []
    for entry in entries:
        only = f"?flt0_gateway={entry.gateway}&flt0_status=succeeded&flt0_test=0"
        paid, done = (
            f"&flt0_{name}-since={entry.day}&flt0_{name}-until={entry.day}" for name in ("paid", "done")
        )
        way = f"{payments}{only}{paid}"
        to = Ways(way, f"{refunds}{only}{done}", f"{way}&flt0_fee=1", f"{way}&flt0_fee=0")
        rows.append((f"{entry.day:%d.%m.%Y}", word(GatewayName(entry.gateway)).text, *cells(entry.money, to)))
    return rows

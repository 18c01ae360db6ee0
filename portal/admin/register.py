"""The accountant's register by day."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal import clock
from portal.admin.exports import as_file
from portal.admin.sheets import Column, Linked, Sheet
from portal.admin.statistics import NumbersRoom, asked
from portal.admin.words import word
from portal.billing import figures, register
from portal.billing.register import Entry
from portal.billing.statistics import Question, Tally
from portal.models import GatewayName


class Register(NumbersRoom):
    """What came in and went back, day by day and gateway by gateway."""

    what = "Деньги по дням и шлюзам для бухгалтера. Тестовые платежи сюда не входят."

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """The register of the days that were asked for."""
        question = _asked()
        return self.drawn("admin/register.html", question=question, sheet=_sheet(question))

    @expose("/register.csv")
    def csv(self) -> ResponseReturnValue:
        """The same as a file."""
        question = _asked()
        return as_file(f"register-{question.since}-{question.until}", _sheet(question).lines)


def _asked() -> Question:
    return asked(figures.calendar().day(clock.now()))


def _sheet(question: Question) -> Sheet:
    entries = register.of(question, clock.now())
    came = sum((one.captured for one in entries), Tally())
    went = sum((one.refunded for one in entries), Tally())
    return Sheet(
        "register",
        "Реестр",
        "Поступления — по дню списания, возвраты — по дню, когда деньги ушли обратно; оба по часам магазина. "
        "Итог дня меньше нуля, когда вернули больше, чем поступило.",
        (
            Column("День", "text"),
            Column("Шлюз", "text"),
            Column("Оплат"),
            Column("Поступило", "money"),
            Column("Возвратов"),
            Column("Возвращено", "money"),
            Column("Итого", "money"),
        ),
        [_row(one) for one in entries],
        ("Всего", "", came.n, came.amount, went.n, went.amount, came.amount - went.amount),
    )


def _row(entry: Entry) -> tuple[Any, ...]:
    return (
        f"{entry.day:%d.%m.%Y}",
        word(GatewayName(entry.gateway)).text,
        Linked(entry.captured.n, _list("desk_payments", "paid", entry.day, entry.gateway)),
        entry.captured.amount,
        Linked(entry.refunded.n, _list("desk_refunds", "done", entry.day, entry.gateway)),
        entry.refunded.amount,
        entry.net,
    )


def _list(room: str, moment: str, day: date, gateway: str) -> str:
    """The rows behind one number."""
    narrowed: dict[str, Any] = {"gateway": gateway, "status": "succeeded", "test": "0"}
    narrowed |= {f"{moment}-since": day, f"{moment}-until": day}
    return url_for(f"{room}.index_view", **{f"flt0_{name}": value for name, value in narrowed.items()})

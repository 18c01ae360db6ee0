"""Both gateways' lists beside ours: the runs, what each day came to, and each line that differed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import Select, Subquery, func, select
from werkzeug.exceptions import NotFound as NoSuchPage

from portal import clock, running
from portal.accounts import present
from portal.admin.access import Room, needs
from portal.admin.filters import Exactly, OneOf
from portal.admin.rows import Rows
from portal.admin.words import cell
from portal.billing import comparing_runs
from portal.database import db
from portal.errors import InvalidRequest
from portal.models import (
    Discrepancy,
    GatewayName,
    ReconciliationDay,
    ReconciliationLine,
    ReconciliationRun,
    Remedy,
    Role,
)

_RUNS, _LINES = 30, 50


class Number(Exactly):
    """A row's number."""

    def validate(self, value: str) -> bool:
        """Digits only."""
        return value.isascii() and value.isdecimal() and len(value) <= 18

    def clean(self, value: str) -> int:
        """As the column holds it."""
        return int(value)


class Reconciliation(Room):
    """Runs, newest first, and a button for another one."""

    what = (
        "Списки обоих шлюзов и наши, в обе стороны. Чего не хватало у нас, портал проводит сам; "
        "остальное становится случаями. Каждое утро сверяются три прошлых дня."
    )

    @expose("/")
    def index_view(self) -> str:
        """The latest runs with their totals."""
        today = _today()
        page: str = self.render(
            "admin/reconciliation/index.html",
            runs=db.session.execute(_latest_runs()).all(),
            today=today,
            since=today - timedelta(days=comparing_runs.DAYS_BACK),
            cell=cell,
        )
        return page

    @expose("/", methods=("POST",))
    @needs(Role.SUPPORT)
    def order(self) -> ResponseReturnValue:
        """Compare again, from a day on."""
        try:
            since = date.fromisoformat(request.form.get("since", ""))
            run_id = comparing_runs.order(present.actor(), since, clock.now())
        except ValueError:
            flash("Выберите день.", "bad")
            return redirect(url_for(".index_view"), 303)
        except InvalidRequest as error:
            flash(error.message, "bad")
            return redirect(url_for(".index_view"), 303)
        return redirect(url_for(".run", run_id=run_id), 303)

    @expose("/<int:run_id>")
    def run(self, run_id: int) -> str:
        """One run: its days, and the first of its lines."""
        found = db.session.get(ReconciliationRun, run_id) if run_id < 2**63 else None
        if found is None:
            raise NoSuchPage
        days = select(ReconciliationDay).where(ReconciliationDay.run_id == run_id)
        lines = select(ReconciliationLine).where(ReconciliationLine.run_id == run_id)
        page: str = self.render(
            "admin/reconciliation/run.html",
            run=found,
            days=db.session.scalars(days.order_by(ReconciliationDay.day, ReconciliationDay.gateway)).all(),
            lines=db.session.scalars(lines.order_by(ReconciliationLine.id).limit(_LINES)).all(),
            most=_LINES,
            cell=cell,
        )
        return page


class Lines(Rows):
    """Every line that differed, in all runs; reached from a run's page."""

    one = "Строка сверки"
    what = "Что различалось и что с этим сделано."
    column_list = (
        "id",
        "found_at",
        "run_id",
        "gateway",
        "what",
        "remedy",
        "gateway_object_id",
        "payment_id",
        "there_amount",
        "here_amount",
        "note",
    )
    wrapping_columns = Rows.wrapping_columns | {"gateway_object_id"}
    column_filters = (
        Number("run", (ReconciliationLine.run_id,), "Сверка №"),
        OneOf("what", ReconciliationLine.what, "Что различалось", Discrepancy),
        OneOf("remedy", ReconciliationLine.remedy, "Что сделано", Remedy),
        OneOf("gateway", ReconciliationLine.gateway, "Шлюз", GatewayName),
        Exactly("id", (ReconciliationLine.gateway_object_id,), "Номер у шлюза"),
    )
    column_sortable_list = ("id",)
    number_columns = frozenset({"id", "run_id", "there_amount", "here_amount"})

    def is_visible(self) -> bool:
        """Not in the menu: a run leads here."""
        return False


class Days(Rows):
    """Totals by gateway and day, in all runs; reached from a run's page."""

    one = "День сверки"
    what = "Итоги по дням и шлюзам."
    column_list = (
        "id",
        "run_id",
        "day",
        "gateway",
        "there_sum",
        "here_sum",
        "case_sum",
        "refunds_there_sum",
        "refunds_here_sum",
        "fee_sum",
        "error",
    )
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "there_sum": ("there_count",),
        "here_sum": ("here_count",),
        "refunds_there_sum": ("refunds_there_count",),
        "refunds_here_sum": ("refunds_here_count",),
    }
    column_filters = (
        Number("run", (ReconciliationDay.run_id,), "Сверка №"),
        OneOf("gateway", ReconciliationDay.gateway, "Шлюз", GatewayName),
    )
    column_sortable_list = ("id", "day")
    number_columns = frozenset(
        name for name in column_list if name == "id" or name.endswith(("_id", "_count", "_sum"))
    )

    def is_visible(self) -> bool:
        """Not in the menu: a run leads here."""
        return False


def _latest_runs() -> Select[Any]:
    """The latest runs, each with its days summed up and its lines counted."""
    totals, counted = _totals(), _counted()
    return (
        select(ReconciliationRun, totals, counted)
        .outerjoin(totals, totals.c.run_id == ReconciliationRun.id)
        .outerjoin(counted, counted.c.run_id == ReconciliationRun.id)
        .order_by(ReconciliationRun.id.desc())
        .limit(_RUNS)
    )


def _totals() -> Subquery:
    days = ReconciliationDay
    return (
        select(
            days.run_id,
            func.min(days.day).label("first"),
            func.max(days.day).label("last"),
            func.sum(days.there_sum).label("there"),
            func.sum(days.here_sum).label("here"),
            func.count().filter(days.compared_at.is_(None)).label("left"),
        )
        .group_by(days.run_id)
        .subquery()
    )


def _counted() -> Subquery:
    lines = ReconciliationLine
    return (
        select(
            lines.run_id,
            func.count().filter(lines.remedy == Remedy.HEALED).label("healed"),
            func.count().filter(lines.remedy == Remedy.CASE).label("cases"),
        )
        .group_by(lines.run_id)
        .subquery()
    )


def _today() -> date:
    return clock.now().astimezone(ZoneInfo(running.config().tz_display)).date()

"""Every list as a file: all rows that fit its filters, read a few at a time, without a secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import Any

from flask import Response, abort, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_admin import expose
from markupsafe import escape
from sqlalchemy import LargeBinary, text

from portal import clock, spreadsheets
from portal.accounts import present
from portal.admin.words import moment_in_words, word
from portal.billing import audit
from portal.billing.audit import Subject
from portal.database import db, transaction
from portal.models.base import Sealed
from portal.spreadsheets import Cell

#: Rows held in memory at a time.
AT_A_TIME = 500
_CHOICES = (spreadsheets.COMMA, spreadsheets.POINT)
# Whoever takes a large file over a slow line keeps the database's cursor open meanwhile.
_MAY_REST = text("SET LOCAL idle_in_transaction_session_timeout = '15min'")


class Exported:
    """What a list of the desk needs to be taken away as a file."""

    can_export = True
    export_types = ("csv",)

    @expose("/export/<export_type>/")
    def export(self: Any, export_type: str) -> ResponseReturnValue:
        """The rows of the list as narrowed and sorted there, from the first page to the last."""
        if export_type != "csv":
            abort(404)
        _note(self.name, request.args)
        name = f"{self.url.rpartition('/')[2]}-{clock.now():%Y-%m-%d}"
        return as_file(name, self._exported_lines)

    def export_url(self: Any, decimal: str = spreadsheets.COMMA) -> str:
        """Where the file of the present list is."""
        kept = {name: value for name, value in request.args.items() if name.startswith("flt")}
        kept |= {name: request.args[name] for name in ("search", "sort", "desc") if name in request.args}
        return str(self.get_url(".export", export_type="csv", decimal=decimal, **kept))

    def export_columns(self: Any) -> list[tuple[str, str]]:
        """The list's own columns first, then whatever else a row's page shows; each under its own name."""
        columns = dict(self.get_list_columns())
        columns |= {name: label for name, label in self.get_details_columns() if name not in columns}
        sealed = {
            one.key for one in self.model.__table__.columns if isinstance(one.type, LargeBinary | Sealed)
        }
        told, found = set[str](), []
        for name, label in columns.items():
            if name not in sealed:
                found.append((name, f"{label} ({name})" if label in told else label))
                told.add(label)
        return found

    def exported(self: Any, row: Any, name: str, customers: Mapping[int, str]) -> Cell:
        """One cell of the file."""
        if name not in self.model.__table__.columns:
            return escape(self.shown(row, name)).striptags()
        value = getattr(row, name)
        if name in self.customer_columns and value is not None:
            return customers.get(value, str(value))
        return as_cell(value)

    def _exported_lines(self: Any) -> Iterator[tuple[Cell, ...]]:
        asked = self._get_list_extra_args()
        sort = self._get_column_by_idx(asked.sort)
        _, rows = self.get_list(
            None, sort[0] if sort else None, asked.sort_desc, asked.search, asked.filters, execute=False
        )
        columns = self.export_columns()
        yield tuple(label for _, label in columns)
        db.session.execute(_MAY_REST)
        everything = iter(rows.limit(None).offset(None).yield_per(AT_A_TIME))
        while some := list(islice(everything, AT_A_TIME)):
            customers = self._addresses(some)
            for row in some:
                yield tuple(self.exported(row, name, customers) for name, _ in columns)


def _note(room: str, asked: Mapping[str, str]) -> None:
    """Whoever takes a list of customers away leaves a line in the journal: which list, and how narrowed."""
    narrowed = {
        name.removeprefix("flt0_")[:40]: value[:100]
        for name, value in asked.items()
        if name.startswith("flt0_") and value and value.isprintable()
    }
    with transaction():
        audit.note(present.actor(), "export", Subject("list", room), clock.now(), after=narrowed)


def as_file(name: str, lines: Callable[[], Iterator[tuple[Cell, ...]]]) -> Response:
    """Lines sent as they come; the decimal sign is the one that ``?decimal=`` asks for."""
    asked = request.args.get("decimal", "")
    decimal = asked if asked in _CHOICES else spreadsheets.COMMA

    def written() -> Iterator[str]:
        yield spreadsheets.MARK
        for cells in lines():
            yield spreadsheets.line(cells, decimal)

    response = Response(stream_with_context(written()), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def as_cell(value: Any) -> Cell:
    """A value of a row as a spreadsheet understands it."""
    if value is None or isinstance(value, Decimal):
        return value
    if isinstance(value, bool):
        return "да" if value else "нет"
    if isinstance(value, StrEnum):
        return word(value).text
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return moment_in_words(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)

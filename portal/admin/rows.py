"""Lists of the desk: Flask-Admin's, with forms that need no script and pages that count nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from flask import request, url_for
from flask_admin.contrib.sqla import ModelView
from markupsafe import Markup
from sqlalchemy import select

from portal.admin.access import Guarded
from portal.admin.exports import Exported
from portal.admin.filters import Day, Narrowing
from portal.admin.labels import LABELS
from portal.admin.words import cell, number
from portal.database import db
from portal.models import Plan, User

#: Fits PostgreSQL's bigint, in which rows are numbered.
ROW_NUMBER = re.compile("[1-9][0-9]{0,17}", re.ASCII)
_LAST_PAGE = 1_000_000
#: An address beyond this may be broken anywhere; no other is.
_LONG_ADDRESS = 26
#: What no text in PostgreSQL holds.
_UNASKABLE = re.compile("[\x00\ud800-\udfff]")


#: Columns that hold another row's number, and the room where it is shown.
LEADS: Mapping[str, str] = {
    "case_id": "desk_cases",
    "copy_of_id": "desk_notifications",
    "payment_id": "desk_payments",
    "payment_method_id": "desk_methods",
    "plan_id": "desk_plans",
    "next_plan_id": "desk_plans",
    "replaces_payment_id": "desk_payments",
    "subscription_id": "desk_subscriptions",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form above a list, as the template draws it."""

    name: str
    label: str
    kind: str
    options: list[tuple[str, str]]
    value: str


class Rows(Exported, Guarded, ModelView):
    """A table to read and narrow; nothing in it can be changed unless a room says so."""

    can_create = False
    can_edit = False
    can_delete = False
    can_view_details = True
    create_modal = edit_modal = details_modal = False
    list_template = "admin/model/list.html"
    #: Columns that hold a customer's number and are shown as the address.
    customer_columns: tuple[str, ...] = ("user_id", "ordered_by", "resolved_by")
    #: What stands in smaller words under a column's value, instead of in columns of its own.
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: Columns that only a wide screen has place for; the file and a row's page have them always.
    wide_columns: frozenset[str] = frozenset()
    #: Columns of sentences, which take several lines.
    wrapping_columns: frozenset[str] = frozenset({"reason", "last_error", "note", "verdict"})
    #: What one row is called on its own page.
    one = "Запись"
    #: Where a row of this table leads: the endpoint that takes its ``id``; by default the details.
    row_endpoint: str | None = None
    #: Columns drawn as numbers: flush right.
    number_columns: frozenset[str] = frozenset(
        {
            "id",
            "amount",
            "refunded_amount",
            "fee",
            "price",
            "discount",
            "email_quota",
            "emails_used",
            "period_days",
            "attempt",
            "attempts",
            "days",
        }
    )
    column_default_sort = ("id", True)
    column_labels: ClassVar[Mapping[str, str]] = LABELS
    page_size = 50
    #: Counting a million rows takes longer than reading fifty.
    simple_list_pager = True
    #: One sentence below the title: what this list is.
    what = ""

    def get_list(
        self,
        page: int | None,
        sort_column: Any,
        sort_desc: Any,
        search: str | None,
        filters: Any,
        execute: bool = True,
        page_size: int | None = None,
    ) -> Any:
        """One page of rows. What the database cannot be asked for — a page beyond any table, a text with half
        a character — is the first page, or a text without it.
        """
        page = page if page and 0 < page <= _LAST_PAGE else None
        search = _UNASKABLE.sub("", search) if search else search
        count, rows = super().get_list(page, sort_column, sort_desc, search, filters, execute, page_size)
        if execute:
            self._look_up(rows)
        return count, rows

    def get_one(self, id: str) -> Any:
        """One row; none for a text that is no row's number."""
        found = super().get_one(id) if ROW_NUMBER.fullmatch(id) else None
        if found is not None:
            self._look_up([found])
        return found

    def scaffold_list_columns(self) -> list[str]:
        """Columns only: what hangs on a row is loaded by nobody by accident."""
        return [str(column.key) for column in self.model.__table__.columns]

    def get_details_columns(self) -> list[tuple[str, str]]:
        """Every column but the secret ones."""
        hidden = set(self.column_details_exclude_list or ())
        names = [column.key for column in self.model.__table__.columns if column.key not in hidden]
        return list(self.get_column_names(only_columns=names, excluded_columns=None))

    def get_filter_arg(self, index: int, flt: Any) -> str:
        """A filter's key stands in addresses, so that other pages can lead to a narrowed list."""
        return str(flt.key_name) if isinstance(flt, Narrowing) else super().get_filter_arg(index, flt)

    def _get_list_filter_args(self) -> Any:
        """The fields that are filled; an empty or impossible one narrows nothing."""
        found = []
        for index, flt in enumerate(self._filters or ()):
            value = request.args.get(f"flt0_{self.get_filter_arg(index, flt)}", "")
            if value and not _UNASKABLE.search(value) and flt.validate(value):
                found.append((index, flt.name, value))
        return found or None

    def _get_filters(self, filters: Any) -> dict[str, str]:
        """The same fields for an address."""
        return {
            f"flt0_{self.get_filter_arg(index, self._filters[index])}": value
            for index, _, value in filters or ()
        }

    def _get_default_order(self) -> Any:
        """Narrowed to some days, a list is in their order: found at once, however long ago they were."""
        for index, _, _ in self._get_list_filter_args() or ():
            if isinstance(flt := self._filters[index], Day):
                return [(flt.column, [], True), (self.model.id, [], True)]
        return super()._get_default_order()

    def fields(self) -> list[Field]:
        """The form above the list."""
        return [
            Field(name, flt.name, flt.kind, list(flt.options or ()), request.args.get(name, ""))
            for index, flt in enumerate(self._filters or ())
            if (name := f"flt0_{self.get_filter_arg(index, flt)}")
        ]

    def render(self, template: str, **kwargs: Any) -> str:
        """A row's own page knows more than its columns."""
        if template == self.details_template and "model" in kwargs:
            kwargs |= self.more(kwargs["model"])
        page: str = super().render(template, **kwargs)
        return page

    def more(self, _row: Any) -> dict[str, Any]:
        """What the page of a row shows beside its columns."""
        return {}

    def row_url(self, row: Any) -> str | None:
        """Where a row leads."""
        if self.row_endpoint:
            return url_for(self.row_endpoint, id=row.id)
        return self.get_url(".details_view", id=self.get_pk_value(row)) if self.can_view_details else None

    def shown(self, row: Any, name: str) -> Any:
        """One cell; *name* is the column's."""
        if formatter := self.column_formatters.get(name):
            return formatter(self, None, row, name)
        value = getattr(row, name)
        if name in self.customer_columns and value is not None:
            return customer_link(value, self._template_args.get("customers", {}))
        if name in LEADS and value is not None:
            titles = self._template_args.get("titles", {}) if LEADS[name] == "desk_plans" else {}
            return row_link(LEADS[name], value, titles.get(value, ""))
        if name == "consent_id" and value is not None:
            return f"№ {value}"
        if name in {"method_title", "title"} and value:
            return cell(value.replace("•• ", "••\N{NO-BREAK SPACE}"))
        if name in self.number_columns - {"id"} and isinstance(value, int):
            return number(value)
        return cell(value)

    def under(self, row: Any, name: str) -> list[Any]:
        """What stands under one cell: the columns that are said there and hold something."""
        names = self.beneath.get(name, ())
        return [self.shown(row, one) for one in names if getattr(row, one) or getattr(row, one) is False]

    def class_of(self, name: str) -> str:
        """How a column is drawn."""
        kinds = {
            "number": name in self.number_columns,
            "wraps": name in self.wrapping_columns,
            "wide-only": name in self.wide_columns,
        }
        return " ".join(kind for kind, so in kinds.items() if so)

    def _look_up(self, rows: Iterable[Any]) -> None:
        """What these rows name by number only: customers, plans."""
        self._template_args["customers"] = self._addresses(rows)
        self._template_args["titles"] = self._titles(rows)

    def _addresses(self, rows: Iterable[Any]) -> Mapping[int, str]:
        """The addresses of the customers on this page, in one question."""
        names = [name for name in self.customer_columns if hasattr(self.model, name)]
        numbers = {number for row in rows for name in names if (number := getattr(row, name)) is not None}
        if not numbers:
            return {}
        found = db.session.execute(select(User.id, User.email).where(User.id.in_(numbers)))
        return {row.id: row.email for row in found}

    def _titles(self, rows: Iterable[Any]) -> Mapping[int, str]:
        """The titles of the plans on this page, in one question."""
        names = [name for name in LEADS if LEADS[name] == "desk_plans" and hasattr(self.model, name)]
        numbers = {found for row in rows for name in names if (found := getattr(row, name)) is not None}
        if not numbers:
            return {}
        found = db.session.execute(select(Plan.id, Plan.title).where(Plan.id.in_(numbers)))
        return {row.id: row.title for row in found}


def row_link(room: str, number: int, title: str = "") -> Markup:
    """A row of another table by its title or its number, leading to its page."""
    where = url_for(f"{room}.details_view", id=number)
    return Markup('<a href="{}">{}</a>').format(where, title or f"№ {number}")


def customer_link(number: int, addresses: Mapping[int, str]) -> Markup:
    """A customer by their address, leading to their page."""
    where = url_for("desk_users.details_view", id=number)
    told = addresses.get(number, f"№ {number}")
    kind = ' class="rows-table__long"' if len(told) > _LONG_ADDRESS else ""
    return Markup(f'<a{kind} href="{{}}">{{}}</a>').format(where, told)  # noqa: S704 - kind is written above

"""The desk's rooms: what was paid, what came in, what waits. Nothing about money can be edited here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from flask import abort, redirect, request, url_for
from flask_admin import Admin, AdminIndexView
from flask_admin.contrib.sqla import ModelView
from flask_admin.theme import Bootstrap4Theme
from flask_login import current_user
from wtforms.validators import Regexp

from portal import clock
from portal.billing import plans
from portal.database import db
from portal.models import (
    Case,
    Notification,
    Payment,
    Plan,
    PurchasedPlan,
    Refund,
    Subscription,
    User,
    WebhookEvent,
)

#: Fits PostgreSQL's bigint, in which rows are numbered.
_ROW_NUMBER = re.compile("[1-9][0-9]{0,17}", re.ASCII)
_LAST_PAGE = 1_000_000
#: What no text in PostgreSQL holds.
_UNASKABLE = re.compile("[\x00\ud800-\udfff]")


class _AdminsOnly:
    """A stranger signs in first; a customer is told that there is no such page."""

    def is_accessible(self) -> bool:
        """Whether this person is an operator."""
        return bool(current_user.is_authenticated and current_user.is_admin)

    def inaccessible_callback(self, _name: str, **_kwargs: Any) -> Any:
        """What everybody else sees."""
        if not current_user.is_authenticated:
            return redirect(url_for("accounts.login", next=request.path))
        return abort(404)


class Index(_AdminsOnly, AdminIndexView):
    """The desk's first page."""


class Rows(_AdminsOnly, ModelView):
    """A table to read and search."""

    can_create = False
    can_edit = False
    can_delete = False
    can_view_details = True
    # A dialog's script would carry another answer's nonce, and the Content-Security-Policy would stop it.
    create_modal = edit_modal = details_modal = False
    # Its filters are inline handlers, which the Content-Security-Policy stops; search needs none.
    column_filters = None
    column_default_sort = ("id", True)
    page_size = 50

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
        return super().get_list(page, sort_column, sort_desc, search, filters, execute, page_size)

    def get_one(self, id: str) -> Any:
        """One row; none for a text that is no row's number."""
        return super().get_one(id) if _ROW_NUMBER.fullmatch(id) else None

    def scaffold_list_columns(self) -> list[str]:
        """Columns only: what hangs on a row is loaded by nobody by accident."""
        return [str(column.key) for column in self.model.__table__.columns]

    def get_details_columns(self) -> list[tuple[str, str]]:
        """Every column but the secret ones."""
        hidden = set(self.column_details_exclude_list or ())
        names = [column.key for column in self.model.__table__.columns if column.key not in hidden]
        return list(self.get_column_names(only_columns=names, excluded_columns=None))


class Payments(Rows):
    """Payments at both gateways."""

    column_list = (
        "id",
        "transaction_id",
        "gateway",
        "status",
        "amount",
        "refunded_amount",
        "currency",
        "billing_mode",
        "plan_code",
        "created_at",
        "paid_at",
    )
    column_searchable_list = ("transaction_id", "gateway_payment_id", "plan_code")


class Events(Rows):
    """The notifications as they came (the seed's WebhookLog); bodies hold tokens and are not shown."""

    column_list = (
        "id",
        "gateway",
        "kind",
        "status",
        "verdict",
        "gateway_object_id",
        "received_at",
        "handled_at",
        "attempts",
        "last_error",
    )
    column_details_exclude_list = ("raw_payload",)
    column_searchable_list = ("gateway_object_id", "kind")


class Cases(Rows):
    """What the portal would not decide alone."""

    column_list = ("id", "kind", "gateway", "gateway_payment_id", "amount", "currency", "opened_at")


class Plans(Rows):
    """The catalogue. Editing a plan never changes what was bought."""

    can_create = True
    can_edit = True
    column_default_sort = ("position", False)
    column_list = ("code", "title", "price", "discount", "period_days", "email_quota", "on_sale", "position")
    form_columns = (
        "code",
        "title",
        "description",
        "price",
        "discount",
        "currency",
        "period_days",
        "email_quota",
        "on_sale",
        "position",
    )

    form_args: ClassVar[dict[str, Any]] = {
        "code": {"validators": [Regexp(plans.CODE, message="Только латинские буквы, цифры и знаки _ . -")]}
    }

    def on_model_change(self, _form: Any, model: Plan, is_created: bool) -> None:
        """Note when."""
        model.updated_at = clock.now()
        if is_created:
            model.created_at = model.updated_at


class Users(Rows):
    """Customers and operators."""

    column_list = ("id", "email", "is_admin", "email_confirmed_at", "created_at", "disabled_at")
    column_details_exclude_list = ("password_hash",)
    column_searchable_list = ("email", "public_id")


class Plain(Rows):
    """Rows without secrets, shown as they are."""


def build(nonce: Callable[[], str]) -> Admin:
    """A new desk for one application; *nonce* is what its Content-Security-Policy lets through."""
    admin = Admin(
        name="Касса подписок",
        index_view=Index(name="Главная", url="/admin"),
        theme=Bootstrap4Theme(),
        csp_nonce_generator=nonce,
    )
    for view in (
        Payments(Payment, db, name="Платежи", endpoint="desk_payments", url="payments"),
        Plain(Refund, db, name="Возвраты", endpoint="desk_refunds", url="refunds"),
        Plain(
            PurchasedPlan,
            db,
            name="Оплаченные периоды",
            endpoint="desk_purchased_plans",
            url="purchased-plans",
        ),
        Plain(Subscription, db, name="Подписки", endpoint="desk_subscriptions", url="subscriptions"),
        Cases(Case, db, name="Случаи", endpoint="desk_cases", url="cases"),
        Events(WebhookEvent, db, name="Уведомления шлюзов", endpoint="desk_events", url="webhook-events"),
        Plain(Notification, db, name="Письма", endpoint="desk_notifications", url="notifications"),
        Plans(Plan, db, name="Тарифы", endpoint="desk_plans", url="plans"),
        Users(User, db, name="Люди", endpoint="desk_users", url="users"),
    ):
        admin.add_view(view)
    return admin

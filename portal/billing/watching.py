"""What a verb changed: the rows of one customer's money, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from portal.models import (
    Case,
    GatewayName,
    MethodBinding,
    Notification,
    Payment,
    PaymentMethod,
    PurchasedPlan,
    Receipt,
    Refund,
    Subscription,
)

#: The columns that say something to a person, by table. Neither tokens nor marks of the sweep are among them.
_COLUMNS: Mapping[Any, tuple[str, ...]] = {
    Payment: (
        "transaction_id",
        "status",
        "amount",
        "refunded_amount",
        "gateway_payment_id",
        "failure_code",
        "paid_at",
    ),
    PurchasedPlan: ("plan_title", "starts_at", "ends_at", "email_quota", "revoked_at", "revoked_because"),
    Subscription: ("status", "current_period_end", "auto_renew", "charge_due_at"),
    Refund: ("amount", "status", "source", "gateway_refund_id", "failure_code"),
    PaymentMethod: ("title", "stopped_at", "detached_at"),
    MethodBinding: ("status",),
    Case: ("kind", "amount", "currency", "resolved_at"),
    Receipt: ("kind", "url"),
    Notification: ("kind", "channel"),
}

#: A row by its table and number.
Key = tuple[str, int]
Rows = dict[Key, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose rows are looked at: a customer's, and cases about an object of a gateway that has no customer."""

    user_id: int | None
    gateway: GatewayName
    gateway_ids: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Change:
    """One row that is new, or whose columns are others: name, before, after."""

    table: str
    number: int
    is_new: bool
    columns: tuple[tuple[str, Any, Any], ...]


def rows(session: Session, watched: Watched) -> Rows:
    """All rows that *watched* speaks of, as the present transaction sees them."""
    session.flush()
    found: Rows = {}
    for model, names in _COLUMNS.items():
        condition = _condition(model, watched)
        if condition is None:
            continue
        table = model.__table__
        columns = [table.c[name] for name in names]
        for number, *values in session.execute(select(table.c.id, *columns).where(condition)):
            found[table.name, number] = dict(zip(names, values, strict=True))
    return found


def differences(before: Rows, after: Rows) -> list[Change]:
    """What is new or other in *after*; a new row tells what it says, an old one what has changed in it."""
    found = []
    for (table, number), now in after.items():
        was = before.get((table, number))
        columns = tuple(
            (name, was[name] if was is not None else None, value)
            for name, value in now.items()
            if (value is not None if was is None else value != was[name])
        )
        if columns:
            found.append(Change(table, number, was is None, columns))
    return found


def _condition(model: Any, watched: Watched) -> ColumnElement[bool] | None:
    """Which rows of a table are looked at."""
    table = model.__table__
    theirs = select(Payment.id).where(Payment.user_id == watched.user_id)
    if model is Case:
        about = (table.c.gateway == watched.gateway) & table.c.gateway_payment_id.in_(watched.gateway_ids)
        return or_(table.c.payment_id.in_(theirs), about)
    if watched.user_id is None:
        return None
    of_customer: ColumnElement[bool] = (
        table.c.payment_id.in_(theirs) if model in {Refund, Receipt} else table.c.user_id == watched.user_id
    )
    return of_customer

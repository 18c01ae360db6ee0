"""A payment's move from state to state, written down by the very statement that makes it.

So no move is without its moment, and the path of a notification takes no trip more than before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, literal, select, update
from sqlalchemy.orm import Session

from portal.models import Payment, PaymentMove, PaymentStatus
from portal.models.payment import may_move

_payments: Any = Payment.__table__
_moves: Any = PaymentMove.__table__


def move(session: Session, payment: Row[Any], status: PaymentStatus, now: datetime, **values: Any) -> None:
    """Move a locked *payment*, and set *values* with it.

    The table allows it and the lock holds it: otherwise this is a fault in the code, not in the data.
    """
    if not may_move(payment.status, status):
        raise AssertionError(f"{payment.transaction_id} may not move from {payment.status} to {status}")
    _write(session, payment, status, now, values)


def refused_again(session: Session, payment: Row[Any], code: str, now: datetime) -> None:
    """Another card was refused for the same order: it stays failed, by the latest reason."""
    values = {"failure_code": code, "failed_at": now, "refused_at": first_refusal(now)}
    _write(session, payment, PaymentStatus.FAILED, now, values)


def first_refusal(now: datetime) -> ColumnElement[datetime]:
    """The moment of the first refusal, to be kept although a later try takes the money."""
    return func.coalesce(_payments.c.refused_at, now)


def _write(
    session: Session, payment: Row[Any], status: PaymentStatus, now: datetime, values: dict[str, Any]
) -> None:
    moved = (
        update(_payments)
        .where(_payments.c.id == payment.id, _payments.c.status == payment.status)
        .values(status=status, **values)
        .returning(_payments.c.id)
        .cte("moved")
    )
    told = {"at": now, "before": payment.status, "after": status, "code": values.get("failure_code")}
    words = [literal(value, _moves.c[name].type) for name, value in told.items()]
    written = insert(_moves).from_select(["payment_id", *told], select(moved.c.id, *words))
    if session.execute(written.returning(_moves.c.id)).scalar() is None:
        raise AssertionError(f"{payment.transaction_id} was not locked")

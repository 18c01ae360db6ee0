"""The locks under which money moves: the customer's row first, the payment's after it, anything else then."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, literal, select
from sqlalchemy.orm import Session

from portal.models import Payment, User
from portal.models.base import Moment

_payments: Any = Payment.__table__
_users: Any = User.__table__

#: Whether a customer closed the account and nobody has opened it since; empty for whoever never did.
IS_CLOSED: Any = _users.c.disabled_at == _users.c.closed_at


def locked(
    session: Session, *, payment_id: int | None = None, transaction_id: str | None = None
) -> Row[Any] | None:
    """A payment with its payer, both locked until the transaction ends; ``None`` when there is none."""
    this = (
        _payments.c.id == payment_id
        if payment_id is not None
        else _payments.c.transaction_id == transaction_id
    )
    # The customer first: see lock_customer().
    of_payer = (_users.c.public_id, _users.c.closed_at, IS_CLOSED.label("is_closed"))
    payer = select(*of_payer).join(_payments, _payments.c.user_id == _users.c.id)
    found = session.execute(payer.where(this).with_for_update(key_share=True, of=_users)).one_or_none()
    if found is None:
        return None
    query = select(
        _payments,
        literal(found.public_id).label("payer"),
        literal(found.closed_at, Moment).label("payer_closed_at"),
        literal(bool(found.is_closed)).label("payer_is_closed"),
    )
    query = query.where(this)
    return session.execute(query.with_for_update(key_share=True, of=_payments)).one()


def lock_customer(session: Session, user_id: int) -> None:
    """Let one verb at a time move what is this customer's, until the transaction ends.

    Whoever locks anything of a customer locks the customer first: so nobody waits for each other in a circle,
    and what was read after this stays true. NO KEY UPDATE: rows that merely point at the customer (a new
    order, a notice) need not wait.
    """
    session.execute(select(_users.c.id).where(_users.c.id == user_id).with_for_update(key_share=True))

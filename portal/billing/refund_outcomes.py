"""What a refund comes to, whoever says so: our own call, a notification, a gateway's list.

All of them end here, under the lock of the payment, so one refund of the gateway is one row of ours and
"refunded" is a sum over rows.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, insert, select, update
from sqlalchemy.orm import Session

from portal.billing import cases, notices, subscriptions
from portal.database import changed
from portal.gateways.base import Outcome, RefundSnapshot
from portal.models import CaseKind, Payment, PurchasedPlan, Refund, RefundSource, RefundStatus
from portal.models.payment import BUYS
from portal.models.refund import UNDER_WAY, may_move
from portal.money import to_wire

_refunds: Any = Refund.__table__
_payments: Any = Payment.__table__

#: Our own code for a refund that has no room any more beside those that the gateway made.
NO_ROOM = "no_room"
#: Our own code for a refund that the gateway made and that is more than was captured.
ABOVE_CAPTURE = "above_capture"

#: Our own code for a chargeback that the bank took back, or that never was.
WON = "chargeback_won"
#: Ended without money, and none is owed: nobody is told of a refund that is late.
NOT_DUE = frozenset({NO_ROOM, ABOVE_CAPTURE, WON})

#: Minutes until a refund that the gateway has taken on is asked about again.
_LADDER = (1, 5, 15, 30, 60, 180, 360, 720)


class Came(StrEnum):
    """What a gateway's word changed."""

    MOVED = "moved"
    NOTHING_NEW = "nothing new"
    CASE = "case"


def write_down(
    session: Session, payment: Row[Any], told: RefundSnapshot, now: datetime, *, own: int | None = None
) -> Came:
    """Carry out what the gateway says about a refund of a captured *payment*; in the caller's transaction.

    *own* is the row whose call this is the answer to. Safe to repeat. A whole sum that went back takes the
    period back; a part leaves it.
    """
    row = _row_of(session, payment, told, own)
    if told.outcome is Outcome.SUCCEEDED:
        return _succeeded(session, payment, row, told, now)
    if row is None or row.status not in UNDER_WAY:
        return Came.NOTHING_NEW  # another's refund that has moved no money, or old news
    if told.outcome is Outcome.FAILED:
        _keep_id(session, row, told)
        return fail(session, payment, row, told.failure_code, now)
    theirs = told.gateway_refund_id
    move(session, row, RefundStatus.PENDING, gateway_refund_id=theirs, next_check_at=next_look(row, now))
    return Came.NOTHING_NEW if row.gateway_refund_id else Came.MOVED


def fail(
    session: Session, payment: Row[Any], row: Row[Any], code: str | None, now: datetime, *, detail: str = ""
) -> Came:
    """Give a refund up: the money is still with the shop, so the operator and the customer are told."""
    if row.status not in UNDER_WAY:
        return Came.NOTHING_NEW
    close(session, row, code, now)
    kind, key = CaseKind.REFUND_FAILED, f"{row.gateway.value}:{CaseKind.REFUND_FAILED.value}:{row.id}"
    facts = {
        "transaction_id": payment.transaction_id,
        "refund_id": row.id,
        "code": code,
        "detail": detail,
        "source": row.source,
    }
    money, theirs = (row.amount, row.currency), payment.gateway_payment_id
    cases.open_case(session, kind, key, row.gateway, theirs, payment.id, money, facts, now)
    key, facts = f"refund_failed:{row.id}", _facts(payment, row)
    notices.announce(session, payment.user_id, "refund_failed", key, facts, now)
    return Came.MOVED


def _row_of(session: Session, payment: Row[Any], told: RefundSnapshot, own: int | None) -> Row[Any] | None:
    """Our row of that refund: by the gateway's id, else the one whose call it answers, else one that waits.

    A waiting row is taken for it when its call may have reached the gateway and the sum is the same.
    """
    theirs = _one(
        session,
        _refunds.c.gateway == payment.gateway,
        _refunds.c.gateway_refund_id == told.gateway_refund_id,
    )
    if theirs is not None:
        return theirs
    unnamed = _refunds.c.gateway_refund_id.is_(None)
    mine = _one(session, _refunds.c.id == own, unnamed) if own is not None else None
    return mine or _one(
        session,
        unnamed,
        _refunds.c.payment_id == payment.id,
        _refunds.c.amount == told.amount,
        _refunds.c.called_at.is_not(None),
        _refunds.c.status.in_(UNDER_WAY),
    )


def _one(session: Session, *conditions: ColumnElement[bool]) -> Row[Any] | None:
    found = select(_refunds).where(*conditions).order_by(_refunds.c.called_at, _refunds.c.id).limit(1)
    return session.execute(found.with_for_update()).one_or_none()


def _succeeded(
    session: Session, payment: Row[Any], row: Row[Any] | None, told: RefundSnapshot, now: datetime
) -> Came:
    if row is not None and row.status is RefundStatus.SUCCEEDED:
        return Came.NOTHING_NEW
    total = payment.refunded_amount + told.amount
    strange = told.currency != payment.currency or (row is not None and row.amount != told.amount)
    if told.amount <= 0 or total > payment.amount or strange:
        _open_case(session, payment, told, now)
        if row is not None and row.status in UNDER_WAY:
            _keep_id(session, row, told)
            close(session, row, ABOVE_CAPTURE, now)
        return Came.CASE
    _book(session, payment, row, told, now)
    session.execute(update(_payments).where(_payments.c.id == payment.id).values(refunded_amount=total))
    whole = total == payment.amount
    if whole:
        subscriptions.revoke(session, payment, now)
    make_room(session, payment, total, now)
    if payment.purpose in BUYS:
        facts = _facts(payment, told) | {"whole": whole, "ended": _is_over(session, payment)}
        key = f"refunded:{payment.gateway.value}:{told.gateway_refund_id}"
        notices.announce(session, payment.user_id, "refunded", key, facts, now)
    return Came.MOVED


def _book(
    session: Session, payment: Row[Any], row: Row[Any] | None, told: RefundSnapshot, now: datetime
) -> None:
    """Our row is done; a refund that nobody here asked for gets a row of its own."""
    done = {
        "gateway_refund_id": told.gateway_refund_id,
        "failure_code": None,
        "next_check_at": None,
        "finished_at": now,
    }
    if row is not None:
        move(session, row, RefundStatus.SUCCEEDED, **done)
        return
    made = {
        "status": RefundStatus.SUCCEEDED,
        "payment_id": payment.id,
        "gateway": payment.gateway,
        "key": str(uuid.uuid4()),
        "amount": told.amount,
        "currency": payment.currency,
        "source": RefundSource.GATEWAY,
        "reason": "",
        "checks": 0,
        "created_at": now,
    }
    session.execute(insert(_refunds).values(made | done))


def make_room(session: Session, payment: Row[Any], total: Any, now: datetime) -> None:
    """Give up what waits and does not fit beside what went back: the gateway would refuse it (law 4).

    Where everything went back, nobody misses it.
    """
    waits = select(_refunds).where(_refunds.c.payment_id == payment.id, _refunds.c.status.in_(UNDER_WAY))
    room = payment.amount - total
    for row in session.execute(waits.order_by(_refunds.c.id).with_for_update()).all():
        if row.amount <= room:
            room -= row.amount
        elif total == payment.amount:
            close(session, row, NO_ROOM, now)
        else:
            fail(session, payment, row, NO_ROOM, now)


def close(session: Session, row: Row[Any], code: str | None, now: datetime) -> None:
    """End a locked refund that brought nothing."""
    why = code and code[:64]
    move(session, row, RefundStatus.FAILED, failure_code=why, next_check_at=None, finished_at=now)


def next_look(row: Row[Any], now: datetime) -> datetime:
    """When a refund that the gateway has taken on is asked about again."""
    return now + timedelta(minutes=_LADDER[min(max(row.checks, 1), len(_LADDER)) - 1])


def move(session: Session, row: Row[Any], status: RefundStatus, **values: Any) -> None:
    """The table allows it and the lock holds it: otherwise this is a fault in the code, not in the data."""
    if not may_move(row.status, status):
        raise AssertionError(f"refund {row.id} may not move from {row.status} to {status}")
    moved = update(_refunds).where(_refunds.c.id == row.id, _refunds.c.status == row.status)
    if not changed(session.execute(moved.values(status=status, **values))):
        raise AssertionError(f"refund {row.id} was not locked")


def _keep_id(session: Session, row: Row[Any], told: RefundSnapshot) -> None:
    values = {"gateway_refund_id": told.gateway_refund_id}
    session.execute(update(_refunds).where(_refunds.c.id == row.id).values(values))


def _is_over(session: Session, payment: Row[Any]) -> bool:
    """Whether the period that the payment gave counts no more, by this refund or before it."""
    revoked = exists().where(PurchasedPlan.payment_id == payment.id, PurchasedPlan.revoked_at.is_not(None))
    return bool(session.scalar(select(revoked)))


def _open_case(session: Session, payment: Row[Any], told: RefundSnapshot, now: datetime) -> None:
    """More went back than was taken, or other than was asked for: the operator has to see it."""
    kind = CaseKind.REFUND_ABOVE_CAPTURE
    key = f"{payment.gateway.value}:{kind.value}:{told.gateway_refund_id}"
    money = (told.amount, told.currency)
    facts = {
        "refund": told.gateway_refund_id,
        "captured": to_wire(payment.amount),
        "refunded": to_wire(payment.refunded_amount),
    }
    gateway_payment_id = payment.gateway_payment_id
    cases.open_case(session, kind, key, payment.gateway, gateway_payment_id, payment.id, money, facts, now)


def _facts(payment: Row[Any], refund: Any) -> dict[str, Any]:
    """What letters and notices may say of a refund, ours or the gateway's."""
    return {
        "transaction_id": payment.transaction_id,
        "plan_title": payment.plan_title or payment.description,
        "amount": to_wire(refund.amount),
        "currency": payment.currency,
    }

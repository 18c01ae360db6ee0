"""Carrying a refund on until it has ended: called, asked about, looked up (law 1).

A refund has one key, kept before the call. While the gateway remembers the key the same call is simply
repeated; later the gateway's own list is looked at, and only a refund that is surely not there gets a new
key.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from portal import clock
from portal.billing import calls, cases, doors, locks, receipts, refund_outcomes, stray_money
from portal.database import changed, db, transaction
from portal.gateways.base import (
    Gateway,
    GatewayError,
    GatewayRejected,
    GatewayThrottled,
    GatewayUnknown,
    Outcome,
    RefundSnapshot,
)
from portal.models import Case, CaseKind, GatewayName, Operation, Payment, Refund, RefundStatus
from portal.models.refund import UNDER_WAY
from portal.money import to_wire

log = logging.getLogger(__name__)

_refunds: Any = Refund.__table__
_payments: Any = Payment.__table__
_cases: Any = Case.__table__

#: For how long after the first call a key is surely remembered: CloudPayments keeps it an hour, YooKassa a
#: day.
REMEMBERED = {GatewayName.CLOUDPAYMENTS: timedelta(minutes=40), GatewayName.YOOKASSA: timedelta(hours=20)}
#: A refund is looked at again no sooner than this after a call: longer than the gateway may still be at work
#: on it (``payments.ANSWER_LIMITS``) and longer than a job may take. So whoever finds nothing in the
#: gateway's list knows that no call is under way.
APART = {GatewayName.CLOUDPAYMENTS: timedelta(minutes=8), GatewayName.YOOKASSA: timedelta(minutes=3)}
#: A process that slept longer than this has lost the refund to another.
SEND_WITHIN = timedelta(minutes=1)
#: Minutes between looks, where that is longer.
_LADDER = (3, 3, 5, 10, 15, 30, 60, 180, 360)
#: The least and the most that a gateway which is too busy is waited for.
_THROTTLED = (timedelta(minutes=1), timedelta(hours=1))
#: Our clock and theirs may differ.
_MARGIN = timedelta(minutes=15)
#: What nobody knows anything of, and what the gateway itself does not finish, is shown to the operator.
UNKNOWN_TOO_LONG = timedelta(hours=24)
UNDER_WAY_TOO_LONG = timedelta(days=5)


def waiting(now: datetime, limit: int = 200) -> list[int]:
    """Refunds that are due to be carried on."""
    due = select(Refund.id).where(Refund.next_check_at <= now).order_by(Refund.next_check_at)
    return list(db.session.scalars(due.limit(limit)))


def hasten(now: datetime) -> None:
    """Let the refunds that the gateway has taken on be asked about at once. Only these: the time between two
    calls is what makes them safe.
    """
    known = update(Refund).where(Refund.status.in_(UNDER_WAY), Refund.gateway_refund_id.is_not(None))
    with transaction() as session:
        session.execute(known.values(next_check_at=now).execution_options(synchronize_session=False))


def carry_on(refund_id: int) -> bool:
    """Do the next thing for a refund. Safe to run twice and at the same time as itself.

    Tells whether anything new is known of it; what a gateway does is never raised.
    """
    now = clock.now()
    work = _claim(refund_id, now)
    if work is None:
        return False
    try:
        told = _next_word(doors.gateway(work.gateway), work, now)
    except GatewayError as error:
        _note_trouble(work, error, now)
        return False
    if told is None:
        return False
    _write_down(work, told, now)
    if told.outcome is Outcome.PENDING and work.gateway_refund_id is None:
        _look_once(work, told, now)
    return True


def _claim(refund_id: int, now: datetime) -> Row[Any] | None:
    """Take a refund that is due, and say when to look again should this process die.

    The row as it was before; ``None`` when it is over, not due, or another's.
    """
    theirs = func.coalesce(_payments.c.gateway_payment_id, _cases.c.gateway_payment_id)
    reference = func.coalesce(_payments.c.transaction_id, _cases.c.facts["reference"].astext, "")
    sold: tuple[Any, ...] = (_payments.c.receipt, _payments.c.amount.label("paid"))
    due = (
        select(_refunds, theirs.label("gateway_payment_id"), reference.label("transaction_id"), *sold)
        .outerjoin(_payments, _payments.c.id == _refunds.c.payment_id)
        .outerjoin(_cases, _cases.c.id == _refunds.c.case_id)
        .where(_refunds.c.id == refund_id, _refunds.c.status.in_(UNDER_WAY), _refunds.c.next_check_at <= now)
    )
    with transaction() as session:
        row = session.execute(due.with_for_update(of=_refunds, skip_locked=True)).one_or_none()
        if row is None:
            return None
        values: dict[str, Any] = {"checks": row.checks + 1, "next_check_at": now + _apart(row)}
        if row.gateway_refund_id is None and row.called_at is None:
            values["called_at"] = now
        session.execute(update(_refunds).where(_refunds.c.id == row.id).values(values))
        too_long = UNDER_WAY_TOO_LONG if row.gateway_refund_id else UNKNOWN_TOO_LONG
        if now - row.created_at >= too_long:
            kind, key = CaseKind.UNKNOWN_TOO_OLD, f"{row.gateway.value}:unknown_too_old:refund:{row.id}"
            facts = {"transaction_id": row.transaction_id, "refund": row.gateway_refund_id or row.key}
            money, theirs = (row.amount, row.currency), row.gateway_payment_id
            cases.open_case(session, kind, key, row.gateway, theirs, row.payment_id, money, facts, now)
        return row


def _apart(row: Row[Any]) -> timedelta:
    rung = timedelta(minutes=_LADDER[min(row.checks, len(_LADDER) - 1)])
    return max(rung, APART[row.gateway])


def _next_word(gateway: Gateway, work: Row[Any], now: datetime) -> RefundSnapshot | None:
    """What the gateway says of the refund, by whichever question is safe now; ``None``: nothing."""
    if work.gateway_refund_id is not None:
        return gateway.fetch_refund(work.gateway_refund_id)
    if work.called_at is None or now - work.called_at < REMEMBERED[work.gateway]:
        return _send(gateway, work, work.key, now)
    # The key is forgotten: the same call would be another refund.
    return _looked_up(gateway, work, now) or _send_anew(gateway, work, now)


def _send(gateway: Gateway, work: Row[Any], key: str, now: datetime) -> RefundSnapshot | None:
    if clock.now() - now > SEND_WITHIN:
        log.warning("Refund %s was not sent in time and is left to the next look", work.id)
        return None
    try:
        return gateway.refund(
            key,
            work.gateway_payment_id,
            work.amount,
            work.currency,
            work.reason,
            receipt=receipts.terms_of(work.receipt),
            whole=work.amount == work.paid,
        )
    except GatewayRejected as error:
        # Perhaps because the money went back already: by a call whose answer was lost, or from the cabinet.
        found = _looked_up(gateway, work, now)
        if found is not None and found.outcome is not Outcome.FAILED:
            return found
        if error.parameter == "Idempotence-Key" and key == work.key:
            return _send_anew(gateway, work, now)  # used with other words before, and nothing came of it
        _give_up(work, error, now)
        return None


def _send_anew(gateway: Gateway, work: Row[Any], now: datetime) -> RefundSnapshot | None:
    """Call under a new key: what was called under the old one is surely not there (see :data:`APART`)."""
    key = str(uuid.uuid4())
    renamed = update(_refunds).where(
        _refunds.c.id == work.id,
        _refunds.c.key == work.key,
        _refunds.c.status.in_(UNDER_WAY),
        _refunds.c.gateway_refund_id.is_(None),
    )
    with transaction() as session:
        if not changed(session.execute(renamed.values(key=key, called_at=now))):
            return None  # it was heard of meanwhile
    log.warning("Refund %s was never made under its old key and gets a new one", work.id)
    return _send(gateway, work, key, now)


def _looked_up(gateway: Gateway, work: Row[Any], now: datetime) -> RefundSnapshot | None:
    """The refund in the gateway's own list: of this payment and sum, since ours was ordered, no row's yet.

    One that went through, or may yet, rather than one that failed.
    """
    since, until = work.created_at - _MARGIN, now + _MARGIN
    listed = gateway.refunds_of(work.gateway_payment_id, work.transaction_id, since, until)
    fitting = {one.gateway_refund_id: one for one in listed if one.amount == work.amount}
    taken = _booked(work.gateway, fitting)
    free = [one for theirs, one in fitting.items() if theirs not in taken]
    order = (Outcome.SUCCEEDED, Outcome.PENDING, Outcome.FAILED)
    return min(free, key=lambda one: order.index(one.outcome), default=None)


def _booked(gateway: GatewayName, theirs: Iterable[str]) -> set[str]:
    booked = select(_refunds.c.gateway_refund_id).where(
        _refunds.c.gateway == gateway, _refunds.c.gateway_refund_id.in_(list(theirs))
    )
    with transaction() as session:
        return set(session.execute(booked).scalars())


def _write_down(work: Row[Any], told: RefundSnapshot, now: datetime) -> None:
    with transaction() as session:
        if work.payment_id is None:
            stray_money.write_down(session, work.id, told, now)
        else:
            payment = locks.locked(session, payment_id=work.payment_id)
            assert payment is not None  # payments are never deleted
            refund_outcomes.write_down(session, payment, told, now, own=work.id)
        _note_call(session, work, told.outcome.value, now)
    log.info("Refund %s of %s: %s", work.id, work.transaction_id, told.outcome.value)


def _look_once(work: Row[Any], told: RefundSnapshot, now: datetime) -> None:
    """What was taken on is mostly over at once; what is not is asked about later."""
    try:
        ended = doors.gateway(work.gateway).fetch_refund(told.gateway_refund_id)
    except GatewayError as error:
        log.warning("Refund %s could not be asked about: %s", work.id, error.code)
        return
    if ended is not None and ended.outcome is not Outcome.PENDING:
        _write_down(work, ended, now)


def _give_up(work: Row[Any], error: GatewayRejected, now: datetime) -> None:
    """The gateway said no for certain: the money is where it was."""
    log.error("Refund %s of %s was refused: %s %s", work.id, work.transaction_id, error.code, error.detail)
    with transaction() as session:
        _note_call(session, work, error.code, now, error.detail)
        if work.payment_id is None:
            stray_money.fail(session, work.id, error.code, now, detail=error.detail)
            return
        payment = locks.locked(session, payment_id=work.payment_id)
        assert payment is not None  # payments are never deleted
        row = session.execute(select(_refunds).where(_refunds.c.id == work.id).with_for_update()).one()
        if row.gateway_refund_id is None:
            refund_outcomes.fail(session, payment, row, error.code, now, detail=error.detail)


def _note_call(session: Session, work: Row[Any], said: str, now: datetime, detail: str = "") -> None:
    told = {"payment_id": work.payment_id, "refund_id": work.id, "detail": detail}
    calls.note(session, Operation.REFUND, said, now, **told)


def _note_trouble(work: Row[Any], error: GatewayError, now: datetime) -> None:
    """No answer that can be used: the refund stays as it is and is looked at again."""
    log.warning(
        "Refund %s of %s, %s: %s %s",
        work.id,
        to_wire(work.amount),
        work.gateway.value,
        error.code,
        error.detail,
    )
    values: dict[str, Any] = {}
    if isinstance(error, GatewayThrottled):
        # This call did nothing, so it need not be waited for.
        asked = timedelta(seconds=error.retry_after or 0)
        values["next_check_at"] = now + min(max(asked, _THROTTLED[0]), _THROTTLED[1])
    elif isinstance(error, GatewayUnknown) and work.gateway_refund_id is None:
        values["status"] = RefundStatus.UNKNOWN
    unnamed = update(_refunds).where(
        _refunds.c.id == work.id,
        _refunds.c.status.in_(UNDER_WAY),
        _refunds.c.gateway_refund_id.is_not_distinct_from(work.gateway_refund_id),
    )
    with transaction() as session:
        _note_call(session, work, error.code, now, error.detail)
        if values:
            session.execute(unnamed.values(values))

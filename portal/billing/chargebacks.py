"""Money that a customer's bank took back from the shop: heard in a gateway's list, or written down by hand.

It is booked like any money that left – a refund by the bank – so that nobody gives it back a second time, and
it becomes a case: what happens to the plan is for a person to say. Money that came back to the shop undoes
the booking, and is told as a case as well.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from portal.billing import cases, locks, refund_outcomes
from portal.billing.settlement import Verdict
from portal.database import transaction
from portal.gateways.disputes import ChargebackSnapshot, Dispute
from portal.models import (
    Case,
    CaseKind,
    GatewayName,
    Payment,
    PaymentStatus,
    PurchasedPlan,
    Refund,
    RefundSource,
    RefundStatus,
)
from portal.money import ZERO, to_wire

_payments: Any = Payment.__table__
_refunds: Any = Refund.__table__
_cases: Any = Case.__table__

#: The booking of a case is found by its key: a name of the case's own, in this space.
_BOOKINGS = uuid.UUID("5b1d7d0c-6a0f-4c38-9d6e-2f0f7f6c9a41")


def hear_all(gateway: GatewayName, listed: Iterator[ChargebackSnapshot], now: datetime) -> Iterator[Verdict]:
    """Carry out each line of a gateway's list; repeating it changes nothing."""
    for told in listed:
        with transaction() as session:
            yield heard(session, gateway, told, now)


def heard(session: Session, gateway: GatewayName, told: ChargebackSnapshot, now: datetime) -> Verdict:
    """Carry out one line: money gone, money come back, a fee, or what a person has to look at; in the
    caller's transaction.
    """
    named = select(_payments.c.id).where(
        _payments.c.gateway == gateway, _payments.c.gateway_payment_id == told.gateway_payment_id
    )
    payment_id = session.execute(named).scalar()
    payment = locks.locked(session, payment_id=payment_id) if payment_id is not None else None
    if told.what is Dispute.FEE:
        return _note_fee(session, gateway, told)
    key = f"{gateway.value}:{CaseKind.CHARGEBACK.value}:{told.chargeback_id}:{told.what.value}"
    if session.execute(select(_cases.c.id).where(_cases.c.dedupe_key == key)).scalar() is not None:
        return Verdict.NOTHING_NEW
    at = told.happened_at or now
    facts = {"dispute": told.chargeback_id, "what": told.what.value, "happened_at": at.isoformat()}
    facts |= _links(session, payment)
    if told.what is Dispute.RETURNED:
        facts["booked"] = to_wire(_give_up(session, payment, told.amount, now))
    elif told.what is Dispute.TAKEN and payment is not None and told.currency == payment.currency:
        facts["booked"] = to_wire(book(session, payment, told.amount, at, key, now))
    _open(session, gateway, told.gateway_payment_id, payment, (told.amount, told.currency), key, facts, now)
    return Verdict.CASE


def write_down(
    session: Session,
    payment: Row[Any],
    amount: Decimal,
    at: datetime,
    facts: Mapping[str, Any],
    key: str,
    now: datetime,
) -> int:
    """What an operator read in the gateway's letter, of a locked payment; gives the case's number."""
    told = {**facts, "what": Dispute.TAKEN.value, "happened_at": at.isoformat(), **_links(session, payment)}
    told["booked"] = to_wire(book(session, payment, amount, at, key, now))
    theirs, money = payment.gateway_payment_id, (amount, payment.currency)
    _open(session, payment.gateway, theirs, payment, money, key, told, now)
    return int(session.execute(select(_cases.c.id).where(_cases.c.dedupe_key == key)).scalar_one())


def book(
    session: Session, payment: Row[Any], amount: Decimal, at: datetime, key: str, now: datetime
) -> Decimal:
    """Write down that the money left on the day of *at*, as far as it had not gone back before (law 4).

    Gives what was booked. Refunds on their way that do not fit beside it are given up.
    """
    paid = payment.status is PaymentStatus.SUCCEEDED
    booked = min(amount, payment.amount - payment.refunded_amount) if paid else ZERO
    if booked <= 0:
        return ZERO
    row = {
        "payment_id": payment.id,
        "gateway": payment.gateway,
        "key": _booking(key),
        "amount": booked,
        "currency": payment.currency,
        "status": RefundStatus.SUCCEEDED,
        "source": RefundSource.BANK,
        "reason": "",
        "checks": 0,
        "created_at": now,
        "finished_at": at,
    }
    session.execute(insert(_refunds).values(row))
    total = payment.refunded_amount + booked
    session.execute(update(_payments).where(_payments.c.id == payment.id).values(refunded_amount=total))
    refund_outcomes.make_room(session, payment, total, now)
    return booked


def standing(session: Session, payment_id: int) -> list[Row[Any]]:
    """What banks took back of a payment and still have, oldest first."""
    taken = select(_refunds).where(
        _refunds.c.payment_id == payment_id,
        _refunds.c.source == RefundSource.BANK,
        _refunds.c.status == RefundStatus.SUCCEEDED,
    )
    return list(session.execute(taken.order_by(_refunds.c.id)))


def booking_of(session: Session, case: Case) -> Row[Any] | None:
    """What stands booked by this case."""
    found = [one for one in standing(session, case.payment_id or 0) if one.key == _booking(case.dedupe_key)]
    return found[0] if found else None


def undo(session: Session, payment: Row[Any], booking: Row[Any], now: datetime) -> None:
    """The money is with the shop: the booking counts no more. Under the payment's lock."""
    code = refund_outcomes.WON
    refund_outcomes.move(session, booking, RefundStatus.FAILED, failure_code=code)
    total = _payments.c.refunded_amount - booking.amount
    session.execute(update(_payments).where(_payments.c.id == payment.id).values(refunded_amount=total))
    _settle_cases(session, booking, now)


def _give_up(session: Session, payment: Row[Any] | None, amount: Decimal, now: datetime) -> Decimal:
    """Undo the booking that the bank gave back: that of the same sum, the oldest first."""
    taken = standing(session, payment.id) if payment is not None else []
    same = [one for one in taken if one.amount == amount]
    if payment is None or not same:
        return ZERO
    undo(session, payment, same[0], now)
    return amount


def _links(session: Session, payment: Row[Any] | None) -> dict[str, Any]:
    """The order, and the subscription that the money's period belongs to."""
    if payment is None:
        return {}
    holder = select(PurchasedPlan.subscription_id).where(PurchasedPlan.payment_id == payment.id)
    number = session.execute(holder).scalar()
    of_period = {"subscription": number} if number is not None else {}
    return {"transaction_id": payment.transaction_id, **of_period}


def _settle_cases(session: Session, booking: Row[Any], now: datetime) -> None:
    """A case about money that is back asks for nothing any more."""
    still = select(_cases.c.dedupe_key).where(
        _cases.c.payment_id == booking.payment_id,
        _cases.c.kind == CaseKind.CHARGEBACK,
        _cases.c.resolved_at.is_(None),
    )
    for key in session.execute(still).scalars().all():
        if _booking(key) == booking.key:
            cases.resolve(session, key, now)


def _note_fee(session: Session, gateway: GatewayName, told: ChargebackSnapshot) -> Verdict:
    """What the gateway keeps for a dispute stands in its case; it is no money of the payment."""
    fee = {f"fee {told.chargeback_id}": to_wire(told.amount)}
    about = (
        select(Case)
        .where(
            Case.gateway == gateway,
            Case.gateway_payment_id == told.gateway_payment_id,
            Case.kind == CaseKind.CHARGEBACK,
        )
        .order_by(Case.id.desc())
        .limit(1)
        .with_for_update()
    )
    case = session.scalar(about)
    if case is None or fee.items() <= case.facts.items():
        return Verdict.NOTHING_NEW
    case.facts = {**case.facts, **fee}
    return Verdict.MOVED


def _open(
    session: Session,
    gateway: GatewayName,
    theirs: str | None,
    payment: Row[Any] | None,
    money: tuple[Decimal, str],
    key: str,
    facts: Mapping[str, Any],
    now: datetime,
) -> None:
    number = payment.id if payment is not None else None
    cases.open_case(session, CaseKind.CHARGEBACK, key, gateway, theirs, number, money, facts, now)


def _booking(key: str) -> str:
    return str(uuid.uuid5(_BOOKINGS, key))

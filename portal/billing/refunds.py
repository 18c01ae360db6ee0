"""Giving money back: the wish is written down within what was captured, and a worker carries it out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.orm import Session

from portal import jobs, written
from portal.billing import locks, sending_back
from portal.billing.refund_outcomes import NOT_DUE
from portal.database import db, transaction
from portal.errors import InvalidRequest, NotFound
from portal.models import Case, CaseChoice, Payment, PaymentStatus, Refund, RefundSource, RefundStatus
from portal.models.refund import UNDER_WAY
from portal.money import ZERO, NotAnAmount, money
from portal.wording import say

_cases: Any = Case.__table__
_refunds: Any = Refund.__table__
_payments: Any = Payment.__table__


class RefundTooLarge(InvalidRequest):
    """More than is left of what was captured, or no sum at all."""

    code = "REFUND_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class GoingBack:
    """What of one payment is on its way back, and what did not get through and is being looked into."""

    under_way: Decimal = ZERO
    failed: Decimal = ZERO


def order(
    session: Session,
    payment: Row[Any],
    amount: Decimal,
    source: RefundSource,
    reason: str,
    now: datetime,
    *,
    ordered_by: int | None = None,
    form_key: str | None = None,
) -> int:
    """Write down that *amount* of a captured payment goes back, and let a worker see to it after the commit.

    In the caller's transaction, under the locks of customer and payment (``locks.locked``). Returns the
    refund's id. Raises RefundTooLarge when it is more than is left (law 4): every refund counts that has not
    failed.
    """
    _demand_within(left(session, payment.id), amount, payment.currency)
    row = {
        "payment_id": payment.id,
        "gateway": payment.gateway,
        "key": str(uuid.uuid4()),
        "amount": amount,
        "currency": payment.currency,
        "status": RefundStatus.PENDING,
        "source": source,
        "reason": reason[:250],
        "ordered_by": ordered_by,
        "form_key": form_key,
        "created_at": now,
        "next_check_at": now,
        "checks": 0,
    }
    refund_id = int(session.execute(insert(_refunds).values(row).returning(_refunds.c.id)).scalar_one())
    jobs.enqueue(sending_back.carry_on, refund_id)
    return refund_id


def _demand_within(remains: Decimal, amount: Decimal, currency: str) -> None:
    """Refuse a sum that is none, or more than is left."""
    if 0 < amount <= remains:
        return
    raise RefundTooLarge(
        say("Вернуть можно от 1 копейки до %(most)s.", most=written.money(remains, currency))
        if remains
        else say("По этому платежу возвращать больше нечего.")
    )


def give_back(payment_id: int, amount: Decimal, source: RefundSource, reason: str, now: datetime) -> int:
    """Order a refund in a transaction of its own: the operator's door. Returns the refund's id.

    Raises InvalidRequest with a sentence when the sum cannot go back, NotFound for a strange payment.
    """
    try:
        exact = money(amount)
    except NotAnAmount as error:
        raise InvalidRequest(say("Сумма возврата — рубли и копейки, например 340.50.")) from error
    with transaction() as session:
        payment = locks.locked(session, payment_id=payment_id)
        if payment is None:
            raise NotFound
        return order(session, payment, exact, source, reason, now)


def left(session: Session, payment_id: int) -> Decimal:
    """What of a payment may still go back: what was captured less every refund that has not failed, and less
    what operators say was returned past the gateway.
    """
    asked = select(func.coalesce(func.sum(_refunds.c.amount), ZERO)).where(
        _refunds.c.payment_id == payment_id, _refunds.c.status != RefundStatus.FAILED
    )
    captured = select(_payments.c.amount).where(
        _payments.c.id == payment_id, _payments.c.status == PaymentStatus.SUCCEEDED
    )
    # Read anew: the caller may have settled the payment in this very transaction.
    taken: Decimal = session.execute(captured).scalar() or ZERO
    gone: Decimal = session.execute(asked).scalar_one()
    by_hand = select(func.coalesce(func.sum(_cases.c.amount), ZERO)).where(
        _cases.c.payment_id == payment_id, _cases.c.resolution == CaseChoice.BY_HAND
    )
    told: Decimal = session.execute(by_hand).scalar_one()
    return max(ZERO, taken - gone - told)


def going_back(payment_ids: Iterable[int]) -> Mapping[int, GoingBack]:
    """What of these payments is on its way back, for pages; payments without any are left out.

    A failed refund is told until another of the same payment follows it.
    """
    rows = db.session.scalars(
        select(Refund).where(Refund.payment_id.in_(list(payment_ids))).order_by(Refund.id)
    ).all()
    found: dict[int, GoingBack] = {}
    for row in rows:
        if row.payment_id is None:
            continue  # none of these
        before = found.get(row.payment_id, GoingBack())
        if row.status in UNDER_WAY:
            found[row.payment_id] = GoingBack(before.under_way + row.amount)
        elif row.status is RefundStatus.SUCCEEDED:
            found[row.payment_id] = GoingBack(before.under_way)
        elif row.failure_code not in NOT_DUE:
            found[row.payment_id] = GoingBack(before.under_way, before.failed + row.amount)
    return {payment_id: one for payment_id, one in found.items() if one != GoingBack()}

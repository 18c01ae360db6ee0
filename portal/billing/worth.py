"""What the running period is still worth: the credit of whoever changes to another plan now.

A period is worth what was paid for it and what was credited towards it, less what went back. A credit is
worth no more than what is left of the payment that it came from: so a refund of that payment, whenever it
comes, leaves nothing that could be credited or given back a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from portal.models import Payment, PurchasedPlan, Refund, RefundStatus
from portal.money import ZERO, portion

_payments: Any = Payment.__table__
_purchased: Any = PurchasedPlan.__table__
_refunds: Any = Refund.__table__

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Base:
    """The running period, and what it is worth as a whole."""

    payment_id: int
    plan_id: int
    plan_code: str
    plan_title: str
    currency: str
    #: What it cost, credit included; in roubles, as ``value``.
    price: Decimal
    #: That, as far as it has not gone back.
    value: Decimal
    period_days: int
    starts_at: datetime
    ends_at: datetime
    email_quota: int
    emails_used: int

    def credit(self, now: datetime) -> Decimal:
        """What is left of the value: by the time or by the e-mails that are unused, whichever is less.

        In roubles, rounded down to the kopeck.
        """
        by_time = self.by_time(now)
        if not self.email_quota:
            return by_time
        return min(by_time, portion(self.value, self.email_quota - self.emails_used, self.email_quota))

    def by_time(self, moment: datetime) -> Decimal:
        """What is left of the value at *moment* by time alone: no credit of that moment is more."""
        left, whole = self.ends_at - moment, self.ends_at - self.starts_at
        return portion(self.value, left // _MICROSECOND, whole // _MICROSECOND)


def base(session: Session, user_id: int, now: datetime) -> Base | None:
    """The customer's running period as the database has it now; ``None`` when none runs.

    In the days of grace none does: what may be used then was not paid for.
    """
    found = session.execute(
        select(_purchased, _payments.c.amount, _payments.c.credit, _payments.c.currency)
        .join(_payments, _payments.c.id == _purchased.c.payment_id)
        .where(
            _purchased.c.user_id == user_id,
            _purchased.c.revoked_at.is_(None),
            _purchased.c.starts_at <= now,
            _purchased.c.ends_at > now,
        )
        .order_by(_purchased.c.starts_at)
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    return Base(
        payment_id=found.payment_id,
        plan_id=found.plan_id,
        plan_code=found.plan_code,
        plan_title=found.plan_title,
        currency=found.currency,
        price=found.amount + found.credit,
        value=of_payment(session, found.payment_id),
        period_days=(found.ends_at - found.starts_at).days,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        email_quota=found.email_quota,
        emails_used=found.emails_used,
    )


def of_payment(session: Session, payment_id: int) -> Decimal:
    """What a payment's period is worth: paid and credited, less every refund that has not failed; roubles."""
    chain: list[Row[Any]] = []
    wanted: int | None = payment_id
    while wanted is not None:
        chain.append(_with_refunds(session, wanted))
        wanted = chain[-1].replaces_payment_id
    left = ZERO
    for row in reversed(chain):
        left = max(ZERO, row.amount + min(row.credit, left) - row.gone_back)
    return left


def _with_refunds(session: Session, payment_id: int) -> Row[Any]:
    gone_back = (
        select(func.coalesce(func.sum(_refunds.c.amount), ZERO))
        .where(_refunds.c.payment_id == payment_id, _refunds.c.status != RefundStatus.FAILED)
        .scalar_subquery()
    )
    found = select(
        _payments.c.amount,
        _payments.c.credit,
        _payments.c.replaces_payment_id,
        gone_back.label("gone_back"),
    )
    return session.execute(found.where(_payments.c.id == payment_id)).one()

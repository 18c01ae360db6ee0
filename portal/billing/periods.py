"""The paid periods of one customer in a row: written, and laid one behind the other.

Whoever calls these holds the customer's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.orm import Session

from portal.models import PurchasedPlan, Revocation

_purchased: Any = PurchasedPlan.__table__


def write(
    session: Session,
    payment: Row[Any],
    subscription_id: int,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    *,
    emails_used: int = 0,
    revoked_because: Revocation | None = None,
) -> int:
    """Write the period in the payment's own, frozen terms; gives its id.

    With *revoked_because* it counts from no moment on: what was paid for could not be given.
    """
    made = insert(_purchased).values(
        user_id=payment.user_id,
        subscription_id=subscription_id,
        payment_id=payment.id,
        plan_id=payment.plan_id,
        plan_code=payment.plan_code,
        plan_title=payment.plan_title,
        starts_at=starts_at,
        ends_at=ends_at,
        email_quota=payment.email_quota,
        emails_used=emails_used,
        revoked_at=now if revoked_because else None,
        revoked_because=revoked_because,
        created_at=now,
    )
    return int(session.execute(made.returning(_purchased.c.id)).scalar_one())


def paid_until(session: Session, user_id: int) -> datetime | None:
    """The end of all that is paid, by the periods: a clock that ran ahead may have ended an agreement."""
    paid = select(func.max(_purchased.c.ends_at)).where(
        _purchased.c.user_id == user_id, _purchased.c.revoked_at.is_(None)
    )
    return session.execute(paid).scalar()


def upcoming(session: Session, user_id: int, now: datetime) -> Sequence[PurchasedPlan]:
    """What is paid and has not begun at *now*, in order."""
    return session.scalars(
        select(PurchasedPlan)
        .where(
            PurchasedPlan.user_id == user_id,
            PurchasedPlan.revoked_at.is_(None),
            PurchasedPlan.starts_at > now,
        )
        .order_by(PurchasedPlan.starts_at)
        .execution_options(populate_existing=True)
    ).all()


def lay_out(session: Session, user_id: int, first_at: datetime, since: datetime) -> list[PurchasedPlan]:
    """Lay what counts and ends after *since* one behind the other, each as long as before; gives it in order.

    The first begins at *first_at*, or stays where it began before that. So a gap is closed, and room is made
    for what came between: no paid day is lost, none is given twice.
    """
    found = session.scalars(
        select(PurchasedPlan)
        .where(
            PurchasedPlan.user_id == user_id,
            PurchasedPlan.revoked_at.is_(None),
            PurchasedPlan.ends_at > since,
        )
        .order_by(PurchasedPlan.starts_at)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    end: datetime | None = None
    for period in found:
        starts_at = min(period.starts_at, first_at) if end is None else end
        if starts_at != period.starts_at:
            length = period.ends_at - period.starts_at
            period.starts_at, period.ends_at = starts_at, starts_at + length
        end = period.ends_at
    session.flush()
    return list(found)

"""Money that arrives after the plan was canceled or the account closed: nobody wants it any more, so it goes
back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.orm import Session

from portal.billing import refunds, subscriptions
from portal.models import PaymentPurpose, RefundSource, Subscription, SubscriptionStatus

_subscriptions: Any = Subscription.__table__

REASON = "Списание после отмены тарифа"
CLOSED = "Оплата после закрытия аккаунта"


def goes_back(session: Session, payment: Row[Any], now: datetime) -> bool:
    """Send captured money back in full that is a canceled subscription's renewal, or paid for an order made
    before the customer closed the account; tells whether it is such.

    In the caller's transaction, under the locks of customer and payment. Its period is written (law 3) and
    counts from its first moment no more. A change is left to :mod:`portal.billing.replacing`.
    """
    if payment.purpose is PaymentPurpose.RENEWAL:
        status = session.execute(
            select(_subscriptions.c.status).where(_subscriptions.c.id == payment.subscription_id)
        ).scalar_one()
        if status is not SubscriptionStatus.CANCELED and not is_of_closed(payment):
            return False
        subscriptions.record_unused(session, payment, payment.subscription_id, payment.period_start, now)
        why = REASON
    elif payment.purpose is PaymentPurpose.PURCHASE and is_of_closed(payment):
        subscriptions.record_unused(session, payment, _ended(session, payment, now), now, now)
        why = CLOSED
    else:
        return False
    refunds.order(session, payment, payment.amount, RefundSource.CUSTOMER, why, now)
    return True


def is_of_closed(payment: Row[Any]) -> bool:
    """Whether the payer closed the account after this was ordered; opened again it stays so.

    While it is closed that holds for all: an order on its way in that very moment is written after the end.
    """
    closed_at = payment.payer_closed_at
    return closed_at is not None and (payment.payer_is_closed or payment.created_at < closed_at)


def _ended(session: Session, payment: Row[Any], now: datetime) -> int:
    """An agreement that ended as it began, to hold the period."""
    made = insert(_subscriptions).values(
        user_id=payment.user_id,
        plan_id=payment.plan_id,
        status=SubscriptionStatus.CANCELED,
        current_period_start=now,
        current_period_end=now,
        auto_renew=False,
        created_at=now,
        ended_at=now,
    )
    return int(session.execute(made.returning(_subscriptions.c.id)).scalar_one())

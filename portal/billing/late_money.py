"""Money for a renewal that arrives after the plan was canceled: nobody wants it any more, so it goes back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from portal.billing import refunds, subscriptions
from portal.models import PaymentPurpose, RefundSource, Subscription, SubscriptionStatus

_subscriptions: Any = Subscription.__table__

REASON = "Списание после отмены тарифа"


def goes_back(session: Session, payment: Row[Any], now: datetime) -> bool:
    """Send a captured renewal of a canceled subscription back in full; tells whether it is one.

    In the caller's transaction, under the locks of customer and payment. Its period is written (law 3) and
    counts from its first moment no more.
    """
    if payment.purpose is not PaymentPurpose.RENEWAL:
        return False
    status = session.execute(
        select(_subscriptions.c.status).where(_subscriptions.c.id == payment.subscription_id)
    ).scalar_one()
    if status is not SubscriptionStatus.CANCELED:
        return False
    subscriptions.record_unused(session, payment, now)
    refunds.order(session, payment, payment.amount, RefundSource.CUSTOMER, REASON, now)
    return True

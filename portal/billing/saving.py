"""A card saved at CloudPayments without buying: the payment of one rouble that did it goes straight back.

CloudPayments gives a token only with a payment, so a small one is made and returned whole. It activates
nothing. What the customer agrees to here is keeping the card; whether a plan is renewed with it is another
question, asked by itself (:mod:`portal.billing.agreements`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, update
from sqlalchemy.orm import Session

from portal.billing import choosing, methods, refunds
from portal.gateways.base import PaymentSnapshot
from portal.models import Payment, RefundSource


def keep_and_return(session: Session, payment: Row[Any], told: PaymentSnapshot, now: datetime) -> None:
    """Keep the method of a captured binding, and send the money back; in the caller's transaction.

    The money goes back whatever became of the card: a gateway that gave no token, or a card that was unlinked
    before this news came.
    """
    saved = told.saved_method
    if saved is not None and not methods.was_unlinked(session, payment.user_id, saved, payment.created_at):
        kept = methods.keep(session, payment.user_id, payment.gateway, saved, now)
        session.execute(
            update(Payment)
            .where(Payment.id == payment.id)
            .values(payment_method_id=kept)
            .execution_options(synchronize_session=False)
        )
        choosing.charge_from_now_on(session, payment.user_id, kept, now)
    refunds.order(session, payment, payment.amount, RefundSource.CUSTOMER, "Проверка карты", now)

"""Saving a card at CloudPayments: the order of one rouble that does it (see :mod:`portal.billing.saving`)."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from portal import running
from portal.billing import doors, orders, receipts
from portal.billing.bindings import RecurringDisabled
from portal.billing_mode import BillingMode
from portal.database import db, exclusive, transaction
from portal.gateways.base import GatewayClosed
from portal.models import GatewayName, Payment, PaymentPurpose, PaymentStatus, User
from portal.wording import marked, say

log = logging.getLogger(__name__)

_DESCRIPTION = marked("Сохранение карты, деньги сразу вернутся")

#: What is taken and goes back.
AMOUNT = Decimal("1.00")
#: An order that is about to be over is not offered again.
_TOO_OLD = timedelta(hours=1)


def start(user: User, now: datetime) -> Payment:
    """The customer's order of one rouble: a new one, or the one that waits for a card.

    Raises RecurringDisabled, and GatewayClosed.
    """
    config = running.config()
    if not config.billing_recurring_enabled:
        raise RecurringDisabled
    if GatewayName.CLOUDPAYMENTS not in doors.offered():
        raise GatewayClosed
    with transaction() as session:
        # Two clicks at once would both find none.
        exclusive(session, f"binding:{user.id}")
        return _waiting(user, now) or _write(user, now)


def _waiting(user: User, now: datetime) -> Payment | None:
    found: Payment | None = db.session.scalar(
        select(Payment)
        .where(
            Payment.user_id == user.id,
            Payment.purpose == PaymentPurpose.BINDING,
            # After a refusal another card is the same order.
            Payment.status.in_((PaymentStatus.PENDING, PaymentStatus.FAILED)),
            Payment.test_mode == doors.test_mode(GatewayName.CLOUDPAYMENTS),
            Payment.expires_at > now + _TOO_OLD,
        )
        .order_by(Payment.id.desc())
        .limit(1)
    )
    return found


def _write(user: User, now: datetime) -> Payment:
    with transaction() as session:
        payment = Payment(
            transaction_id=str(uuid.uuid4()),
            user_id=user.id,
            gateway=GatewayName.CLOUDPAYMENTS,
            purpose=PaymentPurpose.BINDING,
            status=PaymentStatus.PENDING,
            amount=AMOUNT,
            currency="RUB",
            billing_mode=BillingMode.RECURRING,
            test_mode=doors.test_mode(GatewayName.CLOUDPAYMENTS),
            description=say(_DESCRIPTION),
            receipt=receipts.frozen(GatewayName.CLOUDPAYMENTS, user.email, _DESCRIPTION),
            created_at=now,
            called_at=now,
            expires_at=now + orders.ORDER_LIVES,
            next_check_at=now + orders.FIRST_CHECK,
        )
        session.add(payment)
    log.info("Payment created: %s", payment.transaction_id)
    return payment

"""What closing an account means for money: everything ends at once, and nothing is charged after it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from portal.billing import cancellation, methods
from portal.billing.cancellation import Preview
from portal.billing.stopping import Because
from portal.models import Consent, Payment, PaymentPurpose, PaymentStatus
from portal.models.payment import ORDERED

_consents: Any = Consent.__table__
_payments: Any = Payment.__table__

_MADE_BY_HAND = (*ORDERED, PaymentPurpose.BINDING)
#: Nobody has paid these yet, though somebody may be at the gateway's page or form.
_MAY_BE_PAID = (PaymentStatus.PENDING, PaymentStatus.UNKNOWN, PaymentStatus.FAILED)


def leave(session: Session, user_id: int, now: datetime) -> Preview | None:
    """End the plan by the rules of cancellation, stop renewal, erase all tokens, take back all agreements.

    In the caller's transaction, under the customer's lock. Tells what ended and goes back; ``None`` where
    there was no plan. Orders are set aside: nobody goes on with them once the account is opened again, and
    what is captured for one later goes back (:mod:`late_money`).
    """
    ended = cancellation.end_here(session, user_id, now)
    if ended is None:
        # An agreement between two periods: a charge of it that is being decided goes back as well.
        cancellation.end_all(session, user_id, now)
    for method in methods.of(user_id):
        methods.unlink(user_id, method.id, now)
    session.execute(
        update(_consents)
        .where(_consents.c.user_id == user_id, _consents.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now, withdrawn_because=Because.CANCELED.value)
    )
    session.execute(
        update(_payments)
        .where(
            _payments.c.user_id == user_id,
            _payments.c.purpose.in_(_MADE_BY_HAND),
            _payments.c.status.in_(_MAY_BE_PAID),
            _payments.c.superseded_at.is_(None),
            _payments.c.expires_at > now,
        )
        .values(superseded_at=now)
    )
    return ended[0] if ended else None

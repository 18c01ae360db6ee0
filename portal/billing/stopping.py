"""The end of automatic charging, whatever ends it: a click, an unlinked card, a plan that is over."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from portal.models import Consent, Subscription, SubscriptionStatus

_subscriptions: Any = Subscription.__table__
_consents: Any = Consent.__table__


class Because(StrEnum):
    """Why an agreement to charge ended; kept beside it as evidence."""

    STOPPED = "stopped"
    UNLINKED = "unlinked"
    CANCELED = "canceled"
    REPLACED = "replaced"
    ENDED = "ended"
    REFUNDED = "refunded"
    #: A higher price that was not agreed to, or an agreement to one that did not come.
    PRICE = "price"
    #: An operator did it for the customer.
    OPERATOR = "operator"
    #: It never came into force: the gateway gave nothing that could be charged again.
    NOT_SAVED = "not_saved"


def stop_charging(session: Session, subscription_id: int, because: Because, now: datetime) -> None:
    """Withdraw the agreement in force and plan no further charge; in the caller's transaction.

    Under the customer's lock. Safe to repeat: the first reason stays. What a worker has been handed already
    reads this at the moment of the charge (law 10).
    """
    # Nothing is being tried any more: what is paid simply runs to its end.
    session.execute(
        update(_subscriptions)
        .where(
            _subscriptions.c.id == subscription_id,
            _subscriptions.c.status == SubscriptionStatus.PAST_DUE,
            _subscriptions.c.current_period_end > now,
        )
        .values(status=SubscriptionStatus.ACTIVE)
    )
    stopped = (
        update(_subscriptions)
        .where(_subscriptions.c.id == subscription_id)
        .values(
            auto_renew=False,
            charge_due_at=None,
            charge_look_at=None,
            grace_until=None,
            held_since=None,
            look_at=now,
        )
        .returning(_subscriptions.c.consent_id)
    )
    consent_id = session.execute(stopped).scalar()
    withdraw(session, consent_id, because, now)


def withdraw(session: Session, consent_id: int | None, because: Because, now: datetime) -> None:
    """Write down when and why an agreement ended, once."""
    if consent_id is None:
        return
    session.execute(
        update(_consents)
        .where(_consents.c.id == consent_id, _consents.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now, withdrawn_because=because.value)
    )

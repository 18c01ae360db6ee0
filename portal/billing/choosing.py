"""Which method a renewal is charged to: the one that the customer saved or chose last."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from portal.billing import retries, subscriptions
from portal.models import Payment, PaymentMethod, PaymentPurpose, Subscription, SubscriptionStatus
from portal.models.payment import OPEN
from portal.models.subscription import LIVE


def of_customer(user_id: int) -> Select[Subscription]:
    """The query for the customer's live subscription; there is at most one."""
    return select(Subscription).where(Subscription.user_id == user_id, Subscription.status.in_(LIVE))


def live_subscription(session: Session, user_id: int) -> Subscription | None:
    """The customer's live subscription, locked and read anew; under the customer's lock."""
    anew = of_customer(user_id).with_for_update().execution_options(populate_existing=True)
    found: Subscription | None = session.scalar(anew)
    return found


def charge_from_now_on(session: Session, user_id: int, method_id: int, now: datetime) -> Subscription | None:
    """Let the live subscription charge this method from now on; in the caller's transaction, under its locks.

    Whether renewal is on is not changed by it. Gives the subscription where its charge is due at once: a
    renewal that failed waits for nothing but another method.
    """
    live = live_subscription(session, user_id)
    if live is None:
        return None
    method = session.get_one(PaymentMethod, method_id, populate_existing=True)
    live.payment_method_id = method.id
    if not live.auto_renew:
        return None
    live.look_at = now  # what is told of the next charge depends on what is charged
    if live.status is SubscriptionStatus.PAST_DUE:
        if not retries.may_try_now(session, live, method, now):
            return None
        retries.at_once(live, now)
        return live
    if live.charge_due_at is None and not is_being_charged(session, live):
        session.flush()
        subscriptions.replan(session, live, now)
    return None


def is_being_charged(session: Session, subscription: Subscription) -> bool:
    """Whether a charge of a saved method is under way whose outcome is not known yet."""
    under_way = select(Payment.id).where(
        Payment.subscription_id == subscription.id,
        Payment.purpose == PaymentPurpose.RENEWAL,
        Payment.status.in_(OPEN),
    )
    return session.scalar(under_way.limit(1)) is not None

"""What stands in the way of a charge: the shop's own switches, money that is undecided, a notice unsent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from portal.billing import cases, doors, retries, settings, tending
from portal.models import CaseKind, Payment, PaymentMethod, PaymentPurpose, PaymentStatus, Subscription
from portal.models.payment import BUYS, OPEN

#: What stands in a charge's way is looked at again after this.
IN_THE_WAY = timedelta(minutes=10)
SWITCHED_OFF = timedelta(hours=1)
#: A customer at a payment page is not charged behind their back.
AT_A_PAGE = timedelta(minutes=65)
#: A charge whose letter was refused is shown to an operator at once; one whose letter is merely late, then.
HELD_TOO_LONG = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in the way of a charge now, as far as when to look again; never: only the customer can
    help.
    """

    look_again_at: datetime | None
    #: Whether the renewal is still being tried, so that the plan may be used in the days of grace.
    is_tried: bool = True


def found(
    session: Session, subscription: Subscription, method: PaymentMethod, now: datetime
) -> Obstacle | None:
    """Why this is not the moment to charge; ``None`` when it is.

    In the caller's transaction, under the locks of the customer, the subscription and the method.
    """
    if not settings.current().auto_renewal_enabled:
        return Obstacle(now + SWITCHED_OFF, is_tried=False)
    if method.gateway not in doors.are_open():
        return Obstacle(now + SWITCHED_OFF)
    if session.scalar(other_money(subscription.user_id, now)) is not None:
        return Obstacle(now + IN_THE_WAY)
    if method.stopped_at is not None or not retries.tries_left(session, subscription, method.id):
        return Obstacle(None, is_tried=False)
    if retries.is_first_try(session, subscription):
        return _unannounced(session, subscription, method, now)
    return None


def other_money(user_id: int, now: datetime) -> Select[Payment]:
    """The query for payments of this customer that may still turn out to have been taken (law 1), or are
    being made at this moment.
    """
    undecided = Payment.status.in_((PaymentStatus.UNKNOWN, PaymentStatus.AUTHORIZED))
    charged = (Payment.purpose == PaymentPurpose.RENEWAL) & Payment.status.in_(OPEN)
    at_a_page = (
        (Payment.status == PaymentStatus.PENDING)
        & Payment.superseded_at.is_(None)
        & (Payment.created_at > now - AT_A_PAGE)
    )
    open_money = select(Payment).where(
        Payment.user_id == user_id, Payment.purpose.in_(BUYS), undecided | charged | at_a_page
    )
    return open_money.order_by(Payment.id.desc()).limit(1)


def _unannounced(
    session: Session, subscription: Subscription, method: PaymentMethod, now: datetime
) -> Obstacle | None:
    """A charge that the customer was not told of in time is held back, and shown to the operator."""
    if subscription.waived_for == subscription.current_period_end:
        return None  # the operator told the customer otherwise
    key = f"{CaseKind.NOTICE_UNSENT.value}:{subscription.id}:{subscription.current_period_end:%Y%m%dT%H%M%S}"
    if tending.announced_at(session, subscription) is None:
        subscription.held_since = subscription.held_since or now
        letter = tending.waiting_announcement(session, subscription)
        was_refused = letter is not None and letter.last_error is not None
        if was_refused or now >= subscription.held_since + HELD_TOO_LONG:
            facts = {"subscription": subscription.id, "due": str(subscription.charge_due_at)}
            nothing = (None, None)
            cases.open_case(
                session, CaseKind.NOTICE_UNSENT, key, method.gateway, None, None, nothing, facts, now
            )
        subscription.look_at = now  # should nothing have been written yet, it is now
        return Obstacle(max(letter.next_attempt_at if letter else now, now + IN_THE_WAY))
    if subscription.held_since is not None:
        subscription.held_since = None
        cases.resolve(session, key, now)
    earliest = tending.earliest_charge(session, subscription, now)
    return Obstacle(earliest) if now < earliest else None

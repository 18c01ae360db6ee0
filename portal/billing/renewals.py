"""Renewals: a saved method is charged for the next period, once (laws 1, 2, 8 and 10).

The scheduler hands out the ids of what is due; a worker freezes one attempt in a row, commits it, and only
then calls the gateway. Whatever crashes after that, the row says what was asked for, and the same verbs that
settle every payment find out what became of it.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import clock, jobs, written
from portal.billing import (
    calls,
    doors,
    obstacles,
    payments,
    receipts,
    retries,
    settlement,
    tending,
    trouble,
)
from portal.billing.stopping import Because, stop_charging
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.gateways.base import GatewayError
from portal.models import (
    Consent,
    Operation,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    Subscription,
    User,
)
from portal.models.subscription import LIVE
from portal.wording import SOURCE, say, speaking

log = logging.getLogger(__name__)

#: A worker that was handed a charge is given so long before another is.
HANDED_OUT = timedelta(minutes=5)
#: The first look at a charge whose worker may have died.
FIRST_CHECK = timedelta(minutes=2)
#: An attempt that its own worker did not send within this is left to those who look what became of it.
SEND_WITHIN = timedelta(seconds=20)
#: For so long the gateway is asked about a charge that it does not decide.
LOOKED_FOR = timedelta(hours=24)
_ONE_ATTEMPT = "uq_payments_renewal"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that is written down and may now be sent."""

    payment: Payment
    user: User
    token: str


def hand_out(now: datetime) -> list[int]:
    """Give workers some of the charges that are due, and say which. What a worker loses is given out again.

    While nobody can take them (Redis away, or a queue that is long already) they stay where they are.
    """
    if not jobs.have_room():
        return []
    with transaction() as session:
        due = take(session, now)
        jobs.enqueue_each(renew, due)
    return due


def take(session: Session, now: datetime) -> list[int]:
    """Some of the charges that are due, for this caller to see to before anybody else does."""
    due = session.scalars(
        select(Subscription.id)
        .where(Subscription.charge_look_at <= now)
        .order_by(Subscription.charge_look_at)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    if due:
        session.execute(
            update(Subscription)
            .where(Subscription.id.in_(due))
            .values(charge_look_at=now + HANDED_OUT)
            .execution_options(synchronize_session=False)
        )
    return list(due)


def renew(subscription_id: int) -> bool:
    """Charge what is due for one subscription. Safe to run twice and at the same time as itself.

    Tells whether a gateway was called; never raises for what a gateway does.
    """
    now, begun_at = clock.now(), time.monotonic()
    begun = _begin(subscription_id, now)
    if begun is None:
        return False
    return _send(begun, begun_at, now)


def create_recurring_payment(subscription_id: int) -> bool:
    """The seed's name for :func:`renew`."""
    return renew(subscription_id)


def try_now(subscription: Subscription, now: datetime) -> None:
    """Let a worker charge at once: a new card, or "pay now". In the caller's transaction, under its locks."""
    retries.at_once(subscription, now)
    jobs.enqueue(renew, subscription.id)


def _begin(subscription_id: int, now: datetime) -> Begun | None:
    """Freeze one attempt, if nothing speaks against it; everything is read under the locks (law 10)."""
    owner = db.session.scalar(select(Subscription.user_id).where(Subscription.id == subscription_id))
    if owner is None:
        return None
    try:
        with transaction() as session:
            settlement.lock_customer(session, owner)
            subscription = session.get_one(
                Subscription, subscription_id, with_for_update=True, populate_existing=True
            )
            if not _is_due(subscription, now):
                return None
            if tending.is_past(subscription, now):
                # Left lying too long: nobody is charged for what has ended, whoever says so first.
                subscription.look_at, subscription.charge_look_at = now, now + HANDED_OUT
                return None
            user = session.get_one(User, owner, populate_existing=True)
            agreed = _agreed(session, subscription, user)
            if agreed is None:
                stop_charging(session, subscription.id, Because.ENDED, now)
                return None
            consent, method = agreed
            obstacle = obstacles.found(session, subscription, method, now)
            retries.grant_grace(subscription, is_tried=obstacle is None or obstacle.is_tried)
            if obstacle is not None:
                _wait(subscription, obstacle)
                return None
            return _freeze(session, subscription, consent, method, user, now)
    except IntegrityError as error:
        if _ONE_ATTEMPT not in str(error.orig):
            raise
        return None  # another worker was first


def _is_due(subscription: Subscription, now: datetime) -> bool:
    """Whether a charge is planned and its time has come; otherwise it is handed out when that is so."""
    planned = subscription.status in LIVE and subscription.auto_renew
    if planned and subscription.charge_due_at is not None and subscription.charge_due_at <= now:
        return True
    subscription.charge_look_at = subscription.charge_due_at if planned else None
    return False


def _agreed(session: Session, subscription: Subscription, user: User) -> tuple[Consent, PaymentMethod] | None:
    """The agreement and the method in force; ``None`` where the customer has taken either back."""
    consent = session.get(Consent, subscription.consent_id or 0, populate_existing=True)
    method = session.get(
        PaymentMethod, subscription.payment_method_id or 0, with_for_update=True, populate_existing=True
    )
    if user.disabled_at is not None or consent is None or method is None:
        return None
    taken_back = consent.withdrawn_at is not None or method.detached_at is not None
    theirs = consent.user_id == method.user_id == user.id
    return (consent, method) if theirs and not taken_back else None


def _wait(subscription: Subscription, obstacle: obstacles.Obstacle) -> None:
    subscription.charge_look_at = obstacle.look_again_at
    if obstacle.look_again_at is None:
        subscription.charge_due_at = None


def _freeze(
    session: Session,
    subscription: Subscription,
    consent: Consent,
    method: PaymentMethod,
    user: User,
    now: datetime,
) -> Begun:
    """Write the attempt down: from here on the gateway may hear of it."""
    assert method.token is not None  # a method that is not detached has one
    payment = Payment(
        transaction_id=str(uuid.uuid4()),
        user_id=user.id,
        plan_id=consent.plan_id,
        gateway=method.gateway,
        purpose=PaymentPurpose.RENEWAL,
        status=PaymentStatus.PENDING,
        billing_mode=BillingMode.RECURRING,
        test_mode=doors.test_mode(method.gateway),
        **_terms(consent),
        **_words(consent, method, user),
        subscription_id=subscription.id,
        period_start=subscription.current_period_end,
        attempt=retries.last_attempt(session, subscription) + 1,
        payment_method_id=method.id,
        consent_id=consent.id,
        created_at=now,
        called_at=now,
        expires_at=now + LOOKED_FOR,
        next_check_at=now + FIRST_CHECK,
    )
    session.add(payment)
    subscription.charge_due_at = subscription.charge_look_at = None
    _close_left_pages(session, user.id, consent.plan_id, now)
    session.flush()
    log.info("Payment created: %s", payment.transaction_id)
    return Begun(payment, user, method.token.decode())


def _terms(consent: Consent) -> dict[str, Any]:
    """What was agreed to, and nothing else, is charged."""
    names = ("amount", "currency", "plan_code", "period_days", "email_quota")
    return {name: getattr(consent, name) for name in names}


def _close_left_pages(session: Session, user_id: int, plan_id: int, now: datetime) -> None:
    """Let in no order of this plan that was begun and left at a page: its period is being paid for now.

    Renewals wait for such an order for an hour (:data:`obstacles.AT_A_PAGE`); a forgotten tab lives longer.
    """
    left = (
        Payment.user_id == user_id,
        Payment.plan_id == plan_id,
        Payment.purpose == PaymentPurpose.PURCHASE,
        Payment.status == PaymentStatus.PENDING,
        Payment.superseded_at.is_(None),
    )
    session.execute(update(Payment).where(*left).values(superseded_at=now))


def _words(consent: Consent, method: PaymentMethod, user: User) -> dict[str, Any]:
    """What the customer, the bank and the receipt will read of the charge."""
    with speaking(user.language):
        description = _description(consent)
    with speaking(SOURCE):
        receipt = receipts.frozen(method.gateway, user.email, _description(consent))
    return {"plan_title": consent.plan_title, "description": description, "receipt": receipt}


def _description(consent: Consent) -> str:
    term = written.days(consent.period_days)
    return say("Продление: «%(title)s», %(term)s", title=consent.plan_title, term=term)[:128]


def _send(begun: Begun, begun_at: float, now: datetime) -> bool:
    """Call the gateway, once, and write down what it says."""
    payment = begun.payment
    # By either clock: the one may stand still while a machine sleeps, the other may be set.
    if max(timedelta(seconds=time.monotonic() - begun_at), clock.now() - now) > SEND_WITHIN:
        # Others may be looking already whether it was sent: then it must not be sent any more.
        log.warning("Renewal %s was not sent in time and is left to be looked up", payment.transaction_id)
        return False
    try:
        told = doors.gateway(payment.gateway).charge_saved(
            payments.as_order(payment, begun.user), begun.token
        )
    except GatewayError as error:
        trouble.note(payment, error, now)
        return True
    with transaction() as session:
        row = settlement.locked(session, payment_id=payment.id)
        assert row is not None  # payments are never deleted
        settlement.settle(session, row, told, now)
        calls.note(session, Operation.CHARGE, told.outcome.value, now, payment_id=payment.id)
    return True

"""An order: its terms frozen on our side, and one open order per customer and plan."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import written
from portal.billing import consents, doors, locks, payments, receipts, settlement
from portal.billing.consents import AgreedPlan, Agreement, ClientInfo
from portal.billing.worth import Base
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.gateways.base import GatewayError
from portal.models import GatewayName, Payment, PaymentPurpose, PaymentStatus, Plan, User
from portal.models.payment import OPEN, ORDERED
from portal.money import ZERO
from portal.wording import SOURCE, say, speaking

log = logging.getLogger(__name__)

#: The index on which two clicks in one second meet.
ONE_OPEN_ORDER = "uq_payments_open_order"
#: How long a customer may come back to an order.
ORDER_LIVES = timedelta(hours=24)
#: YooKassa's page lives an hour (yookassa.md 2.3); we stop offering it a little earlier.
PAGE_LIVES = timedelta(minutes=55)
#: A change of plan lives no longer than a page: its credit is that of the moment at which it was ordered.
CHANGE_LIVES = PAGE_LIVES
#: How long a click goes on with the change that was ordered before, on its credit.
SAME_CREDIT = timedelta(minutes=30)
#: By then it is over for certain.
PAGE_IS_GONE = timedelta(minutes=65)
#: The first look of the sweep: by then most payers are through.
FIRST_CHECK = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Change:
    """What makes an order a change of plan: the period that it replaces, and what is credited for it."""

    base: Base
    credit: Decimal
    #: The terms worked out anew, under the customer's lock, in the transaction that writes the order.
    #: Raises where the change is not possible any more.
    anew: Callable[[Session], Terms]


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order is about; two orders with equal terms are one."""

    plan: Plan | AgreedPlan
    gateway: GatewayName
    amount: Decimal
    mode: BillingMode
    agreement: Agreement | None
    change: Change | None = None

    @property
    def purpose(self) -> PaymentPurpose:
        """A purchase, or a change of the plan that runs."""
        return PaymentPurpose.CHANGE if self.change else PaymentPurpose.PURCHASE


def find_or_write(user: User, terms: Terms, client: ClientInfo, now: datetime) -> Payment:
    """The customer's order on these terms: the one that is open, or a new one, committed.

    Raises the gateway's errors where an order of before has to be asked about first.
    """
    while True:
        payment = _open_again(user, terms, now) or _write(user, terms, client, now)
        if payment is not None:
            return payment
        # Another click wrote an order in this very moment: look at that one.


def open_order(user_id: int, plan_id: int) -> Any:
    """The query for the order of this customer and plan that is open; there is at most one."""
    return select(Payment).where(
        Payment.user_id == user_id,
        Payment.plan_id == plan_id,
        Payment.purpose.in_(ORDERED),
        Payment.status.in_(OPEN),
        Payment.superseded_at.is_(None),
    )


def _open_again(user: User, terms: Terms, now: datetime) -> Payment | None:
    """The order that the customer goes on with: the open one on these terms, or one that is paid.

    One on other terms is set aside. What is set aside may still end either way: a payment that comes after
    all is accepted and never lost.
    """
    found: Payment | None = db.session.scalar(open_order(user.id, terms.plan.id))
    if found is None:
        return _paid_after_all(user, terms.plan, now)
    found = _looked_at(found, terms, now)
    if found.status in {PaymentStatus.AUTHORIZED, PaymentStatus.SUCCEEDED}:
        return found  # it is paid already, so the customer is shown that instead of being asked to pay again
    if (
        found.is_open
        and same_terms(found, terms, now)
        and now < found.expires_at
        and not _is_stale(found, now)
    ):
        return found
    with transaction() as session:
        row = settlement.locked(session, payment_id=found.id)
        if row is not None and row.status in OPEN and row.status is not PaymentStatus.AUTHORIZED:
            session.get_one(Payment, found.id).superseded_at = now
    return None


def _looked_at(found: Payment, terms: Terms, now: datetime) -> Payment:
    """The open order as its gateway has it, where anything new might take the money a second time.

    Raises the gateway's errors where it has to be asked and cannot be.
    """
    if found.gateway is GatewayName.CLOUDPAYMENTS:
        # The widget would take the money again, should the news of the first payment be lost or late.
        return payments.ask(found, now)
    if not _is_stale(found, now):
        return found
    try:
        # Its page may be gone, or its key forgotten: what became of it comes before anything new.
        return payments.refresh(found.id, now)
    except GatewayError:
        # A page that is gone can take no money any more; the customer may go on by the other gateway.
        page_is_gone = found.status is PaymentStatus.PENDING and now >= found.created_at + PAGE_IS_GONE
        if page_is_gone and terms.gateway is not found.gateway:
            return found
        raise


def _paid_after_all(user: User, plan: Plan | AgreedPlan, now: datetime) -> Payment | None:
    """An order that was refused and has been paid since, in the same widget, without our hearing of it."""
    watched = select(Payment).where(
        *_watched(user.id, plan.id), Payment.next_check_at.is_not(None), Payment.expires_at > now
    )
    for refused in db.session.scalars(watched.order_by(Payment.id.desc()).limit(3)).all():
        asked = payments.ask(refused, now)
        if asked.status in {PaymentStatus.AUTHORIZED, PaymentStatus.SUCCEEDED}:
            return asked
    return None


def _watched(user_id: int, plan_id: int) -> tuple[Any, ...]:
    """The conditions for orders that were refused and could still be paid with another card."""
    return (
        Payment.user_id == user_id,
        Payment.plan_id == plan_id,
        Payment.gateway == GatewayName.CLOUDPAYMENTS,
        Payment.purpose.in_(ORDERED),
        Payment.status == PaymentStatus.FAILED,
        Payment.superseded_at.is_(None),
    )


def same_terms(payment: Payment, terms: Terms, now: datetime) -> bool:
    """Whether an order that was made before is about the same; a change is so only while its credit holds."""
    return (
        payment.purpose,
        payment.gateway,
        payment.amount + payment.credit,
        payment.currency,
        payment.billing_mode,
        payment.period_days,
        payment.email_quota,
        payment.test_mode,
    ) == (
        terms.purpose,
        terms.gateway,
        terms.amount + (terms.change.credit if terms.change else ZERO),
        terms.plan.currency,
        terms.mode,
        terms.plan.period_days,
        terms.plan.email_quota,
        doors.test_mode(terms.gateway),
    ) and (terms.change is None or _credit_holds(payment, terms.change, now))


def _credit_holds(payment: Payment, change: Change, now: datetime) -> bool:
    """Whether the credit of an order may still be had: it is fresh, and nothing went back since."""
    return (
        payment.replaces_payment_id == change.base.payment_id
        and now < payment.created_at + SAME_CREDIT
        and payment.credit <= change.base.by_time(payment.created_at)
    )


def _is_stale(payment: Payment, now: datetime) -> bool:
    """A YooKassa order whose page is about to close.

    One whose outcome is unknown is repeated with its own key instead.
    """
    if payment.gateway is not GatewayName.YOOKASSA:
        return False
    return now >= payment.created_at + PAGE_LIVES


def page_is_alive(payment: Payment, now: datetime) -> bool:
    """Whether the customer may still be sent to YooKassa's page of this order."""
    return (
        payment.status is PaymentStatus.PENDING
        and bool(payment.confirmation_url)
        and not _is_stale(payment, now)
    )


def _write(user: User, terms: Terms, client: ClientInfo, now: datetime) -> Payment | None:
    """Commit a new order; ``None`` when an order for this plan is open already."""
    try:
        with transaction() as session:
            if terms.change is not None:
                locks.lock_customer(session, user.id)
                terms = terms.change.anew(session)
            # First the old ones: the widget that still offers another card must not take money for them now.
            old = update(Payment).where(*_watched(user.id, terms.plan.id)).values(superseded_at=now)
            session.execute(old.execution_options(synchronize_session=False))
            payment = _new_payment(user, terms, now)
            session.add(payment)
            session.flush()  # the consent speaks of its id
            if terms.agreement is not None:
                consents.record(session, user.id, payment.id, terms.agreement, client, now)
    except IntegrityError as error:
        if ONE_OPEN_ORDER not in str(error.orig):
            raise
        return None
    log.info("Payment created: %s", payment.transaction_id)
    return payment


def _new_payment(user: User, terms: Terms, now: datetime) -> Payment:
    plan, change = terms.plan, terms.change
    with speaking(SOURCE):
        receipt = receipts.frozen(terms.gateway, user.email, _what(terms))
    return Payment(
        transaction_id=str(uuid.uuid4()),
        user_id=user.id,
        plan_id=plan.id,
        gateway=terms.gateway,
        purpose=terms.purpose,
        status=PaymentStatus.PENDING,
        amount=terms.amount,
        currency=plan.currency,
        refunded_amount=ZERO,
        billing_mode=terms.mode,
        test_mode=doors.test_mode(terms.gateway),
        plan_code=plan.code,
        plan_title=plan.title,
        period_days=plan.period_days,
        email_quota=plan.email_quota,
        description=_what(terms),
        receipt=receipt,
        credit=change.credit if change else ZERO,
        replaces_payment_id=change.base.payment_id if change else None,
        replaced_emails_used=change.base.emails_used if change else 0,
        created_at=now,
        called_at=now,
        expires_at=now + (CHANGE_LIVES if change else ORDER_LIVES),
        next_check_at=now + FIRST_CHECK,
    )


def _what(terms: Terms) -> str:
    """What is bought, as the payer reads it at the gateway, and in Russian on the receipt."""
    title, term = terms.plan.title, written.days(terms.plan.period_days)
    if terms.change:
        return say("Переход на тариф «%(title)s», %(term)s", title=title, term=term)[:128]
    return say("Тариф «%(title)s», %(term)s", title=title, term=term)[:128]

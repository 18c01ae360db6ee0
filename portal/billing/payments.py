"""Reading payments, and asking a gateway what became of one."""

from __future__ import annotations

import base64
import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from portal import running
from portal.billing import calls, doors, receipts, settlement
from portal.billing.statement import EVERYTHING, Wanted
from portal.billing_mode import BillingMode
from portal.database import changed, db, transaction
from portal.errors import InvalidRequest, NotFound
from portal.gateways import declines
from portal.gateways.base import GatewayClosed, GatewayError, Outcome, PaymentOrder, PaymentSnapshot
from portal.models import GatewayName, Operation, Payment, PaymentPurpose, PaymentStatus, User
from portal.models.payment import OPEN
from portal.wording import marked, say

log = logging.getLogger(__name__)

#: Seconds within which a gateway may still be at work on a request whose answer was lost. YooKassa answers
#: within 30 s, CloudPayments' API within 5 minutes (cloudpayments.md 1.3): only after that does "not found"
#: mean "it never happened".
ANSWER_LIMIT = 60
ANSWER_LIMITS = {GatewayName.YOOKASSA: timedelta(seconds=90), GatewayName.CLOUDPAYMENTS: timedelta(minutes=6)}
#: The return page may ask this often per payment.
ASK_EVERY = timedelta(seconds=2)
#: For how long a question keeps others from being asked, should its process die.
ASKING_TAKES = timedelta(seconds=20)
#: How many of a process's threads may wait for a gateway on behalf of a return page.
QUESTIONS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A stretch of the history, newest first, and where the next one begins."""

    payments: list[Payment]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a payment failed: the gateway's code, a sentence for the customer, and what may be done next."""

    code: str
    message: str
    #: Whether the sentence says itself what became of the money; *whole* always does.
    tells_of_money: bool
    whole: str
    action: declines.Action


class PaymentNotFound(NotFound):
    """No such payment, or somebody else's: the two are told alike."""

    message = marked("Такого платежа нет.")


def owned(user_id: int, transaction_id: str | None) -> Payment:
    """One payment of this customer.

    Raises PaymentNotFound alike for a strange id and for somebody else's payment.
    """
    found = by_reference(transaction_id)
    if found.user_id != user_id:
        raise PaymentNotFound
    return found


def by_reference(transaction_id: str | None) -> Payment:
    """One payment by its public id, whoever's it is. Raises PaymentNotFound."""
    if not transaction_id or len(transaction_id) > 36 or "\x00" in transaction_id:
        raise PaymentNotFound
    found = db.session.scalar(select(Payment).where(Payment.transaction_id == transaction_id))
    if found is None:
        raise PaymentNotFound
    return found


def history(user_id: int, limit: int, cursor: str | None, wanted: Wanted = EVERYTHING) -> HistoryPage:
    """The customer's payments, newest first, by keyset: page 500 costs what page 1 does.

    Raises InvalidRequest for a bad cursor.
    """
    mine = select(Payment).where(Payment.user_id == user_id, *wanted.conditions())
    query = mine.order_by(Payment.id.desc())
    if cursor:
        query = query.where(Payment.id < _read_cursor(cursor))
    found = list(db.session.scalars(query.limit(limit + 1)))
    more = len(found) > limit
    return HistoryPage(found[:limit], _write_cursor(found[limit - 1].id) if more else None)


def failure(payment: Payment) -> Failure | None:
    """Why the payment failed, in plain words; ``None`` when it did not."""
    if payment.status is not PaymentStatus.FAILED:
        return None
    code = payment.failure_code or "unknown"
    told = declines.explain(payment.gateway.value, code)
    return Failure(code, told.message, told.tells_of_money, told.whole, told.action)


def as_order(payment: Payment, user: User) -> PaymentOrder:
    """The payment as its gateway is told of it: frozen columns only, so a repeat is the same to the byte."""
    config = running.config()
    return PaymentOrder(
        transaction_id=payment.transaction_id,
        amount=payment.amount,
        currency=payment.currency,
        description=payment.description,
        plan_code=payment.plan_code or payment.purpose.value.upper(),
        user_id=user.public_id,
        account=user.public_id,
        email=user.email,
        billing_mode=payment.billing_mode,
        save_method=payment.billing_mode is BillingMode.RECURRING,
        return_url=f"{config.portal_base_url}/billing/payment/{payment.transaction_id}/return",
        created_at=payment.created_at,
        gateway_payment_id=payment.gateway_payment_id,
        receipt=receipts.terms_of(payment.receipt),
    )


def reread(payment_id: int) -> Payment:
    """The payment as the database has it now."""
    return db.session.get_one(Payment, payment_id, populate_existing=True)


def ask(payment: Payment, now: datetime) -> Payment:
    """The return page's door: find out what became of a payment, unless that is being or was just asked.

    A gateway in trouble is no error here: the page says truthfully that the answer is still out.
    """
    if payment.status is PaymentStatus.SUCCEEDED or payment.next_check_at is None:
        return payment
    slots = running.kept("questions", lambda: BoundedSemaphore(QUESTIONS_AT_ONCE))
    if not slots.acquire(blocking=False):
        return reread(payment.id)  # a slow gateway must leave threads to those who bring news
    try:
        return _asked(payment, now)
    finally:
        slots.release()


def _asked(payment: Payment, now: datetime) -> Payment:
    # Whoever moves the mark asks; other tabs show what is known until this question is over.
    if not _mark(payment.id, now + ASKING_TAKES, unless_after=now - ASK_EVERY):
        return reread(payment.id)
    try:
        return refresh(payment.id, now)
    except GatewayError as error:
        log.warning(
            "Could not ask %s about %s: %s", payment.gateway.value, payment.transaction_id, error.code
        )
        return reread(payment.id)
    finally:
        _mark(payment.id, now)


def _mark(payment_id: int, moment: datetime, *, unless_after: datetime | None = None) -> bool:
    """Say when the gateway was asked; with *unless_after* only where nobody has since."""
    marked = update(Payment).where(Payment.id == payment_id).values(asked_at=moment)
    if unless_after is not None:
        marked = marked.where((Payment.asked_at.is_(None)) | (Payment.asked_at <= unless_after))
    with transaction() as session:
        return changed(session.execute(marked.execution_options(synchronize_session=False)))


def refresh(payment_id: int, now: datetime) -> Payment:
    """Ask the gateway what became of a payment and carry out the answer.

    Raises GatewayError when there is none.
    """
    payment = reread(payment_id)
    user = db.session.get_one(User, payment.user_id)
    order = as_order(payment, user)
    try:
        told = doors.gateway(payment.gateway).fetch(order)
    except GatewayClosed:
        # Of a charge without the payer nobody but the gateway knows whether it was carried out.
        charged = payment.purpose is PaymentPurpose.RENEWAL or payment.status is PaymentStatus.UNKNOWN
        if charged or now < payment.expires_at:
            raise
        told = None  # nobody is left to ask, and the order is over
    except GatewayError as error:
        with transaction() as session:
            calls.note(session, Operation.ASK, error.code, now, payment_id=payment_id, detail=error.detail)
        raise
    with transaction() as session:
        row = settlement.locked(session, payment_id=payment_id)
        if row is None:
            raise PaymentNotFound
        said = told.outcome.value if told is not None else calls.NOT_THERE
        calls.note(session, Operation.ASK, said, now, payment_id=payment_id)
        if told is not None:
            settlement.settle(session, row, told, now)
        _close_if_over(session, payment_id, told, now)
    return reread(payment_id)


def _close_if_over(session: Session, payment_id: int, told: PaymentSnapshot | None, now: datetime) -> None:
    """End what can end no other way: an order the gateway never saw, once it is too late for it to come."""
    payment = settlement.locked(session, payment_id=payment_id)
    assert payment is not None  # the caller holds it
    age = now - (payment.called_at or payment.created_at)
    # A saved method is charged by one call, so nothing is still to come for it; an order waits for its payer.
    one_call = payment.purpose is PaymentPurpose.RENEWAL and payment.status is PaymentStatus.PENDING
    undecided = payment.status is PaymentStatus.UNKNOWN or one_call
    if undecided and told is None and age > ANSWER_LIMITS[payment.gateway]:
        # Looked up after the gateway's own answer limit and not there: it was never created.
        settlement.close(session, payment, "not_created", now)
    elif _holds_nothing(told) and now >= payment.expires_at:
        if payment.status is PaymentStatus.PENDING:
            settlement.close(session, payment, "expired", now)
        elif payment.status is PaymentStatus.FAILED:
            forgotten = update(Payment).where(Payment.id == payment_id).values(next_check_at=None)
            session.execute(forgotten.execution_options(synchronize_session=False))
    elif now >= payment.expires_at and _is_a_case(payment, told):
        settlement.close(session, payment, settlement.NOT_AS_ORDERED, now)


def _is_a_case(payment: Row[Any], told: PaymentSnapshot | None) -> bool:
    """Whether the order waits for nothing: what was captured does not fit it, and is an operator's case.

    A renewal goes on keeping other charges back until an operator has seen to it.
    """
    captured = told is not None and told.outcome is Outcome.SUCCEEDED
    return captured and payment.status in OPEN and payment.purpose is not PaymentPurpose.RENEWAL


def _holds_nothing(told: PaymentSnapshot | None) -> bool:
    """Whether the gateway holds nothing that could still turn into money for this order."""
    return told is None or told.outcome is Outcome.FAILED


def _write_cursor(payment_id: int) -> str:
    return base64.urlsafe_b64encode(f"p{payment_id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    if not re.fullmatch(r"p[0-9]{1,18}", text):
        raise InvalidRequest(say("Такой страницы в списке нет. Откройте список сначала."))
    return int(text[1:])

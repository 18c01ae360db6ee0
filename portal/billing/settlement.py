"""The one verb behind three doors: what a gateway says about a payment, judged and carried out.

A notification, the return page and the sweep all end here, so they cannot disagree. Statements are Core, not
ORM flushes: this is the hot path of a notification.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, update
from sqlalchemy.orm import Session

from portal.billing import (
    cases,
    judging,
    late_money,
    locks,
    methods,
    moves,
    notices,
    replacing,
    retries,
    saving,
    subscriptions,
)
from portal.billing_mode import BillingMode
from portal.gateways.base import Outcome, PaymentSnapshot
from portal.models import CaseKind, GatewayName, Payment, PaymentPurpose, PaymentStatus
from portal.models.payment import BUYS, may_move
from portal.money import to_wire

log = logging.getLogger(__name__)

_payments: Any = Payment.__table__

#: What a payment is fetched with before it is settled.
locked = locks.locked
lock_customer = locks.lock_customer

#: Our code for a saved method whose bank wants to see the customer.
NEEDS_PAYER = "needs_payer"
#: Our code for money that came for a period that was paid for already.
SECOND_CAPTURE = "second_capture"
#: Our code for an order that ended with money in a case: what was paid is not what was ordered.
NOT_AS_ORDERED = "not_as_ordered"
#: A hold that nobody was watching any more is looked at again after this.
HOLD_CHECK = timedelta(minutes=5)


class Verdict(StrEnum):
    """What came of what a gateway said."""

    MOVED = "moved"
    NOTHING_NEW = "nothing new"
    IGNORED = "ignored"
    CASE = "case"
    #: It speaks of something whose beginning has not been heard of yet: keep it and try again.
    WAITS = "waits"


@dataclass(frozen=True, slots=True)
class Settlement:
    """The verdict, one line on why, and the payment it was about."""

    verdict: Verdict
    why: str
    payment_id: int | None = None


def settle(session: Session, payment: Row[Any], told: PaymentSnapshot, now: datetime) -> Settlement:
    """Carry out what the gateway says about a payment that :func:`locked` gave; in the caller's transaction.

    Money is believed only when amount, currency, account, shop and test mode are those of our order;
    otherwise a case is opened and nothing moves. Safe to repeat: a second time there is nothing new.
    """
    if told.outcome is Outcome.SUCCEEDED:
        return _captured(session, payment, told, now)
    if told.outcome is Outcome.AUTHORIZED:
        return _held(session, payment, told, now)
    if payment.purpose is PaymentPurpose.RENEWAL and told.needs_payer:
        # Nobody is at a page: what waits for its payer there will never be taken.
        told = replace(told, outcome=Outcome.FAILED, failure_code=NEEDS_PAYER)
    if told.outcome is Outcome.FAILED:
        return _refused(session, payment, told, now)
    return _underway(session, payment, told, now)


def close(session: Session, payment: Row[Any], code: str, now: datetime) -> None:
    """End a payment that :func:`locked` gave and that can take no money, for a reason of ours.

    A renewal goes on from there as after any other refusal.
    """
    values: dict[str, Any] = {"failure_code": code[:64], "failed_at": now, "next_check_at": None}
    moves.move(session, payment, PaymentStatus.FAILED, now, **values)
    if payment.purpose is PaymentPurpose.RENEWAL:
        retries.after_refusal(session, payment, code, None, now)


def _captured(session: Session, payment: Row[Any], told: PaymentSnapshot, now: datetime) -> Settlement:
    if payment.status is PaymentStatus.SUCCEEDED:
        if payment.gateway_payment_id == told.gateway_payment_id:
            _learn_fee(session, payment, told)
            return Settlement(Verdict.NOTHING_NEW, "already succeeded", payment.id)
        return _case(session, CaseKind.SECOND_CAPTURE, payment, told, now)
    if wrong := judging.mismatch(payment, told):
        return _case(session, wrong, payment, told, now)
    if judging.belongs_to_another(session, payment, told):
        return _case(session, CaseKind.UNKNOWN_PAYMENT, payment, told, now)
    if judging.is_paid_by_another(session, payment):
        if may_move(payment.status, PaymentStatus.FAILED):
            # Decided, as far as it is ours to decide: it must not keep the next renewals waiting.
            over: dict[str, Any] = {"failure_code": SECOND_CAPTURE, "failed_at": now, "next_check_at": None}
            moves.move(session, payment, PaymentStatus.FAILED, now, **over)
        return _case(session, CaseKind.SECOND_CAPTURE, payment, told, now)
    moves.move(
        session,
        payment,
        PaymentStatus.SUCCEEDED,
        now,
        gateway_payment_id=told.gateway_payment_id,
        paid_at=now,
        failure_code=None,
        failed_at=None,
        method_title=told.method_title and told.method_title[:120],
        fee=told.fee,
        next_check_at=None,
    )
    if payment.purpose in BUYS:
        _deliver(session, payment, told, now)
    elif payment.purpose is PaymentPurpose.BINDING:
        saving.keep_and_return(session, payment, told, now)
    log.info("Payment succeeded: %s", payment.transaction_id)
    return Settlement(Verdict.MOVED, "succeeded", payment.id)


def _learn_fee(session: Session, payment: Row[Any], told: PaymentSnapshot) -> None:
    """What the gateway keeps, said later than the success; one that is known already is compared by day."""
    if payment.fee is None and told.fee is not None:
        session.execute(update(_payments).where(_payments.c.id == payment.id).values(fee=told.fee))


def _deliver(session: Session, payment: Row[Any], told: PaymentSnapshot, now: datetime) -> None:
    """Give what was paid for, keep the method where that was agreed, and tell the customer."""
    if late_money.goes_back(session, payment, now):
        return
    agreed = None
    wanted = payment.billing_mode is BillingMode.RECURRING and payment.purpose is not PaymentPurpose.RENEWAL
    if wanted and (kept := methods.keep_agreed(session, payment, told.saved_method, now)):
        agreed = subscriptions.Agreed(*kept)
    if payment.purpose is PaymentPurpose.CHANGE:
        replacing.carry_out(session, payment, agreed, _facts(payment, told), now)
        return
    ends_at = subscriptions.activate(session, payment, agreed, now)
    facts = {**_facts(payment, told), "ends_at": ends_at.isoformat(), "not_saved": wanted and agreed is None}
    kind = "renewed" if payment.purpose is PaymentPurpose.RENEWAL else "payment_succeeded"
    key = f"payment_succeeded:{payment.transaction_id}"
    notices.announce(session, payment.user_id, kind, key, facts, now)


def _held(session: Session, payment: Row[Any], told: PaymentSnapshot, now: datetime) -> Settlement:
    """Money held but not taken gives nothing yet."""
    if payment.status in {PaymentStatus.AUTHORIZED, PaymentStatus.SUCCEEDED}:
        if payment.gateway_payment_id == told.gateway_payment_id:
            return Settlement(Verdict.NOTHING_NEW, f"already {payment.status.value}", payment.id)
        return _case(session, CaseKind.SECOND_CAPTURE, payment, told, now)
    if wrong := judging.mismatch(payment, told):
        return _case(session, wrong, payment, told, now)
    if judging.belongs_to_another(session, payment, told):
        return _case(session, CaseKind.UNKNOWN_PAYMENT, payment, told, now)
    moves.move(
        session,
        payment,
        PaymentStatus.AUTHORIZED,
        now,
        gateway_payment_id=told.gateway_payment_id,
        failure_code=None,
        failed_at=None,
        next_check_at=payment.next_check_at or now + HOLD_CHECK,
    )
    return Settlement(Verdict.MOVED, "authorized", payment.id)


def _refused(session: Session, payment: Row[Any], told: PaymentSnapshot, now: datetime) -> Settlement:
    """A refusal of one attempt.

    Captured money is never un-captured by it, nor a hold by the refusal of another attempt.
    """
    renewal = payment.purpose is PaymentPurpose.RENEWAL
    if renewal and payment.status is PaymentStatus.FAILED and told.retry_after is not None:
        retries.wait_until(session, payment, told.retry_after, now)
    about_another = payment.gateway_payment_id not in {None, told.gateway_payment_id}
    if payment.status is PaymentStatus.AUTHORIZED and about_another:
        return Settlement(Verdict.IGNORED, "a refusal of another attempt", payment.id)
    if (
        payment.status is PaymentStatus.FAILED
        and told.failure_code
        and told.failure_code != payment.failure_code
    ):
        moves.refused_again(session, payment, told.failure_code[:64], now)
        return Settlement(Verdict.NOTHING_NEW, "failed again", payment.id)
    if not may_move(payment.status, PaymentStatus.FAILED):
        return Settlement(Verdict.IGNORED, f"a refusal after it {payment.status.value}", payment.id)
    values: dict[str, Any] = {
        "failure_code": told.failure_code and told.failure_code[:64],
        "failed_at": now,
        "refused_at": moves.first_refusal(now),
    }
    if payment.gateway is GatewayName.YOOKASSA or renewal:
        # YooKassa's canceled is final; CloudPayments' payer may try again in the same widget
        # (cloudpayments.md 7.11), but nobody is at a widget when a saved card is charged.
        values |= {"gateway_payment_id": told.gateway_payment_id, "next_check_at": None}
    moves.move(session, payment, PaymentStatus.FAILED, now, **values)
    if renewal:
        retries.after_refusal(session, payment, told.failure_code, told.retry_after, now)
    elif payment.superseded_at is None and payment.purpose in BUYS:
        key = f"payment_failed:{payment.transaction_id}"
        facts = {**_facts(payment, told), "failure_code": told.failure_code}
        notices.announce(
            session, payment.user_id, "payment_failed", key, facts, now, letter_after=notices.SECOND_CARD
        )
    return Settlement(Verdict.MOVED, "failed", payment.id)


def _underway(session: Session, payment: Row[Any], told: PaymentSnapshot, now: datetime) -> Settlement:
    """The gateway knows of the payment and waits for the payer."""
    values: dict[str, Any] = {}
    if payment.gateway_payment_id is None and payment.gateway is GatewayName.YOOKASSA:
        values["gateway_payment_id"] = told.gateway_payment_id
    if told.confirmation_url and told.confirmation_url != payment.confirmation_url:
        values["confirmation_url"] = told.confirmation_url
    if payment.status is PaymentStatus.FAILED and payment.failure_code == "not_created":
        # It was created after all: its page may take the money, so it is watched again.
        values["next_check_at"] = now
        session.execute(update(_payments).where(_payments.c.id == payment.id).values(values))
        return Settlement(Verdict.NOTHING_NEW, "created after all", payment.id)
    if payment.status is PaymentStatus.UNKNOWN:
        moves.move(session, payment, PaymentStatus.PENDING, now, **values)
        return Settlement(Verdict.MOVED, "pending", payment.id)
    if values and payment.status is PaymentStatus.PENDING:
        session.execute(update(_payments).where(_payments.c.id == payment.id).values(values))
    return Settlement(Verdict.NOTHING_NEW, f"still {payment.status.value}", payment.id)


def _case(
    session: Session, kind: CaseKind, payment: Row[Any], told: PaymentSnapshot, now: datetime
) -> Settlement:
    cases.open_for_payment(session, kind, payment.gateway, told, payment.id, now)
    return Settlement(Verdict.CASE, kind.value, payment.id)


def _facts(payment: Row[Any], told: PaymentSnapshot) -> dict[str, Any]:
    """What letters and notices may say."""
    return {
        "transaction_id": payment.transaction_id,
        "gateway": payment.gateway.value,
        "plan_title": payment.plan_title,
        "amount": to_wire(payment.amount),
        "currency": payment.currency,
        "method": told.method_title,
    }

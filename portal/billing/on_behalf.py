"""What an operator does in a customer's place, with a reason and in the record: stops renewal, resends a
letter, asks a gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal import jobs
from portal.billing import (
    audit,
    choosing,
    doors,
    giving_back,
    locks,
    notices,
    payments,
    refund_news,
    subscriptions,
)
from portal.billing.audit import Actor, Subject
from portal.billing.stopping import Because, stop_charging
from portal.database import db, transaction
from portal.errors import InvalidRequest, NotFound
from portal.gateways.base import Outcome
from portal.models import (
    Case,
    Channel,
    Notification,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from portal.money import to_wire

_outbox: Any = Notification.__table__

#: Our clock and the gateway's may differ.
_MARGIN = timedelta(minutes=15)
#: How far back refunds are looked for that nobody told of; the lists were gone through before.
_REACH = timedelta(days=35)
#: Letters about an account hold links that work once and for whoever asked: those are asked for anew.
OF_ACCOUNTS = frozenset(
    {
        "confirm_email",
        "reset_password",
        "change_email",
        "change_email_asked",
        "email_changed",
        "email_wanted",
        "already_registered",
        "password_changed",
    }
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a payment at one moment."""

    status: PaymentStatus
    failure_code: str | None
    refunded: Decimal
    cases: int
    refunds_under_way: int


def stop_renewal(user_id: int, actor: Actor, reason: str, now: datetime) -> bool:
    """End automatic charging for a customer who asked for it; the customer is told. Says whether it was on.

    Raises NoReason.
    """
    why = giving_back.demand_reason(reason)
    with transaction() as session:
        locks.lock_customer(session, user_id)
        return stop_here(session, user_id, actor, why, now)


def stop_here(
    session: Session, user_id: int, actor: Actor, reason: str, now: datetime, *, tell: bool = True
) -> bool:
    """The same in the caller's transaction, under the customer's lock; *tell* the customer of it, unless
    they hear of more than that.
    """
    live = choosing.live_subscription(session, user_id)
    if live is None or not live.auto_renew:
        return False
    before = {"auto_renew": True, "charge_due_at": live.charge_due_at}
    stop_charging(session, live.id, Because.OPERATOR, now)
    subject = Subject("user", user_id)
    told = {"auto_renew": False}
    audit.note(actor, "stop-renewal", subject, now, before=before, after=told, reason=reason)
    if not tell:
        return True
    ends_at = live.current_period_end.isoformat()
    facts = {"plan_title": subscriptions.last_period(session, live.id).plan_title, "ends_at": ends_at}
    key = f"renewal_stopped:{live.id}:{live.consent_id}"
    notices.announce(session, user_id, "renewal_stopped", key, facts, now)
    return True


def send_again(notification_id: int, actor: Actor, reason: str, form_key: str, now: datetime) -> int:
    """Send a letter once more, as a row of its own; gives its id, the same for the same form.

    Raises NotFound, and InvalidRequest for what is no letter or holds a link of an account.
    """
    why, key = giving_back.demand_reason(reason), giving_back.demand_key(form_key)
    with transaction() as session:
        letter = session.get(Notification, notification_id)
        if letter is None:
            raise NotFound
        if not may_be_sent_again(letter):
            raise InvalidRequest("Это письмо повторить нельзя.")
        row = {
            "user_id": letter.user_id,
            "kind": letter.kind,
            "channel": Channel.EMAIL,
            "dedupe_key": f"again:{letter.id}:{key}",
            "facts": letter.facts,
            "created_at": now,
            "next_attempt_at": now,
            "attempts": 0,
            "copy_of_id": letter.copy_of_id or letter.id,
        }
        written = insert(_outbox).values(row).on_conflict_do_nothing(index_elements=["dedupe_key"])
        made = session.execute(written.returning(_outbox.c.id)).scalar()
        if made is None:
            return int(
                session.execute(
                    select(_outbox.c.id).where(_outbox.c.dedupe_key == row["dedupe_key"])
                ).scalar_one()
            )
        audit.note(
            actor, "resend", Subject("notification", letter.id), now, after={"letter": made}, reason=why
        )
        jobs.enqueue(notices.deliver, made)
        return int(made)


def may_be_sent_again(letter: Notification) -> bool:
    """Whether this is a letter about a plan or money."""
    return letter.channel is Channel.EMAIL and letter.kind not in OF_ACCOUNTS


def ask_now(payment_id: int, actor: Actor, now: datetime) -> tuple[Known, Known]:
    """Ask the gateway about a payment and its refunds, carry out what it says, and tell what was known
    before and is known now.

    Raises NotFound, and GatewayError when there is no answer; what was heard until then stays.
    """
    payment = db.session.get(Payment, payment_id, populate_existing=True)
    if payment is None:
        raise NotFound
    before = known(payment_id)
    payments.refresh(payment_id, now)
    payment = payments.reread(payment_id)
    if payment.status is PaymentStatus.SUCCEEDED:
        _hear_of_refunds(payment, now)
    after = known(payment_id)
    with transaction():
        subject = Subject("payment", payment_id)
        audit.note(actor, "ask", subject, now, before=_told(before), after=_told(after))
    return before, after


def known(payment_id: int) -> Known:
    """What is known of a payment now."""
    payment = payments.reread(payment_id)
    open_cases = select(func.count()).where(Case.payment_id == payment_id, Case.resolved_at.is_(None))
    under_way = select(func.count()).where(
        Refund.payment_id == payment_id, Refund.status.in_((RefundStatus.PENDING, RefundStatus.UNKNOWN))
    )
    counted = db.session.execute(select(open_cases.scalar_subquery(), under_way.scalar_subquery())).one()
    return Known(payment.status, payment.failure_code, payment.refunded_amount, counted[0], counted[1])


def _hear_of_refunds(payment: Payment, now: datetime) -> None:
    """Book the refunds that the gateway lists, those made in its cabinet among them."""
    theirs = payment.gateway_payment_id or ""
    since = max(payment.created_at - _MARGIN, now - _REACH)
    gateway = doors.gateway(payment.gateway)
    listed = list(gateway.refunds_of(theirs, payment.transaction_id, since, now + _MARGIN))
    for told in listed:
        if told.outcome is Outcome.SUCCEEDED:
            with transaction() as session:
                refund_news.heard(session, payment.gateway, told, now)


def _told(one: Known) -> dict[str, Any]:
    return {"status": one.status, "failure_code": one.failure_code, "refunded": to_wire(one.refunded)}

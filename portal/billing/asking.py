"""Case work that decides nothing: the gateway asked once more, a letter sent once more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from portal import jobs
from portal.billing import (
    accepting,
    audit,
    case_verbs,
    cases,
    locks,
    notices,
    on_behalf,
    sending_back,
    tending,
)
from portal.billing.audit import Actor, Subject
from portal.billing.deciding import CaseClosed
from portal.database import db, transaction
from portal.errors import InvalidRequest, NotFound
from portal.gateways.base import PaymentSnapshot
from portal.models import Case, CaseKind, Notification, Refund, Subscription
from portal.models.refund import UNDER_WAY


def may_ask(case: Case) -> bool:
    """Whether a gateway could tell anything."""
    return case.payment_id is not None or case.gateway_payment_id is not None


def ask(case_id: int, actor: Actor, now: datetime) -> PaymentSnapshot | None:
    """Ask the gateway about the case's payment or refund, carry out what it says, and close the case where
    that settles it. Gives what it says of money that is no order's.

    Raises NotFound, CaseClosed, and GatewayError when there is no answer.
    """
    case = _open(case_id)
    refund = case_verbs.refund_of(db.session(), case)
    told = None
    if refund is not None:
        _carry_on(refund.id, now)
    elif case.kind is CaseKind.UNKNOWN_TOO_OLD and case.payment_id is not None:
        on_behalf.ask_now(case.payment_id, actor, now)
    elif case.gateway_payment_id is not None:
        told = accepting.ask(case_id)
    elif case.payment_id is not None:
        on_behalf.ask_now(case.payment_id, actor, now)
    with transaction() as session:
        if case.kind is CaseKind.UNKNOWN_TOO_OLD and not case_verbs.is_undecided(session, case):
            cases.resolve(session, case.dedupe_key, now)
        after = {"outcome": told.outcome, "refunded": told.refunded} if told is not None else {}
        audit.note(actor, "ask", Subject("case", case_id), now, after=after)
    return told


def send_letter(case_id: int, actor: Actor, now: datetime) -> None:
    """Try at once to send the letter that a renewal waits for.

    Raises NotFound, CaseClosed, and InvalidRequest
    where none waits.
    """
    case = _open(case_id)
    number = case.facts.get("subscription")
    with transaction() as session:
        owner = session.scalar(select(Subscription.user_id).where(Subscription.id == number))
        if owner is None:
            raise NotFound
        locks.lock_customer(session, owner)
        live = session.get_one(Subscription, number, populate_existing=True)
        letter = tending.waiting_announcement(session, live)
        if letter is None:
            raise InvalidRequest("Письмо уже ушло или ещё не написано: продление продолжится само.")
        session.execute(update(Notification).where(Notification.id == letter.id).values(next_attempt_at=now))
        live.charge_look_at = now
        audit.note(actor, "send-letter", Subject("case", case_id), now, after={"letter": letter.id})
        jobs.enqueue(notices.deliver, letter.id)


def _open(case_id: int) -> Case:
    case = db.session.get(Case, case_id, populate_existing=True)
    if case is None:
        raise NotFound
    if case.resolved_at is not None:
        raise CaseClosed
    return case


def _carry_on(refund_id: int, now: datetime) -> None:
    """Only what the gateway has taken on is hurried: the time between two calls is what makes them safe."""
    known = update(Refund).where(
        Refund.id == refund_id, Refund.status.in_(UNDER_WAY), Refund.gateway_refund_id.is_not(None)
    )
    with transaction() as session:
        session.execute(known.values(next_check_at=now).execution_options(synchronize_session=False))
    sending_back.carry_on(refund_id)

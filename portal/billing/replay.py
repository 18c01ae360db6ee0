"""A notification that was kept, carried out once more: first as a rehearsal that shows what it would change,
then in earnest.

Only stored rows can be replayed, and they were authentic when they came. A CloudPayments body is read anew;
of YooKassa's only the id counts, and the object is read back from the API before any transaction is opened.
What was carried out before changes nothing now, so a replay may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.billing import audit, cloudpayments_events, inbox, locks, watching, yookassa_events
from portal.billing.audit import Actor, Subject
from portal.billing.settlement import Settlement, Verdict
from portal.billing.watching import Change, Watched
from portal.database import db, rehearsal, release, transaction
from portal.errors import NotFound, PortalError
from portal.gateways.base import BindingSnapshot, PaymentSnapshot, RefundSnapshot
from portal.gateways.cloudpayments import notifications as cloudpayments_notifications
from portal.gateways.cloudpayments.notifications import CloudPaymentsNotification, Kind
from portal.gateways.wire import MalformedNotification
from portal.models import EventStatus, GatewayName, MethodBinding, Payment, WebhookEvent

_events: Any = WebhookEvent.__table__

#: What a notification says: in its own body, or what was read back.
Said = CloudPaymentsNotification | yookassa_events.Told


class NotReplayable(PortalError):
    """The notification says nothing that could be carried out."""

    code = "NOT_REPLAYABLE"
    status = 409
    message = "Это уведомление не читается, применить его нельзя."


class NoSuchEvent(NotFound):
    """No such row."""

    message = "Такого уведомления нет."


@dataclass(frozen=True, slots=True)
class Result:
    """What carrying a notification out came to, or would come to."""

    event_id: int
    verdict: Verdict
    why: str
    payment_id: int | None
    changes: list[Change] = field(default_factory=list)

    @property
    def moves(self) -> bool:
        """Whether anything is other than before."""
        return bool(self.changes)


def rehearse(event_id: int, now: datetime) -> Result:
    """Carry a kept notification out and roll it back: what it would change.

    Raises NoSuchEvent, NotReplayable, or GatewayError when YooKassa does not answer.
    """
    event = _event(event_id)
    said = _read(event)
    with rehearsal() as session:
        result, _ = _carry_out(session, event, said, now)
    return result


def again(event_id: int, actor: Actor, reason: str, now: datetime, *, quietly: bool = False) -> Result:
    """Carry a kept notification out once more. Safe to repeat; *quietly* notes only what changed something.

    Raises as :func:`rehearse` does.
    """
    event = _event(event_id)
    said = _read(event)
    with transaction() as session:
        result, settlement = _carry_out(session, event, said, now)
        _write_down(session, event, settlement, now)
        if result.moves or not quietly:
            before = {"status": event.status, "verdict": event.verdict}
            after = {"verdict": f"{result.verdict.value}: {result.why}", "rows": len(result.changes)}
            audit.note(
                actor,
                "notification-replayed",
                Subject("webhook-event", event.id),
                now,
                before=before,
                after=after,
                reason=reason,
            )
    return result


def _event(event_id: int) -> WebhookEvent:
    found = db.session.get(WebhookEvent, event_id, populate_existing=True) if event_id < 2**63 else None
    if found is None:
        raise NoSuchEvent
    db.session.expunge(found)  # as it was, whatever is rolled back later
    return found


def _read(event: WebhookEvent) -> Said:
    release()
    if event.gateway is GatewayName.YOOKASSA:
        if event.gateway_object_id is None:
            raise NotReplayable
        return yookassa_events.read(event.kind, event.gateway_object_id)
    try:
        told = cloudpayments_notifications.read(event.raw_payload, event.content_type, kind=event.url_kind)
    except MalformedNotification as error:
        raise NotReplayable from error
    if told.kind is Kind.CHECK:
        raise NotReplayable("Это был вопрос шлюза перед оплатой (Check): применять в нём нечего.")
    return told


def _carry_out(session: Session, event: WebhookEvent, said: Said, now: datetime) -> tuple[Result, Settlement]:
    """Carry it out in this transaction and see what became other."""
    watched = _watched(session, event, said)
    if watched.user_id is not None:
        locks.lock_customer(session, watched.user_id)
    before = watching.rows(session, watched)
    if isinstance(said, CloudPaymentsNotification):
        settlement = cloudpayments_events.apply(session, said, now)
    else:
        settlement = yookassa_events.apply(session, event.kind, said, now)
    settlement = inbox.in_the_end(session, event, settlement, now)
    changes = watching.differences(before, watching.rows(session, watched))
    return Result(event.id, settlement.verdict, settlement.why, settlement.payment_id, changes), settlement


def _write_down(session: Session, event: WebhookEvent, settlement: Settlement, now: datetime) -> None:
    """What came of it stands on the notification, except that a repeat of what was done says nothing new."""
    if event.status is EventStatus.HANDLED and settlement.verdict is Verdict.NOTHING_NEW:
        return
    tried = event.attempts + 1
    session.execute(
        update(_events)
        .where(_events.c.id == event.id)
        .values(status=EventStatus.RECEIVED, attempts=tried, next_attempt_at=now)
    )
    inbox.finish(session, event.id, settlement, now, tried)


def _watched(session: Session, event: WebhookEvent, said: Said) -> Watched:
    """Whose rows it may touch."""
    theirs, reference, user_id = event.gateway_object_id, None, None
    if isinstance(said, BindingSnapshot):
        binding = select(MethodBinding.user_id).where(
            MethodBinding.gateway_method_id == said.gateway_method_id
        )
        user_id = session.scalar(binding)
    elif isinstance(said, CloudPaymentsNotification | PaymentSnapshot):
        theirs, reference = said.gateway_payment_id, said.reference
    elif isinstance(said, RefundSnapshot):
        theirs = said.gateway_payment_id
    by_reference = Payment.transaction_id == (reference or "")[:64]
    by_theirs = (Payment.gateway == event.gateway) & (Payment.gateway_payment_id == theirs)
    for condition in (by_reference, by_theirs, Payment.id == event.payment_id):
        user_id = user_id or session.scalar(select(Payment.user_id).where(condition))
    ids = frozenset(filter(None, (theirs, event.gateway_object_id)))
    return Watched(user_id, event.gateway, ids)

"""The inbox: every authentic notification is kept as it came, then carried out; a repeat costs one conflict.

CloudPayments signs what it says, so it is applied in the transaction that keeps it. YooKassa signs nothing,
so its notification is only a doorbell: a worker reads the object back from the API (:func:`process`). What
could not be carried out stays ``received`` and the sweep tries again on a growing schedule.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from portal import clock, jobs
from portal.billing import cases, cloudpayments_events, yookassa_events
from portal.billing.settlement import Settlement, Verdict
from portal.database import changed, db, transaction
from portal.gateways.base import GatewayError
from portal.gateways.cloudpayments import notifications as cloudpayments_notifications
from portal.gateways.cloudpayments.notifications import CloudPaymentsNotification
from portal.gateways.yookassa.notifications import YooKassaNotification
from portal.models import CaseKind, EventStatus, GatewayName, Payment, WebhookEvent

log = logging.getLogger(__name__)

_events: Any = WebhookEvent.__table__
_payments: Any = Payment.__table__

_STATUS = {
    Verdict.MOVED: EventStatus.HANDLED,
    Verdict.NOTHING_NEW: EventStatus.HANDLED,
    Verdict.IGNORED: EventStatus.IGNORED,
    Verdict.CASE: EventStatus.CASE,
}
#: Seconds until a notification that could not be carried out is tried again.
_BACK_OFF = (5, 20, 60, 120, 300, 600, 1800, 3600, 10800, 43200)
#: What still waits for its beginning after this will not hear of it any more.
_WAITS_AT_MOST = timedelta(hours=12)
#: A job that a worker should have done at once is handed out again after this.
GRACE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request of a gateway, as far as it is kept."""

    raw: bytes
    content_type: str
    address: str
    url_kind: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def receive_cloudpayments(delivery: Delivery, told: CloudPaymentsNotification, now: datetime) -> None:
    """Keep and carry out a signed notification, in one transaction.

    When this returns, what it says is committed.

    If carrying it out fails for a reason of ours, the notification alone is kept and the sweep goes on with
    it.
    """
    try:
        with transaction() as session:
            event_id = _keep_cloudpayments(session, delivery, told, now)
            if event_id is None:
                return
            finish(session, event_id, cloudpayments_events.apply(session, told, now), now)
    except (OperationalError, InterfaceError):
        raise  # the database is down or busy: not kept, so the gateway must come again
    except Exception as error:
        # Signed news of money must not be lost to a fault of ours, whichever it is: it is kept with the
        # fault's name, and the sweep carries it out once that is mended.
        log.exception("A CloudPayments notification could not be carried out; it is kept for the sweep")
        with transaction() as session:
            event_id = _keep_cloudpayments(session, delivery, told, now)
            if event_id is not None:
                _postpone(session, event_id, 0, type(error).__name__, now)


def keep_unreadable(delivery: Delivery, now: datetime) -> None:
    """Keep a signed notification that cannot be read: a person has to look at it, a repeat would not help."""
    row = _row(GatewayName.CLOUDPAYMENTS, "unreadable", None, delivery, now)
    kind, facts = CaseKind.UNREADABLE, {"url_kind": delivery.url_kind, "bytes": len(delivery.raw)}
    with transaction() as session:
        event_id = _insert(
            session, {**row, "status": EventStatus.CASE, "verdict": "could not be read", "handled_at": now}
        )
        if event_id is not None:
            key, facts = row["dedupe_key"], {**facts, "event": event_id}
            cases.open_case(
                session, kind, key, GatewayName.CLOUDPAYMENTS, None, None, (None, None), facts, now
            )


def keep_meaningless(delivery: Delivery, now: datetime) -> None:
    """Keep what YooKassa's address sent and nobody can read: it names nothing that could be asked about."""
    row = _row(GatewayName.YOOKASSA, "unreadable", None, delivery, now)
    with transaction() as session:
        _insert(
            session, {**row, "status": EventStatus.IGNORED, "verdict": "could not be read", "handled_at": now}
        )


def receive_yookassa(delivery: Delivery, told: YooKassaNotification, now: datetime) -> None:
    """Keep a notification and ring for a worker. Nothing it says is believed yet."""
    with transaction() as session:
        row = _row(GatewayName.YOOKASSA, told.event, told.object_id, delivery, now)
        # The worker's job comes first; the sweep waits a little before it does the same.
        event_id = _insert(session, {**row, "next_attempt_at": now})
        if event_id is not None:
            jobs.enqueue(process, event_id)


def process(event_id: int) -> bool:
    """Carry out a kept notification.

    Safe to run twice and at the same time as itself. Tells whether it is done.
    """
    now = clock.now()
    event = _claim(event_id, now)
    if event is None:
        return False
    try:
        if event.gateway is GatewayName.YOOKASSA:
            # Reads the object from the API, so it opens its own transaction afterwards.
            settlement = yookassa_events.carry_out(event.kind, event.gateway_object_id or "", now)
            with transaction() as session:
                finish(session, event_id, in_the_end(session, event, settlement, now), now, event.attempts)
        else:
            told = cloudpayments_notifications.read(
                event.raw_payload, event.content_type, kind=event.url_kind
            )
            with transaction() as session:
                settlement = cloudpayments_events.apply(session, told, now)
                finish(session, event_id, in_the_end(session, event, settlement, now), now, event.attempts)
    except GatewayError as error:
        _give_back(event_id, event.attempts, f"{error.code} {error.detail}"[:500], now)
        return False
    except Exception as error:
        # Nothing is swallowed: the row says what happened and when it is tried again, and the fault goes on
        # to RQ, which keeps the traceback.
        _give_back(event_id, event.attempts, type(error).__name__, now)
        raise
    return True


def waiting(now: datetime, limit: int = 200) -> list[int]:
    """Notifications that are kept, not carried out, and due for another attempt."""
    due = select(WebhookEvent.id).where(
        WebhookEvent.status == EventStatus.RECEIVED, WebhookEvent.next_attempt_at <= now
    )
    return list(db.session.scalars(due.order_by(WebhookEvent.next_attempt_at).limit(limit)))


def hasten(session: Session, payment_id: int, now: datetime) -> None:
    """Let what waited for this payment's success (a refund that came first) be tried again at once."""
    hurried = (
        update(_events)
        .where(_events.c.payment_id == payment_id, _events.c.status == EventStatus.RECEIVED)
        .values(next_attempt_at=now)
        .returning(_events.c.id)
    )
    for (event_id,) in session.execute(hurried).all():
        jobs.enqueue(process, event_id)


def _keep_cloudpayments(
    session: Session, delivery: Delivery, told: CloudPaymentsNotification, now: datetime
) -> int | None:
    object_id = told.gateway_refund_id or told.gateway_payment_id or told.subscription_id
    row = _row(GatewayName.CLOUDPAYMENTS, told.kind.value, object_id, delivery, now)
    return _insert(session, {**row, "billing_mode": told.billing_mode})


def _row(
    gateway: GatewayName, kind: str, object_id: str | None, delivery: Delivery, now: datetime
) -> dict[str, Any]:
    digest = hashlib.sha256(delivery.raw).hexdigest()
    return {
        "gateway": gateway,
        "kind": kind[:40],
        # The bytes are in the key: a notification that says something else is another one, whatever id it
        # carries.
        "dedupe_key": f"{gateway.value}:{kind[:30]}:{digest}",
        "raw_payload": delivery.raw,
        "content_type": delivery.content_type[:120],
        "url_kind": delivery.url_kind,
        "address": delivery.address[:45],
        "headers": dict(delivery.headers),
        "gateway_object_id": object_id and object_id[:64],
        "status": EventStatus.RECEIVED,
        "verdict": "",
        "received_at": now,
        "next_attempt_at": now + GRACE,
        "attempts": 0,
    }


def _insert(session: Session, row: dict[str, Any]) -> int | None:
    """Keep the row; ``None`` when it is kept already."""
    written = insert(_events).values(row).on_conflict_do_nothing(index_elements=["dedupe_key"])
    return session.execute(written.returning(_events.c.id)).scalar()


def _claim(event_id: int, now: datetime) -> WebhookEvent | None:
    """Take a waiting notification for a minute; ``None`` when it is done or another process has it."""
    with transaction() as session:
        taken = session.execute(
            update(_events)
            .where(
                _events.c.id == event_id,
                _events.c.status == EventStatus.RECEIVED,
                _events.c.next_attempt_at <= now,
            )
            .values(next_attempt_at=now + timedelta(minutes=1), attempts=_events.c.attempts + 1)
        )
        if not changed(taken):
            return None
        return session.get_one(WebhookEvent, event_id, populate_existing=True)


def finish(session: Session, event_id: int, settlement: Settlement, now: datetime, attempts: int = 0) -> None:
    """Write down what came of a notification; one that waits stays ``received``, bound to its payment."""
    if settlement.verdict is Verdict.WAITS:
        _postpone(session, event_id, attempts, settlement.why, now, payment_id=settlement.payment_id)
        return
    session.execute(
        update(_events)
        .where(_events.c.id == event_id, _events.c.status == EventStatus.RECEIVED)
        .values(
            status=_STATUS[settlement.verdict],
            verdict=settlement.why[:200],
            payment_id=settlement.payment_id,
            billing_mode=_mode_of(settlement.payment_id),
            handled_at=now,
            last_error=None,
        )
    )
    if settlement.verdict is Verdict.MOVED and settlement.payment_id is not None:
        hasten(session, settlement.payment_id, now)


def _mode_of(payment_id: int | None) -> Any:
    """The mode of the payment it turned out to speak of; what it said itself where there is none."""
    ours = select(_payments.c.billing_mode).where(_payments.c.id == payment_id).scalar_subquery()
    return func.coalesce(ours, _events.c.billing_mode)


def in_the_end(session: Session, event: WebhookEvent, settlement: Settlement, now: datetime) -> Settlement:
    """Waiting ends: a refund whose payment never came goes to the operator, anything else meant nothing."""
    if settlement.verdict is not Verdict.WAITS or now < event.received_at + _WAITS_AT_MOST:
        return settlement
    if not event.kind.startswith("refund"):
        return Settlement(Verdict.IGNORED, settlement.why, settlement.payment_id)
    kind, facts = CaseKind.UNKNOWN_REFUND, {"refund": event.gateway_object_id, "why": settlement.why}
    key = f"{event.gateway.value}:{kind.value}:{event.gateway_object_id}"
    cases.open_case(session, kind, key, event.gateway, None, settlement.payment_id, (None, None), facts, now)
    return Settlement(Verdict.CASE, settlement.why, settlement.payment_id)


def _postpone(
    session: Session, event_id: int, attempts: int, why: str, now: datetime, payment_id: int | None = None
) -> None:
    wait = timedelta(seconds=_BACK_OFF[min(max(attempts, 1), len(_BACK_OFF)) - 1])
    session.execute(
        update(_events)
        .where(_events.c.id == event_id, _events.c.status == EventStatus.RECEIVED)
        .values(next_attempt_at=now + wait, last_error=why[:500], payment_id=payment_id)
    )


def _give_back(event_id: int, attempts: int, why: str, now: datetime) -> None:
    with transaction() as session:
        _postpone(session, event_id, attempts, why, now)

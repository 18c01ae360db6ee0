"""Words to customers: written in the transaction of what they tell about, sent after it, once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, cast, delete, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from portal import clock, jobs, mail, running
from portal.database import db, transaction
from portal.mail import Letter, MailError
from portal.models import Channel, Notification, Payment, PaymentStatus, User

log = logging.getLogger(__name__)

_outbox: Any = Notification.__table__

#: A declined card is often followed by one that works, in the same window: the letter waits for that.
SECOND_CARD = timedelta(minutes=10)
_BACK_OFF = (1, 2, 5, 15, 60, 180, 720)  # minutes
GIVE_UP_AFTER = timedelta(days=3)
_CLAIM = timedelta(minutes=2)  # longer than a letter can take, so that two workers do not send one letter

#: Facts that are made when a letter is sent, so that they never lie in the outbox: a signed link out of its
#: row's id.
_AT_SENDING: dict[str, Callable[[Any, str], dict[str, Any]]] = {}


def made_at_sending(fact: str, make: Callable[[Any, str], dict[str, Any]]) -> None:
    """Let ``make(value, base_url)`` add to the facts of every letter whose facts hold *fact*."""
    _AT_SENDING[fact] = make


#: Kinds of letters that something waits for, and how to tell whether it still does.
_WAITED_FOR: dict[str, Callable[[Notification], bool]] = {}


def something_waits_for(kind: str, still: Callable[[Notification], bool]) -> None:
    """Never give up a letter of this *kind* while *still* says so; after that it is as if it had not been
    written, so that it can be written anew.
    """
    _WAITED_FOR[kind] = still


#: Kinds of letters that may be overtaken while they wait, and how to tell whether they are true still.
_TRUE_WHILE: dict[str, Callable[[Notification], bool]] = {}


def true_while(kind: str, still: Callable[[Notification], bool]) -> None:
    """Send a letter of this *kind* only if *still* says so when it leaves."""
    _TRUE_WHILE[kind] = still


def announce(
    session: Session,
    user_id: int,
    kind: str,
    event_key: str,
    facts: Mapping[str, Any],
    now: datetime,
    letter_after: timedelta = timedelta(0),
) -> None:
    """Tell the customer in the portal and by a letter; saying the same event again says nothing."""
    _write(session, user_id, kind, event_key, facts, now, (Channel.PORTAL, Channel.EMAIL), letter_after)


def post(
    session: Session,
    user_id: int,
    kind: str,
    event_key: str,
    facts: Mapping[str, Any],
    now: datetime,
    address: str | None = None,
) -> None:
    """Send a letter only: what concerns the account; to *address*, if given, and not to the account's own."""
    _write(session, user_id, kind, event_key, facts, now, (Channel.EMAIL,), timedelta(0), address)


def recent(user_id: int, limit: int = 10) -> list[Notification]:
    """What the portal shows the customer, newest first."""
    shown = select(Notification).where(
        Notification.user_id == user_id, Notification.channel == Channel.PORTAL
    )
    return list(db.session.scalars(shown.order_by(Notification.id.desc()).limit(limit)))


def deliver(notification_id: int) -> bool:
    """Send one letter if it is due and unsent.

    Safe to run twice and at the same time as itself. Tells whether it was sent.
    """
    now = clock.now()
    claimed = _claim(notification_id, now)
    if claimed is None:
        return False
    notification, user = claimed
    if not _still_true(notification):
        _drop(notification, now)
        return False
    try:
        running.mailer().send(notification.address or user.email, _compose(notification, user))
    except MailError as error:
        wait = timedelta(minutes=_BACK_OFF[min(notification.attempts, len(_BACK_OFF)) - 1])
        _note(notification_id, next_attempt_at=now + wait, last_error=str(error))
        log.warning("Letter %s was not accepted (%s); next try at %s", notification_id, error, now + wait)
        return False
    _note(notification_id, sent_at=now, last_error=None)
    return True


def not_given_up(now: datetime) -> ColumnElement[bool]:
    """The letters that somebody still tries to send: whoever counts those that wait counts no others."""
    return (Notification.created_at > now - GIVE_UP_AFTER) | Notification.kind.in_(_WAITED_FOR)


def due(now: datetime, limit: int = 200) -> list[int]:
    """Letters that are waiting to be sent at *now*."""
    waiting = select(Notification.id).where(
        Notification.sent_at.is_(None),
        Notification.channel == Channel.EMAIL,
        Notification.next_attempt_at <= now,
        not_given_up(now),
    )
    return list(db.session.scalars(waiting.order_by(Notification.next_attempt_at).limit(limit)))


def _write(
    session: Session,
    user_id: int,
    kind: str,
    event_key: str,
    facts: Mapping[str, Any],
    now: datetime,
    channels: tuple[Channel, ...],
    letter_after: timedelta,
    address: str | None = None,
) -> None:
    rows = [
        {
            "user_id": user_id,
            "kind": kind,
            "address": address,
            "channel": channel,
            "dedupe_key": f"{event_key}:{channel.value}"[:120],
            "facts": dict(facts),
            "created_at": now,
            "sent_at": now if channel is Channel.PORTAL else None,
            "next_attempt_at": now + letter_after,
            "attempts": 0,
        }
        for channel in channels
    ]
    written = insert(_outbox).values(rows).on_conflict_do_nothing(index_elements=["dedupe_key"])
    for notification_id, channel in session.execute(written.returning(_outbox.c.id, _outbox.c.channel)).all():
        if channel is Channel.EMAIL and not letter_after:
            jobs.enqueue(deliver, notification_id)


def _claim(notification_id: int, now: datetime) -> tuple[Notification, User] | None:
    """Take the letter for this process: whoever moves ``next_attempt_at`` sends."""
    taken = (
        update(Notification)
        .where(
            Notification.id == notification_id,
            Notification.sent_at.is_(None),
            Notification.channel == Channel.EMAIL,
            Notification.next_attempt_at <= now,
            Notification.user_id == User.id,
        )
        .values(next_attempt_at=now + _CLAIM, attempts=Notification.attempts + 1)
        .returning(Notification, User)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    with transaction() as session:
        row = session.execute(taken).one_or_none()
        return (row[0], row[1]) if row is not None else None


def _still_true(notification: Notification) -> bool:
    """A letter about a refusal is not sent once the money came after all, nor one about a charge that will
    not be.
    """
    still = _WAITED_FOR.get(notification.kind) or _TRUE_WHILE.get(notification.kind)
    # A copy is as true as what it repeats.
    original = db.session.get_one(Notification, notification.copy_of_id or notification.id)
    return still is None or still(original)


def _is_unpaid(notification: Notification) -> bool:
    status = db.session.scalar(
        select(Payment.status).where(Payment.transaction_id == notification.facts.get("transaction_id"))
    )
    return status is PaymentStatus.FAILED


def _drop(notification: Notification, now: datetime) -> None:
    """Leave a letter that is no longer true unsent."""
    if notification.kind not in _WAITED_FOR or notification.copy_of_id is not None:
        _note(notification.id, sent_at=now, last_error="no longer true")
        return
    with transaction() as session:
        session.execute(delete(Notification).where(Notification.id == notification.id))


def correct(session: Session, event_key: str, facts: Mapping[str, Any]) -> None:
    """Put facts right that are told of an event and not yet by a letter; in the caller's transaction."""
    keys = [f"{event_key}:{channel.value}"[:120] for channel in Channel]
    session.execute(
        update(_outbox)
        .where(_outbox.c.dedupe_key.in_(keys))
        .values(facts=_outbox.c.facts.concat(cast(dict(facts), JSONB)))
    )


def _note(notification_id: int, **values: Any) -> None:
    with transaction() as session:
        session.execute(update(Notification).where(Notification.id == notification_id).values(**values))


def _compose(notification: Notification, user: User) -> Letter:
    base_url = running.config().portal_base_url
    # Whoever reads at another address than the account's is not told that there is an account for it.
    reader = user if notification.address is None else None
    facts = {**notification.facts, "user": reader, "base_url": base_url}
    for name, value in notification.facts.items():
        if name in _AT_SENDING:
            facts |= _AT_SENDING[name](value, base_url)
    return mail.compose(notification.kind, facts, user.language)


true_while("payment_failed", _is_unpaid)

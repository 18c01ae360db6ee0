"""What falls due when, over all tables: one question, answered from partial indexes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, func, select

from portal.billing import marks
from portal.billing.marks import Marks
from portal.database import glance, release
from portal.models import (
    Channel,
    EventStatus,
    MethodBinding,
    Notification,
    Payment,
    PriceNotice,
    ReconciliationRun,
    Refund,
    Replay,
    Subscription,
    WebhookEvent,
)


class Work(StrEnum):
    """The kinds of work that wait for their time in a row."""

    WORDS = "subscription"
    CHARGES = "renewal"
    LETTERS = "letter"
    NOTIFICATIONS = "notification"
    PAYMENTS = "payment"
    REFUNDS = "refund"
    BINDINGS = "binding"
    REPLAYS = "replay"
    PRICES = "price"
    RECONCILIATIONS = "reconciliation"


@dataclass(frozen=True, slots=True)
class Due:
    """What a sweep has to look at."""

    #: The kinds of which something waits.
    work: frozenset[Work]
    #: How far what has no row of its own, but a turn, has come.
    marks: Marks


_WAITS_FOR: dict[Work, tuple[Any, tuple[Any, ...]]] = {
    Work.WORDS: (Subscription.look_at, ()),
    Work.CHARGES: (Subscription.charge_look_at, ()),
    Work.LETTERS: (
        Notification.next_attempt_at,
        (Notification.sent_at.is_(None), Notification.channel == Channel.EMAIL),
    ),
    Work.NOTIFICATIONS: (WebhookEvent.next_attempt_at, (WebhookEvent.status == EventStatus.RECEIVED,)),
    Work.PAYMENTS: (Payment.next_check_at, ()),
    Work.REFUNDS: (Refund.next_check_at, ()),
    Work.BINDINGS: (MethodBinding.next_check_at, ()),
    Work.REPLAYS: (Replay.next_attempt_at, ()),
    Work.PRICES: (PriceNotice.look_at, ()),
    Work.RECONCILIATIONS: (ReconciliationRun.next_attempt_at, ()),
}


# Asked every few seconds: what can be made once is made once.
_EARLIEST = select(
    *(
        select(func.min(column)).where(column.is_not(None), *conditions).scalar_subquery()
        for column, conditions in _WAITS_FOR.values()
    ),
    marks.ALL,
)
_FOLLOWING = select(
    *(
        select(func.min(column)).where(column > bindparam("now"), *conditions).scalar_subquery()
        for column, conditions in _WAITS_FOR.values()
    )
)


def due(now: datetime) -> Due:
    """What is due at *now*, and the marks."""
    release()
    with glance() as connection:
        *moments, told = connection.execute(_EARLIEST).one()
    waiting = zip(_WAITS_FOR, moments, strict=True)
    return Due(
        frozenset(work for work, moment in waiting if moment is not None and moment <= now), marks.of(told)
    )


def next_due(now: datetime) -> datetime | None:
    """When the next thing falls due after *now*; ``None`` when nothing is waiting."""
    release()
    with glance() as connection:
        moments = connection.execute(_FOLLOWING, {"now": now}).one()
    return min((moment for moment in moments if moment is not None), default=None)

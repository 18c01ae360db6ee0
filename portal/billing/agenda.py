"""When what happens to a subscription: the words before a charge, the charge, the end. Computed, not stored
in jobs: the row holds the next moment, and the scheduler looks through an index of those.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from portal.billing import settings

#: A renewal, and the end of a plan that is not renewed, are told of so long before.
WORDS_BEFORE = (timedelta(hours=72), timedelta(hours=24))
#: A card that runs out before its next charge is told of so long before.
CARD_WORDS_BEFORE = timedelta(days=30)
#: A charge comes at least so long before the end, so that it is decided by then.
SHORTEST_LEAD = timedelta(hours=1)
#: A charge comes no sooner after its first announcement, so that the customer has time to say no.
TIME_TO_SAY_NO = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Plan:
    """The moments of one cycle: from a paid period to the one after it."""

    charge_due_at: datetime | None
    grace_until: datetime | None


def cycle(starts_at: datetime, ends_at: datetime, *, renews: bool) -> Plan:
    """When the period that ends at *ends_at* is renewed, and until when it may be used meanwhile."""
    if not renews:
        return Plan(None, None)
    shop = settings.current()
    due = charge_moment(starts_at, ends_at, shop.auto_renewal_days_before)
    return Plan(due, ends_at + timedelta(days=shop.grace_days))


def charge_moment(starts_at: datetime, ends_at: datetime, days_before: int) -> datetime:
    """So many days before the end; for a period that is short for that, at half of it."""
    lead = max(timedelta(days=days_before), SHORTEST_LEAD)
    return ends_at - min(lead, (ends_at - starts_at) / 2)


def time_to_say_no(starts_at: datetime, ends_at: datetime) -> timedelta:
    """How long a customer has between the first announcement of a charge and the charge."""
    return min(TIME_TO_SAY_NO, (ends_at - starts_at) / 8)


def card_runs_out(method: Any) -> datetime | None:
    """The first moment at which the card is no longer valid; ``None`` for what has no such date.

    A card is good to the end of its month wherever its bank is.
    """
    if not (method.expiry_year and method.expiry_month and 1 <= method.expiry_month <= 12):
        return None
    last = monthrange(method.expiry_year, method.expiry_month)[1]
    return datetime(method.expiry_year, method.expiry_month, last, tzinfo=UTC) + timedelta(days=1)

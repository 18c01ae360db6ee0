"""What a customer sent on each of the last days, and how long the rest lasts at that pace."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, bindparam, func, or_, select, true

from portal import running
from portal.database import db
from portal.models import PurchasedPlan, UsageRecord
from portal.models.base import Moment
from portal.models.usage_record import CARRIED, GIVEN_BACK

DAYS = 30
#: The pace is that of so many whole days before today; fewer than the least say nothing of those to come.
PACE_DAYS, LEAST_DAYS = 7, 3
#: E-mails are counted against a period until its grace ends, and no shop sets a longer one (setting_rules).
_LONGEST_GRACE = timedelta(days=60)

_periods: Any = PurchasedPlan.__table__
_records: Any = UsageRecord.__table__

_DAYS = (
    func.unnest(bindparam("midnights", type_=ARRAY(Moment)), bindparam("next_midnights", type_=ARRAY(Moment)))
    .table_valued("since", "until", with_ordinality="nth", name="days")
    .render_derived()
)
_USED = (
    select(
        _periods.c.id,
        _periods.c.plan_title,
        _periods.c.email_quota,
        _periods.c.starts_at,
        _periods.c.created_at,
        _periods.c.revoked_at,
        _DAYS.c.nth,
        # Period by period and day by day, as records are indexed: a look into the calendar for each of them
        # would cost more. Our own records repeat what was counted before a change of plan.
        select(func.coalesce(func.sum(_records.c.quantity), 0))
        .where(
            _records.c.purchased_plan_id == _periods.c.id,
            _records.c.created_at >= _DAYS.c.since,
            _records.c.created_at < _DAYS.c.until,
            ~or_(*(_records.c.idempotency_key.startswith(own) for own in (CARRIED, GIVEN_BACK))),
        )
        .scalar_subquery()
        .label("quantity"),
    )
    .select_from(_periods)
    .join(_DAYS, true())
    .where(
        _periods.c.user_id == bindparam("user_id"),
        _periods.c.ends_at > bindparam("oldest", type_=Moment),
        _periods.c.starts_at <= bindparam("now", type_=Moment),
    )
    .order_by(_periods.c.starts_at, _periods.c.id)
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A paid period that began on one of the days: the e-mails are counted anew from there."""

    day: date
    plan_title: str
    email_quota: int


@dataclass(frozen=True, slots=True)
class DailyUse:
    """E-mails by day on the shop's clock, oldest first; the last one is today, so far."""

    days: tuple[tuple[date, int], ...]
    begun: tuple[Begun, ...]
    zone: ZoneInfo

    @property
    def total(self) -> int:
        """What was sent on all of them."""
        return sum(quantity for _, quantity in self.days)

    @property
    def busiest(self) -> tuple[date, int]:
        """The day on which most was sent, the latest of several."""
        return max(reversed(self.days), key=lambda one: one[1])

    @property
    def pace(self) -> int | None:
        """E-mails a day, by the last whole days of the present period; ``None`` where those say nothing."""
        since = self.begun[-1].day if self.begun else date.min
        whole = [quantity for day, quantity in self.days[-PACE_DAYS - 1 : -1] if day > since]
        return sum(whole) // len(whole) if len(whole) >= LEAST_DAYS else None

    def runs_out_before(self, emails_left: int, ends_at: datetime) -> date | None:
        """The day on which so many e-mails are used up at the pace, where that is before *ends_at*."""
        if not self.pace:
            return None
        today, last = self.days[-1][0], ends_at.astimezone(self.zone).date()
        days = emails_left // self.pace
        return today + timedelta(days=days) if days < (last - today).days else None


def of(user_id: int, now: datetime) -> DailyUse | None:
    """The last :data:`DAYS` days at *now*; ``None`` for who had no paid period in them.

    One statement, whose cost is that of the records of these days alone.
    """
    zone = ZoneInfo(running.config().tz_display)
    first = now.astimezone(zone).date() - timedelta(days=DAYS - 1)
    calendar = [first + timedelta(days=n) for n in range(DAYS)]
    midnights = [datetime.combine(first + timedelta(days=n), time.min, zone) for n in range(DAYS + 1)]
    asked = {
        "user_id": user_id,
        "now": now,
        "midnights": midnights[:-1],
        "next_midnights": midnights[1:],
        "oldest": midnights[0] - _LONGEST_GRACE,
    }
    found = db.session.execute(_USED, asked).all()
    if not found:
        return None
    used: Counter[int] = Counter()
    begun: dict[int, Begun] = {}
    for row in found:
        used[row.nth - 1] += row.quantity
        day = row.starts_at.astimezone(zone).date()
        never_ran = row.revoked_at is not None and row.revoked_at <= max(row.starts_at, row.created_at)
        if day >= first and not never_ran:
            begun[row.id] = Begun(day, row.plan_title, row.email_quota)
    return DailyUse(tuple((day, used[n]) for n, day in enumerate(calendar)), tuple(begun.values()), zone)

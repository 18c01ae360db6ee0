"""How much of what was paid goes back when a plan is canceled: the shop's rule, exact to the kopeck."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from portal.money import portion

_TICK = timedelta(microseconds=1)


class Rule(StrEnum):
    """Why so much goes back: the operator's ``refund_policy``, or what stands above it."""

    FULL = "full"
    UNUSED_DAYS = "unused_days"
    UNUSED_QUOTA = "unused_quota"
    #: The period has not begun, so all of it goes back, whatever the window.
    NOT_BEGUN = "not_begun"
    #: The window is over: nothing goes back.
    TOO_LATE = "too_late"


class Period(Protocol):
    """What of a paid period a rule looks at."""

    starts_at: datetime
    ends_at: datetime
    email_quota: int
    emails_used: int


def rule_of(period: Period, policy: str, window_ends_at: datetime, now: datetime) -> Rule:
    """The rule for a payment whose window ends at *window_ends_at* and that paid for, or into, *period*."""
    if period.starts_at > now:
        return Rule.NOT_BEGUN
    return Rule(policy) if now < window_ends_at else Rule.TOO_LATE


def share(amount: Decimal, rule: Rule, period: Period, now: datetime) -> Decimal:
    """What *rule* gives back of *amount*, rounded down to the kopeck; it never grows with time or use."""
    if rule is Rule.TOO_LATE:
        return portion(amount, 0, 1)
    if rule is Rule.UNUSED_QUOTA and period.email_quota:
        return portion(amount, period.email_quota - period.emails_used, period.email_quota)
    if rule in {Rule.UNUSED_DAYS, Rule.UNUSED_QUOTA}:
        return portion(amount, (period.ends_at - now) // _TICK, (period.ends_at - period.starts_at) // _TICK)
    return portion(amount, 1, 1)

"""E-mails out of a paid period: counting what the shop's product sends.

A use locks the customer's row first, as every verb does that changes what a customer has: two uses at once
wait for each other, and none meets a period that is being revoked or replaced. Statements are Core, not ORM
flushes: the product asks before every sending.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, true, update
from sqlalchemy.orm import Session

from portal.billing import entitlement, notices
from portal.billing.entitlement import Period, Periods
from portal.database import transaction
from portal.errors import InvalidRequest, PortalError
from portal.models import PurchasedPlan, UsageRecord, User
from portal.models.usage_record import CARRIED, GIVEN_BACK
from portal.wording import marked, say

#: The most that one call may count.
MOST_AT_ONCE = 1_000_000
LONGEST_KEY = 120
#: Percent of a period's e-mails at which the customer is told.
LINES = (80, 95, 100)

_users: Any = User.__table__
_periods: Any = PurchasedPlan.__table__
_records: Any = UsageRecord.__table__

# NO KEY UPDATE, as every lock of a customer: rows that merely point at the customer need not wait.
_LOCKED = (
    select(_users.c.id, _users.c.disabled_at)
    .where(_users.c.email == bindparam("email"))
    .with_for_update(key_share=True)
)
# Asked once the lock is held, and not together with it: a statement sees what was committed when it began.
_FIRST = select(_records.c.emails_left).where(
    _records.c.user_id == _users.c.id, _records.c.idempotency_key == bindparam("key")
)
_SEEN = (
    select(_FIRST.scalar_subquery().label("first"), *entitlement.COUNTING.c)
    .select_from(_users)
    .outerjoin(entitlement.COUNTING, true())
    .where(_users.c.id == bindparam("customer_id"))
    .order_by(entitlement.COUNTING.c.ends_at)
)
# A subtraction, since a sum could leave the range of the column.
_TAKEN = (
    update(_periods)
    .where(
        _periods.c.id == bindparam("period_id"),
        _periods.c.revoked_at.is_(None),
        _periods.c.email_quota - _periods.c.emails_used >= bindparam("quantity"),
    )
    .values(emails_used=_periods.c.emails_used + bindparam("quantity"))
    .returning(
        _periods.c.user_id,
        _periods.c.id.label("purchased_plan_id"),
        (_periods.c.email_quota - _periods.c.emails_used).label("emails_left"),
    )
    .cte("taken")
)
_WRITTEN = (
    insert(_records)
    .from_select(
        [*_TAKEN.c.keys(), "quantity", "idempotency_key", "created_at"],
        select(
            *_TAKEN.c,
            bindparam("quantity", type_=_records.c.quantity.type),
            bindparam("key", type_=_records.c.idempotency_key.type),
            bindparam("now", type_=_records.c.created_at.type),
        ),
    )
    .returning(_records.c.emails_left)
)


class NoPlan(PortalError):
    """The customer is known and has nothing that may be used now."""

    code = "NO_PLAN"
    status = 409
    message = marked("У клиента нет действующего тарифа.")


class CustomerDisabled(PortalError):
    """The shop has closed the customer's account."""

    code = "CUSTOMER_DISABLED"
    status = 403
    message = marked("Учётная запись клиента отключена магазином.")


class QuotaExceeded(PortalError):
    """More e-mails than are left in the period."""

    code = "QUOTA_EXCEEDED"
    status = 409
    message = marked("В этом сроке не осталось столько писем.")


@dataclass(frozen=True, slots=True)
class Used:
    """The answer to a use: what was left when its key was counted, and whether that was an earlier call."""

    emails_left: int
    repeated: bool


def use(email: str, quantity: int, idempotency_key: str, now: datetime) -> Used:
    """Count *quantity* e-mails against the customer's present period.

    A repeat of a key answers as the first time and counts nothing, also after the period is over. A period
    that is used up does not reach into the next one. Raises InvalidRequest, CustomerNotFound,
    CustomerDisabled, NoPlan and QuotaExceeded; then nothing is counted and the key is not remembered.
    """
    _check(quantity, idempotency_key)
    with transaction() as session:
        connection = session.connection()
        customer_id, disabled_at = _lock_customer(connection, email)
        asked = {"customer_id": customer_id, "key": idempotency_key, "now": now}
        seen = connection.execute(_SEEN, asked).all()
        first: int | None = seen[0].first
        if first is not None:
            return Used(first, repeated=True)
        if disabled_at is not None:
            raise CustomerDisabled
        periods = entitlement.arranged([row[1:] for row in seen], now)
        if periods.current is None:
            raise NoPlan
        left = _take(connection, periods.current, quantity, idempotency_key, now)
        _tell(session, customer_id, periods, quantity, left, now)
    return Used(left, repeated=False)


def line_crossed(before: int, after: int, total: int) -> int | None:
    """The highest of :data:`LINES` that a use from *before* to *after* e-mails out of *total* reaches."""
    crossed = [line for line in LINES if before * 100 < line * total <= after * 100]
    return max(crossed, default=None)


def _check(quantity: int, key: str) -> None:
    if not 1 <= quantity <= MOST_AT_ONCE:
        raise InvalidRequest(say("quantity — целое число от 1 до %(most)s.", most=MOST_AT_ONCE))
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidRequest(say("idempotency_key — от 1 до %(most)s печатных знаков.", most=LONGEST_KEY))
    if key.startswith((CARRIED, GIVEN_BACK)):
        raise InvalidRequest(
            say(
                "idempotency_key не может начинаться с «%(one)s» или «%(other)s».",
                one=CARRIED,
                other=GIVEN_BACK,
            )
        )


def _lock_customer(connection: Connection, email: str) -> tuple[int, datetime | None]:
    """The customer's id and when the account was closed, with the row locked until the transaction ends."""
    asked = {"email": entitlement.spelt(email)}
    customer = connection.execute(_LOCKED, asked).one_or_none()
    if customer is None:
        raise entitlement.CustomerNotFound
    return customer.id, customer.disabled_at


def _take(connection: Connection, period: Period, quantity: int, key: str, now: datetime) -> int:
    """Count and write the record, and say what is left.

    The guard stands in the statement as well as in the table's constraint.
    """
    asked = {"period_id": period.id, "quantity": quantity, "key": key, "now": now}
    left: int | None = connection.execute(_WRITTEN, asked).scalar_one_or_none()
    if left is None:
        has = period.email_quota - period.emails_used
        raise QuotaExceeded(
            say(
                "В этом сроке осталось писем: %(left)s, а нужно %(wanted)s. Ничего не списано.",
                left=has,
                wanted=quantity,
            )
        )
    return left


def _tell(
    session: Session, customer_id: int, periods: Periods, quantity: int, left: int, now: datetime
) -> None:
    """Tell the customer of the line that this use crossed: once per period and line, the highest only."""
    period = periods.current
    until = periods.usable_until()
    assert period is not None  # something was taken from it
    assert until is not None
    used = period.email_quota - left
    line = line_crossed(used - quantity, used, period.email_quota)
    if line is None:
        return
    following = next(iter(periods.upcoming), None)
    facts = {
        "plan_title": period.plan_title,
        "percent": line,
        "emails_left": left,
        "emails_total": period.email_quota,
        "ends_at": until.isoformat(),
        "next_starts_at": following.starts_at.isoformat() if following else None,
        "next_emails": following.email_quota if following else None,
    }
    kind = "quota_spent" if line == 100 else "quota_low"
    notices.announce(session, customer_id, kind, f"quota:{period.id}:{line}", facts, now)

"""What a customer may use at one moment: the period that runs or is in its grace days, and what follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, true

from portal.database import glance
from portal.errors import NotFound
from portal.models import PaymentMethod, PurchasedPlan, Subscription, SubscriptionStatus, User
from portal.models.base import Moment
from portal.models.subscription import LIVE
from portal.wording import marked

_users: Any = User.__table__
_periods: Any = PurchasedPlan.__table__
_subscriptions: Any = Subscription.__table__
_methods: Any = PaymentMethod.__table__

_LONGEST_ADDRESS = 254

# The product asks before every sending: what can be made once is made once.
_LATEST = (
    select(_subscriptions.c.status, _subscriptions.c.auto_renew, _subscriptions.c.payment_method_id)
    .where(_subscriptions.c.user_id == _users.c.id)
    .order_by(_subscriptions.c.id.desc())
    .limit(1)
    .lateral("latest")
)
_IN_GRACE = _subscriptions.c.status.in_(LIVE) & (_subscriptions.c.grace_until > bindparam("now"))

#: The periods of one of ``users`` that may be used now or later; beside its row, to be joined with it.
COUNTING = (
    select(
        _periods.c.id,
        _periods.c.plan_code,
        _periods.c.plan_title,
        _periods.c.starts_at,
        _periods.c.ends_at,
        _periods.c.email_quota,
        _periods.c.emails_used,
        _subscriptions.c.status,
        _subscriptions.c.grace_until,
    )
    .join(_subscriptions, _subscriptions.c.id == _periods.c.subscription_id)
    .where(
        _periods.c.user_id == _users.c.id,
        _periods.c.revoked_at.is_(None),
        (_periods.c.ends_at > bindparam("now", type_=Moment)) | _IN_GRACE,
    )
    .lateral("counting")
)
_ENTITLEMENT = (
    select(
        _users.c.disabled_at,
        _LATEST.c.status.label("latest"),
        _LATEST.c.auto_renew,
        (_methods.c.id.is_not(None) & _methods.c.detached_at.is_(None)).label("has_method"),
        *COUNTING.c,
    )
    .select_from(_users)
    .outerjoin(_LATEST, true())
    .outerjoin(_methods, _methods.c.id == _LATEST.c.payment_method_id)
    .outerjoin(COUNTING, true())
    .where(_users.c.email == bindparam("email"))
    .order_by(COUNTING.c.ends_at)
)


class CustomerNotFound(NotFound):
    """No customer has that address."""

    code = "CUSTOMER_NOT_FOUND"
    message = marked("Клиента с таким адресом нет.")


@dataclass(frozen=True, slots=True)
class Period:
    """A paid period that counts, with what its agreement says."""

    id: int
    plan_code: str
    plan_title: str
    starts_at: datetime
    ends_at: datetime
    email_quota: int
    emails_used: int
    agreement: SubscriptionStatus
    grace_until: datetime | None


@dataclass(frozen=True, slots=True)
class Periods:
    """What a customer has paid for and may use: now, and later in the order of its beginning."""

    current: Period | None
    upcoming: tuple[Period, ...]
    #: The present period is over and may be used on while its renewal is being tried.
    in_grace: bool

    def usable_until(self) -> datetime | None:
        """The end of the present period, or of the grace days after it."""
        if self.current is None:
            return None
        return self.current.grace_until if self.in_grace else self.current.ends_at

    def active_until(self) -> datetime | None:
        """Until when it may be used without paying again: all paid time without a gap, or the grace days."""
        until = self.usable_until()
        for following in self.upcoming:
            if until is None or following.starts_at > until:
                break
            until = max(until, following.ends_at)
        return until


@dataclass(frozen=True, slots=True)
class Entitlement:
    """The product's question answered."""

    #: Usable: active, or past_due while the renewal is being tried. Not: scheduled, canceled, expired, none,
    #: and disabled, whatever is paid.
    status: str
    periods: Periods
    #: Whether a saved method is going to be charged for the next period.
    auto_renew: bool


def of(email: str, now: datetime) -> Entitlement:
    """What the customer may use at *now*, read in one look. Raises CustomerNotFound."""
    with glance() as connection:
        found = connection.execute(_ENTITLEMENT, {"email": spelt(email), "now": now}).all()
    if not found:
        raise CustomerNotFound
    disabled_at, latest, auto_renew, has_method = found[0][:4]
    if disabled_at is not None:
        return Entitlement("disabled", Periods(None, (), in_grace=False), auto_renew=False)
    periods = arranged([row[4:] for row in found], now)
    return Entitlement(
        status=_status(latest, periods),
        periods=periods,
        auto_renew=bool(auto_renew and has_method and periods.current),
    )


def arranged(rows: Iterable[Sequence[Any]], now: datetime) -> Periods:
    """What :data:`COUNTING` found of one customer, in the order of their ends; nothing but NULL is no period.

    In the grace days of a live agreement it is its last period that may be used on, as for
    :func:`portal.billing.subscriptions.standing`.
    """
    found = [Period(*row) for row in rows if row[0] is not None]
    begun = [period for period in found if period.starts_at <= now]
    current = begun[-1] if begun else None
    return Periods(
        current=current,
        upcoming=tuple(period for period in found if period.starts_at > now),
        in_grace=current is not None and current.ends_at <= now,
    )


def spelt(email: str) -> str:
    """The address as it is kept. What PostgreSQL cannot even be asked about is nobody's address."""
    if len(email) > _LONGEST_ADDRESS or not email.isprintable():
        raise CustomerNotFound
    return email.lower()


def _status(latest: SubscriptionStatus | None, periods: Periods) -> str:
    """A period ends exactly at its end, so the periods decide; the agreement says only why there is none."""
    if periods.current is not None:
        past_due = periods.in_grace or periods.current.agreement is SubscriptionStatus.PAST_DUE
        return (SubscriptionStatus.PAST_DUE if past_due else SubscriptionStatus.ACTIVE).value
    if periods.upcoming:
        return "scheduled"
    if latest is None:
        return "none"
    return latest.value if latest is SubscriptionStatus.CANCELED else SubscriptionStatus.EXPIRED.value

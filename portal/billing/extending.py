"""Days given to a customer: the running period ends later, with all that follows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.billing import audit, choosing, giving_back, locks, notices, periods, settings, subscriptions
from portal.billing.audit import Actor, Subject
from portal.billing.giving_back import AboveDailyLimit
from portal.database import db, exclusive, transaction
from portal.errors import InvalidRequest
from portal.models import PeriodExtension, PurchasedPlan, Role, Subscription, SubscriptionStatus, User

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Allowance:
    """The days that an operator may give today, and has; no limit for owners."""

    limit: int | None
    given: int

    @property
    def left(self) -> int | None:
        """What is left of the limit."""
        return None if self.limit is None else max(0, self.limit - self.given)


class NothingToExtend(InvalidRequest):
    """No plan runs that could run longer."""

    code = "NOTHING_TO_EXTEND"
    message = "У клиента сейчас нет действующего тарифа, продлевать нечего."


class BeingCharged(InvalidRequest):
    """The end of the period is being paid for at this moment."""

    code = "BEING_CHARGED"
    message = "Прямо сейчас списывается продление. Дождитесь его исхода и повторите."


def running(session: Session, user_id: int, now: datetime) -> PurchasedPlan | None:
    """The period that would be extended: the one that runs, or the last one in the days of grace after it."""
    live: Subscription | None = session.scalar(choosing.of_customer(user_id))
    if live is None or not subscriptions.is_usable(live, now):
        return None
    counting = select(PurchasedPlan).where(
        PurchasedPlan.user_id == user_id,
        PurchasedPlan.revoked_at.is_(None),
        PurchasedPlan.starts_at <= now,
        (PurchasedPlan.ends_at > now) | (PurchasedPlan.ends_at == live.current_period_end),
    )
    latest = counting.order_by(PurchasedPlan.ends_at.desc()).limit(1)
    return session.scalar(latest.execution_options(populate_existing=True))


def extend(user_id: int, days: int, actor: Actor, reason: str, form_key: str, now: datetime) -> datetime:
    """Let the running period end *days* later, what is paid after it move along, and the charge too.

    Gives the new end of that period; the same form gives once. Raises InvalidRequest (NothingToExtend,
    BeingCharged, NoReason) and AboveDailyLimit, each with a sentence.
    """
    why, key = giving_back.demand_reason(reason), giving_back.demand_key(form_key)
    if not 1 <= days <= MOST_DAYS:
        raise InvalidRequest(f"Добавить можно от 1 до {MOST_DAYS} дней.")
    with transaction() as session:
        locks.lock_customer(session, user_id)
        live = choosing.live_subscription(session, user_id)
        period = running(session, user_id, now)
        if live is None or period is None:
            raise NothingToExtend
        if session.scalar(select(PeriodExtension.id).where(PeriodExtension.form_key == key)) is not None:
            return period.ends_at
        if choosing.is_being_charged(session, live):
            raise BeingCharged
        _within_allowance(session, actor, days, now)
        before = period.ends_at
        if before + timedelta(days=days) <= now:
            raise InvalidRequest("И с этими днями срок уже прошёл. Добавьте больше.")
        session.add(_given(period, days, why, actor, key, now))
        period.ends_at = before + timedelta(days=days)
        session.flush()
        _move_along(session, live, period, now)
        told = {"period": period.id, "ends_at": before}
        after = {"days": days, "ends_at": period.ends_at, "charge_due_at": live.charge_due_at}
        audit.note(actor, "extend", Subject("user", user_id), now, before=told, after=after, reason=why)
        _tell(session, live, period, days, key, now)
        return period.ends_at


def allowance(session: Session, operator: User, now: datetime) -> Allowance:
    """What this operator gave since midnight on the shop's clock, to all customers together."""
    asked = select(func.coalesce(func.sum(PeriodExtension.days), 0)).where(
        PeriodExtension.user_id == operator.id, PeriodExtension.created_at >= giving_back.start_of_day(now)
    )
    limit = None if operator.may(Role.OWNER) else settings.current().support_days_daily_limit
    return Allowance(limit, session.scalar(asked) or 0)


def of_periods(period_ids: list[int]) -> list[PeriodExtension]:
    """The days given to these periods, oldest first."""
    given = select(PeriodExtension).where(PeriodExtension.purchased_plan_id.in_(period_ids))
    return list(db.session.scalars(given.order_by(PeriodExtension.id)))


def _within_allowance(session: Session, actor: Actor, days: int, now: datetime) -> None:
    """Weigh one gift of an operator at a time against the day's days; the command line is nobody's clerk."""
    operator = session.get(User, actor.user_id) if actor.user_id is not None else None
    if operator is None:
        return
    exclusive(session, f"days of operator {operator.id}")
    left = allowance(session, operator, now).left
    if left is not None and days > left:
        raise AboveDailyLimit(f"Сегодня вы можете добавить ещё дней: {left}. Больше добавит владелец.")


def _given(
    period: PurchasedPlan, days: int, reason: str, actor: Actor, form_key: str, now: datetime
) -> PeriodExtension:
    return PeriodExtension(
        purchased_plan_id=period.id,
        days=days,
        reason=reason[:250],
        user_id=actor.user_id,
        form_key=form_key,
        created_at=now,
    )


def _move_along(session: Session, live: Subscription, period: PurchasedPlan, now: datetime) -> None:
    """What is paid after the period begins where it ends now; the charge is planned anew.

    A renewal that was refused is tried from the beginning: its period begins at another moment. What the
    card was refused for good for is not tried by that.
    """
    laid = periods.lay_out(session, live.user_id, period.starts_at, now)
    live.current_period_end = laid[-1].ends_at
    if live.status is SubscriptionStatus.PAST_DUE:
        live.status = SubscriptionStatus.ACTIVE
    session.flush()
    subscriptions.replan(session, live, now)


def _tell(
    session: Session, live: Subscription, period: PurchasedPlan, days: int, key: str, now: datetime
) -> None:
    facts = {
        "plan_title": period.plan_title,
        "days": days,
        "ends_at": live.current_period_end.isoformat(),
        "charge_at": live.charge_due_at.isoformat() if live.charge_due_at else None,
    }
    notices.announce(session, live.user_id, "plan_extended", f"plan_extended:{key}", facts, now)

"""Money given back by an operator: within the clerk's daily sum, once per form, and never more than is left.

The customer's lock comes first, the operator's own last: whoever presses twice, or in two tabs, waits.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from portal import jobs, running
from portal.billing import audit, locks, refunds, sending_back, settings
from portal.billing.audit import Actor, Subject
from portal.database import exclusive, transaction
from portal.errors import InvalidRequest, NotAllowed, NotFound
from portal.models import Case, Refund, RefundSource, RefundStatus, Role, User
from portal.money import ZERO, NotAnAmount, money, to_people, to_wire

_refunds: Any = Refund.__table__
_cases: Any = Case.__table__


class NothingLeft(InvalidRequest):
    """All that the gateway took is back, or on its way."""

    code = "NOTHING_LEFT"
    message = "Эти деньги уже вернулись или возвращаются."


class AboveDailyLimit(NotAllowed):
    """A clerk has given back today what a clerk may."""

    code = "DAILY_LIMIT"


class NoReason(InvalidRequest):
    """An act with money is never without its reason."""

    code = "NO_REASON"
    message = "Напишите причину: она останется в журнале."


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an operator may give back today, and has; no limit for owners."""

    limit: Decimal | None
    spent: Decimal

    @property
    def left(self) -> Decimal | None:
        """What is left of the limit."""
        return None if self.limit is None else max(ZERO, self.limit - self.spent)


def allowance(session: Session, operator: User, now: datetime) -> Allowance:
    """What this operator's own refunds of the day on the shop's clock leave; failed ones do not count."""
    asked = select(func.coalesce(func.sum(_refunds.c.amount), ZERO)).where(
        _refunds.c.ordered_by == operator.id,
        _refunds.c.created_at >= start_of_day(now),
        _refunds.c.status != RefundStatus.FAILED,
    )
    spent: Decimal = session.execute(asked).scalar_one()
    limit = None if operator.may(Role.OWNER) else settings.current().support_refund_daily_limit
    return Allowance(limit, spent)


def start_of_day(now: datetime) -> datetime:
    """Midnight on the shop's clock, from which a clerk's day counts."""
    zone = ZoneInfo(running.config().tz_display)
    return datetime.combine(now.astimezone(zone).date(), time(), zone)


def give_back(
    payment_id: int,
    amount: str | Decimal,
    operator: User,
    actor: Actor,
    reason: str,
    form_key: str,
    now: datetime,
) -> int:
    """Order a refund of a payment, whole or in part; gives the refund's id, the same for the same form.

    Raises NotFound, InvalidRequest (also RefundTooLarge and NoReason) and AboveDailyLimit, each with a
    sentence.
    """
    exact, why, key = typed_amount(amount), demand_reason(reason), demand_key(form_key)
    with transaction() as session:
        payment = locks.locked(session, payment_id=payment_id)
        if payment is None:
            raise NotFound
        if (done := _ordered_by(session, key)) is not None:
            return done
        within_allowance(session, operator, exact, payment.currency, now)
        refund_id = refunds.order(
            session,
            payment,
            exact,
            RefundSource.OPERATOR,
            why,
            now,
            ordered_by=operator.id,
            form_key=key,
        )
        left = to_wire(refunds.left(session, payment.id))
        after = {"refund": refund_id, "amount": to_wire(exact), "left": left}
        audit.note(actor, "refund", Subject("payment", payment.id), now, after=after, reason=why)
    return refund_id


def give_back_stray(
    session: Session, case: Case, operator: User, reason: str, form_key: str | None, now: datetime
) -> int:
    """Order the return of a case's money, which is no order's, as a whole; in the caller's transaction.

    Raises NothingLeft (law 4): of one capture no more goes back than was taken, however many cases speak of
    it; and AboveDailyLimit.
    """
    exclusive(session, f"stray:{case.gateway.value}:{case.gateway_payment_id}")
    amount = stray_left(session, case)
    if case.gateway_payment_id is None or amount <= 0:
        raise NothingLeft
    within_allowance(session, operator, amount, case.currency or "", now)
    row = {
        "case_id": case.id,
        "gateway": case.gateway,
        "key": str(uuid.uuid4()),
        "amount": amount,
        "currency": case.currency,
        "status": RefundStatus.PENDING,
        "source": RefundSource.OPERATOR,
        "reason": reason[:250],
        "ordered_by": operator.id,
        "form_key": form_key,
        "created_at": now,
        "next_check_at": now,
        "checks": 0,
    }
    refund_id = int(session.execute(insert(_refunds).values(row).returning(_refunds.c.id)).scalar_one())
    jobs.enqueue(sending_back.carry_on, refund_id)
    return refund_id


def stray_left(session: Session, case: Case) -> Decimal:
    """What of the case's money has not gone back and is not on its way."""
    gone = (
        select(func.coalesce(func.sum(_refunds.c.amount), ZERO))
        .join(_cases, _cases.c.id == _refunds.c.case_id)
        .where(
            _cases.c.gateway == case.gateway,
            _cases.c.gateway_payment_id == case.gateway_payment_id,
            _refunds.c.status != RefundStatus.FAILED,
        )
    )
    taken: Decimal = case.amount or ZERO
    back: Decimal = session.execute(gone).scalar_one()
    return max(ZERO, taken - back)


def within_allowance(session: Session, operator: User, amount: Decimal, currency: str, now: datetime) -> None:
    """Let one refund of an operator at a time be weighed against the day's sum. Raises AboveDailyLimit."""
    exclusive(session, f"refunds of operator {operator.id}")
    left = allowance(session, operator, now).left
    if left is None:
        return
    if currency != "RUB":
        raise AboveDailyLimit("Возврат в другой валюте оформляет владелец.")
    if amount > left:
        raise AboveDailyLimit(
            f"Сегодня вы можете вернуть ещё {to_people(left)}. Большую сумму вернёт владелец."
        )


def demand_reason(reason: str) -> str:
    """The reason as it is kept. Raises NoReason."""
    why = reason.strip()
    if not any(sign.isalnum() for sign in why):
        raise NoReason
    return why


def demand_key(form_key: str) -> str:
    """The key of the form that was sent. Raises InvalidRequest for a form that we did not render."""
    try:
        return str(uuid.UUID(form_key))
    except ValueError:
        raise InvalidRequest("Форма устарела. Откройте страницу заново.") from None


def _ordered_by(session: Session, form_key: str) -> int | None:
    found: int | None = session.execute(select(_refunds.c.id).where(_refunds.c.form_key == form_key)).scalar()
    return found


def typed_amount(amount: str | Decimal) -> Decimal:
    """What a person typed: a comma and spaces are fine. Raises InvalidRequest."""
    typed = "".join(amount.split()).replace(",", ".") if isinstance(amount, str) else amount
    try:
        return money(typed)
    except NotAnAmount as error:
        raise InvalidRequest("Сумма — рубли и копейки, например 340,50.") from error

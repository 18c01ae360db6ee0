"""Existing subscribers led to another price, by the owner: previewed, dated, called off until its date.

An agreement names its sum, so editing a plan moves nobody. A lower price applies to everybody who was told;
a higher one only to those who agree to it (``price_notices``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, insert, literal, select, update
from sqlalchemy.orm import Session

from portal.billing import audit
from portal.billing.audit import Actor, Subject
from portal.database import db, exclusive, transaction
from portal.errors import InvalidRequest, NotFound
from portal.models import Consent, Plan, PriceMove, PriceNotice, PriceOutcome, Subscription
from portal.models.subscription import LIVE
from portal.money import NotAnAmount, money

_moves: Any = PriceMove.__table__
_notices: Any = PriceNotice.__table__

#: Subscribers hear of it so long before; a charge itself is announced 72 hours before as well.
NOTICE = timedelta(days=7)


class WrongMove(InvalidRequest):
    """The move cannot be made as it was asked for; the message says why."""

    code = "WRONG_MOVE"


@dataclass(frozen=True, slots=True)
class Preview:
    """Whom a move would reach: for each sum agreed to, how many subscribers."""

    sums: tuple[tuple[Decimal, int], ...]
    amount: Decimal

    @property
    def lowered(self) -> int:
        """For whom the price falls."""
        return sum(count for old, count in self.sums if old > self.amount)

    @property
    def raised(self) -> int:
        """Who would have to agree."""
        return sum(count for old, count in self.sums if old < self.amount)


def amount_of(text: str) -> Decimal:
    """The new sum as it was typed. Raises :class:`WrongMove`."""
    try:
        amount = money(text.strip().replace(",", "."))
    except NotAnAmount:
        raise WrongMove("Нужна сумма в рублях, например 1190 или 1190,50.") from None
    if amount <= 0:
        raise WrongMove("Новая цена должна быть больше нуля.")
    return amount


def preview(plan_id: int, amount: Decimal) -> Preview:
    """Whom the move would reach now."""
    affected = _affected(plan_id, amount).subquery()
    sums = select(affected.c.amount, func.count()).group_by(affected.c.amount).order_by(affected.c.amount)
    return Preview(tuple((old, count) for old, count in db.session.execute(sums)), amount)


def plan_move(
    plan_id: int, amount: Decimal, moves_at: datetime, actor: Actor, reason: str, now: datetime
) -> int:
    """Decide it: everybody it reaches is told soon. Returns its id. Raises NotFound, :class:`WrongMove`."""
    if not reason.strip():
        raise WrongMove("Напишите, почему меняется цена: это увидят в журнале.")
    if moves_at < now + NOTICE:
        raise WrongMove(f"Предупредить нужно не меньше чем за {NOTICE.days} дней.")
    with transaction() as session:
        exclusive(session, f"price:{plan_id}")
        plan = session.get(Plan, plan_id)
        if plan is None:
            raise NotFound
        if session.scalar(open_move(plan_id)) is not None:
            raise WrongMove("Для этого тарифа перевод уже назначен: сначала отмените его.")
        seen = preview(plan_id, amount)
        if not seen.sums:
            raise WrongMove("Переводить некого: все подписчики уже платят столько.")
        words = {"plan_id": plan_id, "amount": amount, "currency": plan.currency}
        move = PriceMove(**words, moves_at=moves_at, reason=reason.strip()[:1000], created_at=now)
        session.add(move)
        session.flush()
        _enlist(session, move, now)
        after = {"plan": plan.code, "amount": amount, "moves_at": moves_at, "raised": seen.raised}
        after["lowered"] = seen.lowered
        audit.note(actor, "price-move", Subject("price_move", move.id), now, after=after, reason=reason)
        return move.id


def call_off(move_id: int, actor: Actor, reason: str, now: datetime) -> bool:
    """Leave everybody at their price; whoever was told hears of that. Says whether it was still open.

    Raises :class:`WrongMove` once its date has come.
    """
    with transaction() as session:
        move = session.get(PriceMove, move_id, with_for_update=True, populate_existing=True)
        if move is None:
            raise NotFound
        if move.ended_at is not None:
            return False
        if now >= move.moves_at:
            raise WrongMove("Дата уже наступила: отменить перевод нельзя.")
        move.called_off_at = move.ended_at = now
        # The look at each tells the customer.
        waiting = update(_notices).where(_notices.c.price_move_id == move.id, _notices.c.look_at.is_not(None))
        session.execute(waiting.values(look_at=now))
        audit.note(actor, "price-move-called-off", Subject("price_move", move.id), now, reason=reason)
    return True


def open_move(plan_id: int) -> Select[PriceMove]:
    """The query for the plan's move that is not over; there is at most one."""
    return select(PriceMove).where(PriceMove.plan_id == plan_id, PriceMove.ended_at.is_(None))


def latest(limit: int = 20) -> list[PriceMove]:
    """The moves, newest first."""
    return list(db.session.scalars(select(PriceMove).order_by(PriceMove.id.desc()).limit(limit)))


def progress(move_id: int) -> dict[str, int]:
    """How many were told, agreed, and came out how."""
    counted = select(
        func.count(),
        func.count(_notices.c.told_at),
        func.count(_notices.c.consent_id),
        *(func.count().filter(_notices.c.outcome == outcome) for outcome in PriceOutcome),
    ).where(_notices.c.price_move_id == move_id)
    row = db.session.execute(counted).one()
    return dict(
        zip(("all", "told", "agreed", *(outcome.value for outcome in PriceOutcome)), row, strict=True)
    )


def _enlist(session: Session, move: PriceMove, now: datetime) -> None:
    affected = _affected(move.plan_id, move.amount).subquery()
    due_at = literal(now, _notices.c.look_at.type)
    rows = select(literal(move.id), affected.c.id, affected.c.user_id, affected.c.amount, due_at)
    columns = ["price_move_id", "subscription_id", "user_id", "old_amount", "look_at"]
    session.execute(insert(_notices).from_select(columns, rows))


def _affected(plan_id: int, amount: Decimal) -> Any:
    """Subscriptions that renew this plan for another sum."""
    return (
        select(Subscription.id, Subscription.user_id, Consent.amount)
        .join(Consent, Consent.id == Subscription.consent_id)
        .where(
            Subscription.status.in_(LIVE),
            Subscription.auto_renew,
            Consent.plan_id == plan_id,
            Consent.withdrawn_at.is_(None),
            Consent.amount != amount,
        )
    )

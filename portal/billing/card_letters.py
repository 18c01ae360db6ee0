"""Subscribers of one gateway asked by letter for a card at the other: looked at before, a batch at a time.

A letter asks, and changes nothing: renewals go on where they are until a card is saved. It is written to
whoever renews elsewhere, has no method at the new gateway and an account that is open; to each once, unless
the owner asks again after some days. What is no longer true when a letter could leave is not sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from portal.billing import audit, giving_back, leading, notices, subscriptions
from portal.billing.audit import Actor, Subject
from portal.database import db, exclusive, transaction
from portal.errors import InvalidRequest
from portal.models import CardRequest, Channel, GatewayName, Notification, PaymentMethod, Subscription, User
from portal.models.subscription import LIVE

_requests: Any = CardRequest.__table__
_outbox: Any = Notification.__table__

KIND = "card_elsewhere"
#: So many letters leave by one press at most; a first batch is best a small one.
MOST = 1000
#: Nobody is asked again before that; ten years are as good as never.
LEAST_DAYS, MOST_DAYS = 7, 3650


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the shop has come: whom a letter was written to, who of them moved, who is left."""

    asked: int
    moved: int
    #: All who renew elsewhere, asked or not.
    remaining: int
    #: Letters that have not left yet.
    waiting: int


def progress(target: GatewayName) -> Progress:
    """The numbers of the move to *target*."""
    asked = select(func.count()).select_from(CardRequest).where(CardRequest.gateway == target)
    theirs = Subscription.user_id == CardRequest.user_id
    there = exists(_live_at(PaymentMethod.gateway == target).where(theirs))
    waiting = select(func.count()).where(
        Notification.kind == KIND, Notification.channel == Channel.EMAIL, Notification.sent_at.is_(None)
    )
    elsewhere = sum(count for name, count in leading.renewing_at().items() if name is not target)
    return Progress(
        db.session.scalar(asked) or 0,
        db.session.scalar(asked.where(there)) or 0,
        elsewhere,
        db.session.scalar(waiting) or 0,
    )


def would_reach(target: GatewayName, again_after: int | None, now: datetime) -> int:
    """How many could be written to now."""
    found = _to_ask(target, again_after, now).subquery()
    return db.session.scalar(select(func.count()).select_from(found)) or 0


def an_example(target: GatewayName, now: datetime) -> dict[str, Any] | None:
    """What the letter to the first of them would say; ``None`` where there is nobody."""
    row = db.session.execute(_to_ask(target, 0, now).limit(1)).first()
    return _facts(db.session(), row, target) if row is not None else None


def ask(
    target: GatewayName,
    most: int,
    again_after: int | None,
    actor: Actor,
    reason: str,
    form_key: str,
    now: datetime,
) -> int:
    """Write to the next *most* of them; gives how many. The same form writes once.

    Raises NoReason, and InvalidRequest where the shop leads elsewhere by now or a number is out of bounds.
    """
    why, key = giving_back.demand_reason(reason), giving_back.demand_key(form_key)
    if not 1 <= most <= MOST:
        raise InvalidRequest(f"За один раз можно написать от 1 до {MOST}.")
    if again_after is not None and again_after < LEAST_DAYS:
        raise InvalidRequest(f"Писать снова можно не раньше чем через {LEAST_DAYS} дней.")
    if again_after is not None and again_after > MOST_DAYS:
        raise InvalidRequest(f"Дней может быть не больше {MOST_DAYS}.")
    if leading.target() is not target:
        raise InvalidRequest("Магазин больше не ведёт подписчиков в этот шлюз.")
    with transaction() as session:
        exclusive(session, f"card letters to {target.value}")
        done = select(_requests.c.id).where(_requests.c.form_key == key, _requests.c.gateway == target)
        if session.execute(done.limit(1)).first() is not None:
            return 0
        rows = session.execute(_to_ask(target, again_after, now).limit(most)).all()
        for row in rows:
            _write(session, row, target, key, now)
        after = {"gateway": target, "letters": len(rows), "again_after_days": again_after}
        audit.note(actor, "ask-for-cards", Subject("gateway", target.value), now, after=after, reason=why)
    return len(rows)


def is_still_asked(letter: Notification) -> bool:
    """Whether the customer is still asked for what a letter asks for."""
    target = leading.asked_to(letter.user_id)
    if target is None or target.value != letter.facts["lead_to"]:
        return False
    is_open = select(User.id).where(User.id == letter.user_id, User.disabled_at.is_(None))
    has_card = db.session.scalar(_saved_at(target, letter.user_id)) is not None
    return not has_card and db.session.scalar(is_open) is not None


def _to_ask(target: GatewayName, again_after: int | None, now: datetime) -> Any:
    """Who may be written to, those who pay next first."""
    never = CardRequest.id.is_(None)
    since = now - timedelta(days=again_after or 0)
    asked_long_ago = CardRequest.asked_at <= since
    mine = (CardRequest.user_id == Subscription.user_id) & (CardRequest.gateway == target)
    return (
        _live_at(PaymentMethod.gateway != target)
        .with_only_columns(
            Subscription.id,
            Subscription.user_id,
            Subscription.current_period_end,
            PaymentMethod.title,
            func.coalesce(CardRequest.times, 0).label("times"),
        )
        .join(User, User.id == Subscription.user_id)
        .outerjoin(CardRequest, mine)
        .where(
            User.disabled_at.is_(None),
            ~exists(_saved_at(target, Subscription.user_id)),
            never if again_after is None else or_(never, asked_long_ago),
        )
        .order_by(Subscription.current_period_end, Subscription.id)
    )


def _live_at(where: Any) -> Any:
    """Subscriptions that renew by a method of some gateway."""
    return (
        select(Subscription.id)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(Subscription.status.in_(LIVE), Subscription.auto_renew, where)
    )


def _saved_at(target: GatewayName, user_id: Any) -> Any:
    saved = aliased(PaymentMethod)
    return select(saved.id).where(
        saved.user_id == user_id,
        saved.gateway == target,
        saved.detached_at.is_(None),
        saved.stopped_at.is_(None),
    )


def _write(session: Session, row: Row[Any], target: GatewayName, form_key: str, now: datetime) -> None:
    """Note that one was asked, and lay the letter into the outbox."""
    times = row.times + 1
    asked = {"times": times, "asked_at": now, "form_key": form_key}
    noted = insert(_requests).values(user_id=row.user_id, gateway=target, **asked)
    session.execute(noted.on_conflict_do_update(constraint="uq_card_requests_user_id_gateway", set_=asked))
    key = f"{KIND}:{target.value}:{row.user_id}:{times}"
    notices.post(session, row.user_id, KIND, key, _facts(session, row, target), now)


def _facts(session: Session, row: Row[Any], target: GatewayName) -> dict[str, Any]:
    return {
        "lead_to": target.value,
        "plan_title": subscriptions.last_period(session, row.id).plan_title,
        "method": row.title,
        "ends_at": row.current_period_end.isoformat(),
        "renewal_link": row.id,
    }

"""One subscriber of a price move: told, asked where the price rises, and moved when the day has come.

Nobody is charged a sum that they did not agree to: a lower one is within what was agreed, a higher one needs
an agreement of its own, and without it renewal ends. What was announced is charged as it was announced.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import written
from portal.billing import agenda, choosing, consents, locks, notices, retries, tending
from portal.billing.consents import Agreement, ClientInfo
from portal.billing.stopping import Because, stop_charging, withdraw
from portal.database import db, transaction
from portal.errors import NotFound
from portal.models import Consent, PriceMove, PriceNotice, PriceOutcome, Subscription, User
from portal.models.subscription import LIVE
from portal.money import to_wire
from portal.wording import say, speaking

#: A cycle that was announced, or is being charged, is let come to its end.
AGAIN = timedelta(hours=6)


def due(now: datetime, limit: int = 200) -> list[int]:
    """Subscribers for whom there is something to do."""
    waiting = select(PriceNotice.id).where(PriceNotice.look_at <= now).order_by(PriceNotice.look_at)
    return list(db.session.scalars(waiting.limit(limit)))


def carry_on(notice_id: int, now: datetime) -> bool:
    """Do the next thing for one subscriber. Safe to repeat; tells whether anything was done."""
    owner = db.session.scalar(select(PriceNotice.user_id).where(PriceNotice.id == notice_id))
    if owner is None:
        return False
    with transaction() as session:
        locks.lock_customer(session, owner)
        notice = session.get_one(PriceNotice, notice_id, with_for_update=True, populate_existing=True)
        if notice.look_at is None or notice.look_at > now:
            return False
        move = session.get_one(PriceMove, notice.price_move_id, populate_existing=True)
        live = session.get_one(
            Subscription, notice.subscription_id, with_for_update=True, populate_existing=True
        )
        _next(session, notice, move, live, now)
        session.flush()
        _end_of(session, move, now)
    return True


@dataclass(frozen=True, slots=True)
class Ahead:
    """Another price that a subscriber was told of and that has not come yet."""

    amount: Decimal
    instead_of: Decimal
    since: datetime
    #: It is charged from then on; otherwise renewal ends then, unless the customer agrees before.
    is_agreed: bool
    #: The next charge is at the old sum: it comes before, or is announced or being made by then.
    is_after_next: bool


def ahead(session: Session, live: Subscription, consent: Consent) -> Ahead | None:
    """The price that this subscription, charged by *consent*, is being led to."""
    found = session.execute(
        select(PriceNotice, PriceMove)
        .join(PriceMove, PriceMove.id == PriceNotice.price_move_id)
        .where(
            PriceNotice.subscription_id == live.id,
            PriceNotice.told_at.is_not(None),
            PriceNotice.look_at.is_not(None),
            PriceMove.called_off_at.is_(None),
            PriceMove.plan_id == consent.plan_id,
            PriceMove.amount != consent.amount,
        )
        .order_by(PriceNotice.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        return None
    notice, move = found
    agreed = notice.consent_id is not None or move.amount < consent.amount
    decided = live.charge_due_at and live.charge_due_at - _told_before(move, consent)
    later = decided is not None and _led_at(notice, move) > decided
    return Ahead(
        amount=move.amount,
        instead_of=consent.amount,
        since=move.moves_at,
        is_agreed=agreed,
        is_after_next=later or _is_under_way(session, live, consent, move),
    )


def waiting_for(user_id: int) -> tuple[PriceNotice, PriceMove, Agreement] | None:
    """The higher price that this customer is asked about, with the words to agree to."""
    found = db.session.execute(
        select(PriceNotice, PriceMove, Subscription, Consent)
        .join(PriceMove, PriceMove.id == PriceNotice.price_move_id)
        .join(Subscription, Subscription.id == PriceNotice.subscription_id)
        .join(Consent, Consent.id == Subscription.consent_id)
        .where(
            PriceNotice.user_id == user_id,
            PriceNotice.told_at.is_not(None),
            PriceNotice.look_at.is_not(None),
            PriceNotice.consent_id.is_(None),
            PriceMove.called_off_at.is_(None),
            PriceMove.amount > Consent.amount,
            Consent.plan_id == PriceMove.plan_id,
            Subscription.auto_renew,
        )
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        return None
    notice, move, live, consent = found
    first = _first_charge(db.session(), notice, move, live, consent)
    return notice, move, consents.agreement(consents.plan_agreed_to(consent), move.amount, first)


def _led_at(notice: PriceNotice, move: PriceMove) -> datetime:
    """When a subscriber that was told is led to the other price: not before it was told for long enough."""
    return notice.look_at or move.moves_at


def _told_before(move: PriceMove, consent: Consent) -> timedelta:
    """A higher price that comes after the letter about a charge finds the old sum announced."""
    return max(agenda.WORDS_BEFORE) if move.amount > consent.amount else timedelta()


def _first_charge(
    session: Session, notice: PriceNotice, move: PriceMove, live: Subscription, consent: Consent
) -> datetime:
    """The first charge at the other price, should nothing else change until then."""
    first, cycle = live.charge_due_at or live.current_period_end, timedelta(days=consent.period_days)
    if _is_under_way(session, live, consent, move):
        first += cycle
    while _led_at(notice, move) > first - _told_before(move, consent):
        first += cycle
    return first


def agree(user_id: int, client: ClientInfo, now: datetime) -> None:
    """Keep the customer's agreement to the higher price; it is charged from the move on.

    Raises NotFound where nobody asks.
    """
    with transaction() as session:
        locks.lock_customer(session, user_id)
        asked = waiting_for(user_id)
        if asked is None:
            raise NotFound
        notice, _, agreement = asked
        given = consents.record(session, user_id, None, agreement, client, now)
        session.flush()
        notice.consent_id = given.id


def sum_after(session: Session, subscription_id: int) -> Any:
    """The price for which renewal ended unagreed: switched on again, it is on that one; ``None``: none."""
    ended = (
        select(PriceMove.amount)
        .join(PriceNotice, PriceNotice.price_move_id == PriceMove.id)
        .where(PriceNotice.subscription_id == subscription_id, PriceNotice.outcome == PriceOutcome.STOPPED)
    )
    return session.scalar(ended.order_by(PriceNotice.id.desc()).limit(1))


def _next(session: Session, notice: PriceNotice, move: PriceMove, live: Subscription, now: datetime) -> None:
    consent = session.get(Consent, live.consent_id or 0, populate_existing=True)
    if move.called_off_at is not None:
        if notice.told_at is not None:
            _say(session, notice, move, "price_stays", consent, now)
        _finish(session, notice, PriceOutcome.CALLED_OFF, now)
    elif not _is_to_move(live, consent, move) or consent is None:
        _finish(session, notice, PriceOutcome.LEFT, now)
    elif notice.told_at is None:
        _say(session, notice, move, "price_changes", consent, now)
        notice.told_at = now
        notice.look_at = max(move.moves_at, now + max(agenda.WORDS_BEFORE))
    elif _is_under_way(session, live, consent, move):
        notice.look_at = now + AGAIN
    else:
        _move(session, notice, move, live, consent, now)


def _is_to_move(live: Subscription, consent: Consent | None, move: PriceMove) -> bool:
    if live.status not in LIVE or not live.auto_renew or consent is None:
        return False
    return consent.plan_id == move.plan_id and consent.amount != move.amount


def _is_under_way(session: Session, live: Subscription, consent: Consent, move: PriceMove) -> bool:
    if choosing.is_being_charged(session, live) or not retries.is_first_try(session, live):
        return True
    told = tending.waiting_announcement(session, live) or tending.announced_at(session, live)
    return move.amount > consent.amount and told is not None


def _move(
    session: Session, notice: PriceNotice, move: PriceMove, live: Subscription, old: Consent, now: datetime
) -> None:
    if move.amount < old.amount:
        live.consent_id = _lowered(session, move, old, now).id
    elif notice.consent_id is not None:
        live.consent_id = notice.consent_id
    else:
        stop_charging(session, live.id, Because.PRICE, now)
        _say(session, notice, move, "price_stopped", old, now)
        _finish(session, notice, PriceOutcome.STOPPED, now)
        return
    withdraw(session, old.id, Because.REPLACED, now)
    notice.look_at, notice.outcome = None, PriceOutcome.MOVED


def _lowered(session: Session, move: PriceMove, old: Consent, now: datetime) -> Consent:
    """The same agreement for less: within what the customer agreed to, and told so in its words."""
    names = [column.key for column in Consent.__table__.columns if column.key not in {"id", "payment_id"}]
    kept = {name: getattr(old, name) for name in names}
    with speaking(session.get_one(User, old.user_id).language):
        words = say(
            "Магазин снизил цену до %(sum)s. По согласию от %(day)s: %(text)s",
            sum=written.money(move.amount, move.currency),
            day=written.day(old.given_at),
            text=old.text,
        )
    lowered = Consent(**{**kept, "amount": move.amount, "given_at": now, "text": words})
    lowered.text_version = f"{old.text_version}-less"[:32]
    session.add(lowered)
    session.flush()
    return lowered


def _finish(session: Session, notice: PriceNotice, outcome: PriceOutcome, now: datetime) -> None:
    """It is over for this subscriber; an agreement that waited for the move is not in force any more."""
    notice.look_at, notice.outcome = None, outcome
    withdraw(session, notice.consent_id, Because.PRICE, now)


def _end_of(session: Session, move: PriceMove, now: datetime) -> None:
    left = select(PriceNotice.id).where(
        PriceNotice.price_move_id == move.id, PriceNotice.look_at.is_not(None)
    )
    if move.ended_at is None and session.scalar(left.limit(1)) is None:
        move.ended_at = now


def _say(
    session: Session, notice: PriceNotice, move: PriceMove, kind: str, consent: Consent | None, now: datetime
) -> None:
    facts = {
        "plan_title": consent.plan_title if consent else "",
        "old_amount": to_wire(notice.old_amount),
        "amount": to_wire(move.amount),
        "currency": move.currency,
        "moves_at": move.moves_at.isoformat(),
        "raised": move.amount > notice.old_amount,
        "renewal_link": notice.subscription_id,
    }
    notices.announce(session, notice.user_id, kind, f"{kind}:{notice.id}", facts, now)

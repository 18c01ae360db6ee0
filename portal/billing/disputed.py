"""What an operator does about a chargeback: writes down what a letter says, and that the money came back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select, update

from portal import running
from portal.billing import audit, chargebacks, deciding, giving_back, locks
from portal.billing.audit import Actor, Subject
from portal.database import transaction
from portal.errors import InvalidRequest, NotAllowed, NotFound
from portal.models import Case, CaseChoice, CaseKind, PaymentStatus, Refund, User
from portal.money import to_people, to_wire

_refunds: Any = Refund.__table__

#: What may be done with the plan at once; anything else waits in the case.
AT_ONCE = {"stop": CaseChoice.STOP, "end": CaseChoice.END_PLAN}


@dataclass(frozen=True, slots=True)
class Letter:
    """What the gateway's letter says, as it was typed."""

    amount: str
    day: str
    number: str
    #: ``leave``, or one of ``AT_ONCE``.
    plan: str = "leave"


def report(
    payment_id: int, letter: Letter, operator: User, actor: Actor, reason: str, form_key: str, now: datetime
) -> int:
    """Book the money as gone, open its case, and do with the plan what was chosen; gives the case's number.

    The same form does it once. Raises NotFound, NoReason, NotAllowed and InvalidRequest with a sentence.
    """
    why, key = giving_back.demand_reason(reason), giving_back.demand_key(form_key)
    choice = AT_ONCE.get(letter.plan)
    if choice is not None and not operator.may(deciding.LEAST[choice]):
        raise NotAllowed("Закончить тариф может владелец. Запишите чарджбэк, и владелец решит в случае.")
    with transaction() as session:
        payment = locks.locked(session, payment_id=payment_id)
        if payment is None or payment.status is not PaymentStatus.SUCCEEDED:
            raise NotFound
        name = f"{payment.gateway.value}:{CaseKind.CHARGEBACK.value}:{key}"
        known = session.execute(select(Case.id).where(Case.dedupe_key == name)).scalar()
        if known is not None:
            return int(known)
        amount, at = _amount(letter.amount, payment), _moment(letter.day, payment, now)
        facts = {"dispute": letter.number.strip()[:64], "note": why}
        case_id = chargebacks.write_down(session, payment, amount, at, facts, name, now)
        after = {"case": case_id, "amount": to_wire(amount), "day": letter.day, "dispute": facts["dispute"]}
        audit.note(actor, "chargeback", Subject("payment", payment.id), now, after=after, reason=why)
        case = session.get_one(Case, case_id)
        makes_sense = choice in deciding.offered(session, case, now)
    if choice is not None and makes_sense:
        deciding.decide(case_id, choice, operator, actor, why, key, now)
    return case_id


def won(payment_id: int, actor: Actor, reason: str, form_key: str, now: datetime) -> Decimal:
    """The bank gave the money back to the shop, or it had never taken it: the latest booking counts no more.

    Gives its sum. The same form undoes one. Raises NotFound, NoReason, and InvalidRequest where nothing is
    booked.
    """
    why, key = giving_back.demand_reason(reason), giving_back.demand_key(form_key)
    with transaction() as session:
        payment = locks.locked(session, payment_id=payment_id)
        if payment is None:
            raise NotFound
        undone = select(_refunds.c.amount).where(_refunds.c.form_key == key)
        if (before := session.execute(undone).scalar()) is not None:
            return Decimal(before)
        taken = chargebacks.standing(session, payment_id)
        if not taken:
            raise InvalidRequest("По этому платежу банк ничего не отзывал.")
        booking = taken[-1]
        chargebacks.undo(session, payment, booking, now)
        session.execute(update(_refunds).where(_refunds.c.id == booking.id).values(form_key=key))
        after = {"refund": booking.id, "amount": to_wire(booking.amount)}
        audit.note(actor, "chargeback-won", Subject("payment", payment_id), now, after=after, reason=why)
        return Decimal(booking.amount)


def _amount(text: str, payment: Row[Any]) -> Decimal:
    amount = giving_back.typed_amount(text)
    if not 0 < amount <= payment.amount:
        most = to_people(payment.amount, payment.currency)
        raise InvalidRequest(f"Банк мог забрать от 1 копейки до {most}: больше этот платёж не принёс.")
    return amount


def _moment(text: str, payment: Row[Any], now: datetime) -> datetime:
    """When the money left: the day of the letter on the shop's clock, not before it was paid."""
    zone = ZoneInfo(running.config().tz_display)
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidRequest("Выберите день, когда деньги списали со счёта магазина.") from None
    paid: datetime = payment.paid_at
    if not paid.astimezone(zone).date() <= day <= now.astimezone(zone).date():
        raise InvalidRequest("Деньги ушли не раньше дня оплаты и не позже сегодняшнего.")
    return max(datetime.combine(day, time(), zone), paid)

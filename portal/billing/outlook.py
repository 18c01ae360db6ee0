"""What comes next of a renewal, in one look: for the dashboard and for the pages around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sqlalchemy.orm import Session

from portal.billing import agenda, agreements, choosing, overdue, price_notices, settings
from portal.billing.overdue import Overdue
from portal.billing.price_notices import Ahead
from portal.billing.subscriptions import Standing
from portal.database import db
from portal.errors import InvalidRequest
from portal.models import Consent, PaymentMethod, Subscription


class State(StrEnum):
    """Where a renewal stands."""

    #: Nothing will be charged; what is paid runs to its end.
    OFF = "off"
    #: The day of the charge is known.
    COMING = "coming"
    #: The price rises before the day of the charge, and the customer has not agreed: renewal will end.
    ASKED = "asked"
    #: The shop has switched charging off for everybody.
    PAUSED = "paused"
    #: The customer could not be told in time, so nothing is charged.
    HELD = "held"
    #: The method is being charged.
    TRYING = "trying"
    #: A charge was refused.
    OVERDUE = "overdue"
    #: Renewal is on, and what it would charge cannot be charged any more.
    NO_METHOD = "no_method"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What will happen next and when, and what the customer can do."""

    state: State
    plan_title: str
    amount: Decimal | None  # of the next charge, by the agreement in force
    currency: str
    method: PaymentMethod | None
    charge_at: datetime | None
    runs_out_before: bool  # the card will be no longer valid on that day
    tries_at: tuple[datetime, ...]  # when it would be tried again, should that charge be refused
    access_until: datetime  # until when the plan works, should all of them be refused
    ends_at: datetime  # of what is paid
    overdue: Overdue | None
    may_resume: bool  # renewal is off and could be switched on by one click
    asked: Ahead | None  # the higher price that the customer has not answered about


def of(standing: Standing, now: datetime) -> Outlook | None:
    """The outlook of who stands so at *now*; ``None`` where there is nothing to renew."""
    live = standing.subscription
    if live is None:
        return None
    session = db.session()
    consent = session.get(Consent, live.consent_id or 0) if live.auto_renew else None
    found = overdue.of_live(live, now)
    last = live.grace_until or live.current_period_end
    state = _state(session, live, standing.method, found)
    ahead = price_notices.ahead(session, live, consent) if consent and state is State.COMING else None
    if ahead and not ahead.is_agreed and not ahead.is_after_next:
        state = State.ASKED
    charge_at = live.charge_due_at if state is not State.ASKED else None
    return Outlook(
        state=state,
        plan_title=consent.plan_title if consent else standing.current.plan_title if standing.current else "",
        amount=_sum(consent, ahead, state),
        currency=consent.currency if consent else "RUB",
        method=standing.method,
        charge_at=charge_at,
        runs_out_before=_runs_out_before(standing.method, charge_at),
        tries_at=_tries(charge_at, last),
        access_until=last,
        ends_at=live.current_period_end,
        overdue=found,
        may_resume=not live.auto_renew and _may_resume(live.user_id, now),
        asked=ahead if ahead and not ahead.is_agreed else None,
    )


def _sum(consent: Consent | None, ahead: Ahead | None, state: State) -> Decimal | None:
    """What the next charge will be: by the agreement in force then."""
    if consent is None or state is State.ASKED:
        return None
    return ahead.amount if ahead and ahead.is_agreed and not ahead.is_after_next else consent.amount


def _state(
    session: Session,
    live: Subscription,
    method: PaymentMethod | None,
    found: Overdue | None,
) -> State:
    if not live.auto_renew or method is None:
        return State.OFF
    if found is not None:
        return State.TRYING if found.trying else State.OVERDUE
    if choosing.is_being_charged(session, live):
        return State.TRYING
    if method.stopped_at is not None:
        return State.NO_METHOD  # a card that is merely past its month is charged: its bank decides
    if not settings.current().auto_renewal_enabled:
        return State.PAUSED
    if live.held_since is not None:
        return State.HELD
    return State.COMING if live.charge_due_at is not None else State.NO_METHOD


def _runs_out_before(method: PaymentMethod | None, charge_at: datetime | None) -> bool:
    runs_out = agenda.card_runs_out(method) if method is not None else None
    return runs_out is not None and charge_at is not None and runs_out <= charge_at


def _tries(charge_at: datetime | None, last: datetime) -> tuple[datetime, ...]:
    """The later tries of the shop's schedule, as far as access lasts."""
    if charge_at is None:
        return ()
    days = settings.current().retry_days()[1:]
    planned = (charge_at + timedelta(days=day) for day in days)
    return tuple(moment for moment in planned if moment <= last)


def _may_resume(user_id: int, now: datetime) -> bool:
    try:
        agreements.offer(user_id, now)
    except InvalidRequest:
        return False
    return True

"""A person decides a case: what may be chosen, and what each choice does.

Whoever is first decides: the case is taken by a conditional update in the transaction of what follows from
it. What only asks or repeats leaves the case open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.billing import accepting, audit, case_verbs, giving_back, locks
from portal.billing.audit import Actor, Subject
from portal.billing.case_verbs import Decision
from portal.database import changed, db, transaction
from portal.errors import InvalidRequest, NotAllowed, NotFound, PortalError
from portal.models import Case, CaseChoice, CaseKind, Payment, Role, Subscription, User

_cases: Any = Case.__table__

_G, _A, _C = CaseChoice.GIVE_BACK, CaseChoice.ACCEPT, CaseChoice.CLOSE

#: What may come into question, by what does not fit; ``offered`` says what of it does now.
CHOICES: Mapping[CaseKind, tuple[CaseChoice, ...]] = {
    CaseKind.UNKNOWN_PAYMENT: (_G, _C),
    CaseKind.AMOUNT_MISMATCH: (_G, _A, _C),
    CaseKind.CURRENCY_MISMATCH: (_G, _C),
    CaseKind.ACCOUNT_MISMATCH: (_G, _C),
    # Another shop's money is not ours to return, and play money is no money.
    CaseKind.SHOP_MISMATCH: (_C,),
    CaseKind.TEST_MODE_MISMATCH: (_C,),
    CaseKind.GATEWAY_MISMATCH: (_G, _C),
    CaseKind.SECOND_CAPTURE: (_G, _C),
    CaseKind.UNKNOWN_REFUND: (_C,),
    CaseKind.REFUND_ABOVE_CAPTURE: (_C,),
    CaseKind.UNKNOWN_TOO_OLD: (CaseChoice.DECLARE_FAILED, _C),
    CaseKind.UNREADABLE: (_C,),
    CaseKind.REFUND_FAILED: (CaseChoice.TRY_AGAIN, CaseChoice.BY_HAND, _C),
    CaseKind.RENEWAL_REFUSED: (CaseChoice.TRY_AGAIN, CaseChoice.STOP, _C),
    CaseKind.NOTICE_UNSENT: (CaseChoice.RELEASE, CaseChoice.STOP, _C),
    CaseKind.CHARGEBACK: (CaseChoice.END_PLAN, CaseChoice.STOP, CaseChoice.WON, _C),
    CaseKind.DRIFT: (_C,),
}

#: From which role on.
LEAST: Mapping[CaseChoice, Role] = {
    CaseChoice.GIVE_BACK: Role.SUPPORT,
    CaseChoice.ACCEPT: Role.OWNER,
    CaseChoice.DECLARE_FAILED: Role.OWNER,
    CaseChoice.TRY_AGAIN: Role.SUPPORT,
    CaseChoice.BY_HAND: Role.OWNER,
    CaseChoice.STOP: Role.SUPPORT,
    CaseChoice.RELEASE: Role.OWNER,
    CaseChoice.END_PLAN: Role.OWNER,
    CaseChoice.WON: Role.OWNER,
    CaseChoice.CLOSE: Role.SUPPORT,
}

_VERBS: Mapping[CaseChoice, Callable[[Session, Case, Decision], Mapping[str, Any]]] = {
    CaseChoice.GIVE_BACK: case_verbs.give_back,
    CaseChoice.ACCEPT: accepting.accept,
    CaseChoice.DECLARE_FAILED: case_verbs.declare_failed,
    CaseChoice.TRY_AGAIN: case_verbs.try_again,
    CaseChoice.BY_HAND: case_verbs.nothing,
    CaseChoice.STOP: case_verbs.stop,
    CaseChoice.RELEASE: case_verbs.release,
    CaseChoice.END_PLAN: case_verbs.end_plan,
    CaseChoice.WON: case_verbs.won,
    CaseChoice.CLOSE: case_verbs.nothing,
}


class CaseClosed(PortalError):
    """Somebody, or the case itself, was quicker."""

    code = "CASE_CLOSED"
    status = 409
    message = "Этот случай уже решён. Откройте его заново, чтобы увидеть, кем и как."


class NotOffered(InvalidRequest):
    """What was chosen makes no sense any more."""

    code = "CHOICE_NOT_OFFERED"
    message = "Так этот случай решить уже нельзя: с тех пор что-то изменилось. Откройте его заново."


@dataclass(frozen=True, slots=True)
class Look:
    """A case as it stands, and what may be decided."""

    case: Case
    choices: tuple[CaseChoice, ...]
    payment: Payment | None
    subscription: Subscription | None
    #: What of its money may still be given back, where it is no order's.
    left: Decimal


def look(case_id: int, now: datetime) -> Look:
    """A case for its page. Raises NotFound."""
    session = db.session()
    case = session.get(Case, case_id, populate_existing=True)
    if case is None:
        raise NotFound
    payment = session.get(Payment, case.payment_id or 0, populate_existing=True)
    subscription = session.get(Subscription, case_verbs.subscription_id_of(case, payment) or 0)
    choices = offered(session, case, now) if case.resolved_at is None else ()
    return Look(case, choices, payment, subscription, giving_back.stray_left(session, case))


def offered(session: Session, case: Case, now: datetime) -> tuple[CaseChoice, ...]:
    """The choices that make sense as things stand now."""
    return tuple(one for one in CHOICES[case.kind] if case_verbs.makes_sense(session, case, one, now))


def decide(
    case_id: int,
    choice: CaseChoice,
    operator: User,
    actor: Actor,
    reason: str,
    form_key: str,
    now: datetime,
) -> Mapping[str, Any]:
    """Decide an open case, do what the choice says, and keep who, when and why; gives what came of it.

    Raises NotFound, CaseClosed, NotOffered, NotAllowed, NoReason, and what the choice itself raises; then
    nothing was done.
    """
    why, key = giving_back.demand_reason(reason), giving_back.demand_key(form_key)
    if choice not in LEAST or not operator.may(LEAST[choice]):
        raise NotAllowed
    told = accepting.ask(case_id) if choice is CaseChoice.ACCEPT else None
    with transaction() as session:
        case = _locked(session, case_id)
        if choice not in offered(session, case, now):
            raise NotOffered
        taken = (
            update(_cases)
            .where(_cases.c.id == case_id, _cases.c.resolved_at.is_(None))
            .values(resolved_at=now, resolution=choice, resolved_by=operator.id, resolution_note=why)
        )
        if not changed(session.execute(taken)):
            raise CaseClosed
        done = _VERBS[choice](session, case, Decision(operator, actor, why, key, now, told))
        subject, after = Subject("case", case.id), {"choice": choice, **done}
        audit.note(actor, "decide", subject, now, before={"kind": case.kind}, after=after, reason=why)
    return done


def _locked(session: Session, case_id: int) -> Case:
    """The case, its customer's lock taken first. Raises NotFound and CaseClosed."""
    case = session.get(Case, case_id, populate_existing=True)
    if case is None:
        raise NotFound
    payment = session.get(Payment, case.payment_id or 0)
    subscription_id = case_verbs.subscription_id_of(case, payment)
    owner = payment.user_id if payment else None
    if owner is None and subscription_id is not None:
        owner = session.scalar(select(Subscription.user_id).where(Subscription.id == subscription_id))
    if owner is not None:
        locks.lock_customer(session, owner)
    case = session.get_one(Case, case_id, with_for_update=True, populate_existing=True)
    if case.resolved_at is not None:
        raise CaseClosed
    return case

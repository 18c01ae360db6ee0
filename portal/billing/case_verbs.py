"""What each decision about a case does, in the transaction that closes it, under the customer's lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session

from portal import jobs
from portal.billing import (
    chargebacks,
    choosing,
    giving_back,
    locks,
    notices,
    on_behalf,
    refund_outcomes,
    refunds,
    renewals,
    retries,
    settlement,
    stray_money,
    subscriptions,
)
from portal.billing.audit import Actor
from portal.errors import NotFound
from portal.gateways.base import Outcome, PaymentSnapshot
from portal.models import (
    Case,
    CaseChoice,
    CaseKind,
    Payment,
    PaymentPurpose,
    PaymentStatus,
    PurchasedPlan,
    Refund,
    RefundStatus,
    Subscription,
    User,
)
from portal.models.payment import OPEN
from portal.models.refund import UNDER_WAY
from portal.money import to_wire

_refunds: Any = Refund.__table__

#: Our code for what nobody could tell and an operator closed.
DECLARED_FAILED = "declared_failed"


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides, why and when; *told* is what the gateway said just before."""

    operator: User
    actor: Actor
    reason: str
    form_key: str
    now: datetime
    told: PaymentSnapshot | None = None


def makes_sense(session: Session, case: Case, choice: CaseChoice, now: datetime) -> bool:
    """Whether a choice could do what it says as things stand now."""
    if case.kind is CaseKind.REFUND_FAILED and choice is not CaseChoice.CLOSE:
        refund = refund_of(session, case)
        by_hand = choice is CaseChoice.BY_HAND
        fits = refund is not None and _room(session, refund) >= refund.amount
        return fits and (case.payment_id is not None or not by_hand)
    sense = _SENSE.get(choice)
    return sense is None or sense(session, case, now)


def _may_go_back(session: Session, case: Case, _now: datetime) -> bool:
    taken = case.facts.get("outcome") == Outcome.SUCCEEDED.value
    return taken and bool(case.gateway_payment_id) and giving_back.stray_left(session, case) > 0


def _may_be_accepted(session: Session, case: Case, now: datetime) -> bool:
    payment = session.get(Payment, case.payment_id or 0, populate_existing=True)
    unpaid = payment is not None and payment.status is not PaymentStatus.SUCCEEDED
    whole = _may_go_back(session, case, now) and giving_back.stray_left(session, case) == case.amount
    return unpaid and whole


def _is_held(session: Session, case: Case, now: datetime) -> bool:
    return _renews(session, case, now) and _subscription(session, case).held_since is not None


def _counts(session: Session, case: Case, now: datetime) -> bool:
    counts = PurchasedPlan.revoked_at.is_(None) & (PurchasedPlan.ends_at > now)
    return bool(session.scalar(select(exists().where(PurchasedPlan.payment_id == case.payment_id, counts))))


def refund_of(session: Session, case: Case) -> Row[Any] | None:
    """The refund that a case is about, by the number at the end of its key."""
    about_refund = case.kind is CaseKind.REFUND_FAILED or ":refund:" in case.dedupe_key
    if not about_refund:
        return None
    number = int(case.dedupe_key.rpartition(":")[2])
    return session.execute(select(_refunds).where(_refunds.c.id == number)).one_or_none()


def subscription_id_of(case: Case, payment: Payment | None) -> int | None:
    """The subscription that a case is about, if any."""
    told = case.facts.get("subscription")
    return int(told) if told is not None else payment.subscription_id if payment else None


def give_back(session: Session, case: Case, decision: Decision) -> Mapping[str, Any]:
    """Send the case's money back where it came from."""
    by, key, now = decision.operator, decision.form_key, decision.now
    refund_id = giving_back.give_back_stray(session, case, by, decision.reason, key, now)
    return {"refund": refund_id}


def declare_failed(session: Session, case: Case, decision: Decision) -> Mapping[str, Any]:
    """Close a payment or a refund of which nobody could tell what became of it."""
    now, refund = decision.now, refund_of(session, case)
    if refund is None:
        payment = _payment(session, case)
        settlement.close(session, payment, DECLARED_FAILED, now)
        return {"transaction_id": payment.transaction_id}
    if refund.payment_id is None:
        stray_money.fail(session, refund.id, DECLARED_FAILED, now)
    else:
        payment = _payment(session, case)
        locked = select(_refunds).where(_refunds.c.id == refund.id).with_for_update()
        refund_outcomes.fail(session, payment, session.execute(locked).one(), DECLARED_FAILED, now)
    return {"refund": refund.id}


def try_again(session: Session, case: Case, decision: Decision) -> Mapping[str, Any]:
    """Order a failed refund anew, with a key of its own; or let a refused renewal be charged at once."""
    if case.kind is CaseKind.RENEWAL_REFUSED:
        live = _subscription(session, case)
        renewals.try_now(live, decision.now)
        return {"subscription": live.id}
    refund, by = refund_of(session, case), decision.operator
    assert refund is not None  # it makes sense only then
    if refund.payment_id is None:
        origin = session.get_one(Case, refund.case_id)
        return give_back(session, origin, decision)
    payment = _payment(session, case)
    giving_back.within_allowance(session, by, refund.amount, refund.currency, decision.now)
    ordered = refunds.order(
        session,
        payment,
        refund.amount,
        refund.source,
        refund.reason,
        decision.now,
        ordered_by=by.id,
        form_key=decision.form_key,
    )
    return {"refund": ordered, "amount": to_wire(refund.amount)}


def stop(session: Session, case: Case, decision: Decision) -> Mapping[str, Any]:
    """End automatic charging."""
    live = _subscription(session, case)
    on_behalf.stop_here(session, live.user_id, decision.actor, decision.reason, decision.now)
    return {"subscription": live.id}


def release(session: Session, case: Case, decision: Decision) -> Mapping[str, Any]:
    """Charge a renewal though its letter has not left: the operator told the customer otherwise."""
    live = _subscription(session, case)
    live.waived_for, live.held_since = live.current_period_end, None
    live.charge_look_at = decision.now
    jobs.enqueue(renewals.renew, live.id)
    return {"subscription": live.id}


def end_plan(session: Session, case: Case, decision: Decision) -> Mapping[str, Any]:
    """Let the period of a payment whose money the bank took back count no more, and charge nothing again."""
    payment, now = _payment(session, case), decision.now
    on_behalf.stop_here(session, payment.user_id, decision.actor, decision.reason, now, tell=False)
    session.flush()
    subscriptions.revoke(session, payment, now)
    facts = {"plan_titles": [payment.plan_title], "sums": [], "refunds": [], "bank_took_it": True}
    notices.announce(session, payment.user_id, "plan_canceled", f"plan_canceled:case:{case.id}", facts, now)
    return {"transaction_id": payment.transaction_id}


def won(session: Session, case: Case, decision: Decision) -> Mapping[str, Any]:
    """Let the money of a chargeback count as the shop's again."""
    payment, booking = _payment(session, case), chargebacks.booking_of(session, case)
    assert booking is not None  # it makes sense only then
    chargebacks.undo(session, payment, booking, decision.now)
    return {"refund": booking.id, "amount": to_wire(booking.amount)}


def nothing(_session: Session, _case: Case, _decision: Decision) -> Mapping[str, Any]:
    """Only what was decided is kept."""
    return {}


def _payment(session: Session, case: Case) -> Row[Any]:
    payment = locks.locked(session, payment_id=case.payment_id) if case.payment_id is not None else None
    if payment is None:
        raise NotFound
    return payment


def _subscription(session: Session, case: Case) -> Subscription:
    payment = session.get(Payment, case.payment_id or 0)
    return session.get_one(Subscription, subscription_id_of(case, payment), populate_existing=True)


def _renews(session: Session, case: Case, now: datetime) -> bool:
    """Whether the renewal that the case is about is still to come."""
    payment = session.get(Payment, case.payment_id or 0)
    number = subscription_id_of(case, payment)
    live = session.get(Subscription, number or 0, populate_existing=True)
    if live is None or not live.auto_renew or not subscriptions.is_usable(live, now):
        return False
    if case.kind is not CaseKind.RENEWAL_REFUSED:
        return True
    same = payment is not None and payment.period_start == live.current_period_end
    tries = retries.tries_left(session, live, live.payment_method_id or 0)
    return same and tries > 0 and not choosing.is_being_charged(session, live)


def is_undecided(session: Session, case: Case) -> bool:
    """Whether nobody knows yet what became of the payment or refund that a case is about."""
    refund = refund_of(session, case)
    if refund is not None:
        return refund.status in UNDER_WAY
    payment = session.get(Payment, case.payment_id or 0, populate_existing=True)
    if payment is None:
        return False
    charged = payment.purpose is PaymentPurpose.RENEWAL and payment.status in OPEN
    return charged or payment.status is PaymentStatus.UNKNOWN


def _room(session: Session, refund: Row[Any]) -> Any:
    """What may still go back of the money that a failed refund was of."""
    if refund.status is not RefundStatus.FAILED:
        return 0  # it went through after all
    if refund.payment_id is not None:
        return refunds.left(session, refund.payment_id)
    return giving_back.stray_left(session, session.get_one(Case, refund.case_id))


_SENSE: Mapping[CaseChoice, Callable[[Session, Case, datetime], bool]] = {
    CaseChoice.GIVE_BACK: _may_go_back,
    CaseChoice.ACCEPT: _may_be_accepted,
    CaseChoice.DECLARE_FAILED: lambda session, case, _: is_undecided(session, case),
    CaseChoice.TRY_AGAIN: _renews,
    CaseChoice.STOP: _renews,
    CaseChoice.RELEASE: _is_held,
    CaseChoice.END_PLAN: _counts,
    CaseChoice.WON: lambda session, case, _: chargebacks.booking_of(session, case) is not None,
}

"""The sweep: whatever was left behind is found in the database and carried on.

Webhooks may be lost, workers killed, Redis emptied: every unfinished row knows when it is to be looked at
again. The scheduler sweeps every few seconds; ``flask reconcile`` and the sandbox's clock use the same verbs.
Sweeping twice, or in two places at once, does nothing twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.billing import (
    bindings,
    cases,
    comparing_runs,
    due,
    inbox,
    lookback,
    notices,
    payments,
    price_notices,
    renewals,
    replaying,
    sending_back,
    tending,
)
from portal.billing.due import Due, Work
from portal.database import db, release, transaction
from portal.gateways.base import GatewayError
from portal.models import (
    BindingStatus,
    CaseKind,
    EventStatus,
    MethodBinding,
    Payment,
    PaymentPurpose,
    PaymentStatus,
    WebhookEvent,
)
from portal.models.payment import OPEN
from portal.money import to_wire

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Minutes between looks at one open payment, after the first.
_LADDER = (3, 10, 30, 60, 120, 360, 1440)
#: An outcome that is still unknown after this is shown to the operator.
TOO_OLD = timedelta(hours=24)
_AT_ONCE = 100
#: Seconds that one kind of work may take in one sweep.
PATIENCE = 60.0


def sweep(now: datetime, *, without_workers: bool = False) -> int:
    """Carry on everything that is due at *now*; say how much there was.

    Trouble with one row stops no other. Charges of saved methods are handed to the workers, or made here
    *without_workers*, for whoever must know that they are done.
    """
    found = due.due(now)
    work, done = found.work, 0
    # What needs no gateway comes first: a slow one must not keep it waiting.
    done += _say(work, now)
    if Work.CHARGES in work:
        done += _charge_here(now) if without_workers else len(renewals.hand_out(now))
    if Work.LETTERS in work:
        done += _sum(Work.LETTERS, notices.deliver, notices.due(now, _AT_ONCE))
    if Work.NOTIFICATIONS in work:
        done += _sum(Work.NOTIFICATIONS, inbox.process, inbox.waiting(now, _AT_ONCE))
    if Work.PAYMENTS in work:
        done += _sum(Work.PAYMENTS, lambda found: payments.refresh(found, now), _claim_payments(now))
    if Work.REFUNDS in work:
        done += _sum(Work.REFUNDS, sending_back.carry_on, sending_back.waiting(now, _AT_ONCE))
    if Work.BINDINGS in work:
        done += _sum(Work.BINDINGS, lambda found: bindings.refresh(found, now), _claim_bindings(now))
    if Work.REPLAYS in work:
        done += _sum(Work.REPLAYS, replaying.carry_on, replaying.waiting(now))
    done += _compare(found, now, without_workers=without_workers)
    done += _sum("list", lambda look: lookback.look_back(look, now), lookback.claim(now, found.marks))
    if done:
        # All of that may have given cause to write.
        done += _sum(Work.LETTERS, notices.deliver, notices.due(now, _AT_ONCE))
    release()
    return done


def _say(work: frozenset[Work], now: datetime) -> int:
    """The words that are due: about prices, and about what comes next of a subscription."""
    done = 0
    if Work.PRICES in work:
        done += _sum(Work.PRICES, lambda found: price_notices.carry_on(found, now), price_notices.due(now))
    if Work.WORDS in work:
        done += _sum(Work.WORDS, lambda found: tending.tend(found, now), tending.due(now))
    return done


def _charge_here(now: datetime) -> int:
    with transaction() as session:
        charges = renewals.take(session, now)
    _each(Work.CHARGES, renewals.renew, charges)
    return len(charges)


def _compare(found: Due, now: datetime, *, without_workers: bool) -> int:
    """Order the day's reconciliation when it is time, and see to those that are due."""
    comparing_runs.order_daily(now, found.marks)
    if Work.RECONCILIATIONS not in found.work:
        return 0
    if not without_workers:
        return comparing_runs.hand_out(now)
    return _sum(Work.RECONCILIATIONS, comparing_runs.carry_on, comparing_runs.waiting(now))


def send_letters(now: datetime) -> int:
    """Send the letters that are due; say how many left. One that cannot be sent keeps no other back."""
    sent: list[bool] = []
    _each("letter", lambda found: sent.append(notices.deliver(found)), notices.due(now))
    return sum(sent)


def sweep_until_quiet(now: datetime, rounds: int = 50, *, without_workers: bool = False) -> int:
    """Sweep until nothing due is left, at most *rounds* times."""
    total = 0
    for _ in range(rounds):
        done = sweep(now, without_workers=without_workers)
        total += done
        if not done:
            break
    return total


def ask_about_everything_open(now: datetime) -> tuple[int, int]:
    """Ask the gateways about every open payment and carry out every kept notification, due or not.

    Returns how many payments were asked about and how many of them could not be answered.
    """
    for event_id in db.session.scalars(
        select(WebhookEvent.id).where(WebhookEvent.status == EventStatus.RECEIVED)
    ).all():
        _hurry(event_id, now)
    sending_back.hasten(now)
    sweep(now)
    unfinished = select(Payment.id).where((Payment.status.in_(OPEN)) | (Payment.next_check_at.is_not(None)))
    outcomes = list(
        _each("payment", lambda found: payments.refresh(found, now), list(db.session.scalars(unfinished)))
    )
    sweep(now)
    return len(outcomes), outcomes.count(False)


def _sum(what: str, verb: Callable[[T], object], found: list[T]) -> int:
    return sum(_each(what, verb, found))


def _each(what: str, verb: Callable[[T], object], waiting: list[T]) -> list[bool]:
    """Run *verb* for each that is due; ``False`` where it could not be done.

    After :data:`PATIENCE` the rest is left to a later sweep: one gateway that hangs must not stop the others.
    """
    outcomes: list[bool] = []
    until = time.monotonic() + PATIENCE
    for found in waiting:
        if time.monotonic() > until:
            log.warning(
                "The sweep left %d of %d %ss for later", len(waiting) - len(outcomes), len(waiting), what
            )
            break
        try:
            verb(found)
            outcomes.append(True)
        except GatewayError as error:
            log.warning("The sweep could not ask about %s %s: %s", what, found, error.code)
            outcomes.append(False)
        except Exception:
            # A fault of ours with one row must not keep everybody's money waiting: it is logged with its
            # traceback, and the row stays due.
            log.exception("The sweep failed on %s %s", what, found)
            outcomes.append(False)
    return outcomes


def _claim_payments(now: datetime) -> list[int]:
    """Take payments whose time has come, and say when to look next should this look bring nothing."""
    with transaction() as session:
        found = session.scalars(
            select(Payment)
            .where(Payment.next_check_at <= now)
            .order_by(Payment.next_check_at)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).all()
        for payment in found:
            payment.next_check_at = _next_look(payment, now)
            payment.checks += 1
            if _is_undecided(payment) and now - payment.created_at >= TOO_OLD:
                _open_case(session, payment, now)
        return [payment.id for payment in found]


def _next_look(payment: Payment, now: datetime) -> datetime:
    """One rung further on the ladder, but not past the moment at which the order is over.

    Others wait for what is undecided, so that is never looked at less often than on the last rung but one.
    """
    last = len(_LADDER) - 1 - _is_undecided(payment)
    rung = now + timedelta(minutes=_LADDER[min(payment.checks, last)])
    return min(rung, payment.expires_at) if payment.expires_at > now else rung


def _is_undecided(payment: Payment) -> bool:
    """Whether money may have been taken already, and only the gateway can tell."""
    charged = payment.purpose is PaymentPurpose.RENEWAL and payment.status in OPEN
    return charged or payment.status is PaymentStatus.UNKNOWN


def _claim_bindings(now: datetime) -> list[int]:
    with transaction() as session:
        found = session.scalars(
            select(MethodBinding)
            .where(MethodBinding.next_check_at <= now, MethodBinding.status == BindingStatus.PENDING)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).all()
        for binding in found:
            binding.next_check_at = now + timedelta(minutes=_LADDER[min(binding.checks, 2)])
            binding.checks += 1
        return [binding.id for binding in found]


def _hurry(event_id: int, now: datetime) -> None:
    with transaction() as session:
        event: Any = session.get(WebhookEvent, event_id, with_for_update=True)
        if event is not None and event.status is EventStatus.RECEIVED:
            event.next_attempt_at = now


def _open_case(session: Session, payment: Payment, now: datetime) -> None:
    key = f"{payment.gateway.value}:{CaseKind.UNKNOWN_TOO_OLD.value}:{payment.transaction_id}"
    facts = {"transaction_id": payment.transaction_id, "amount": to_wire(payment.amount)}
    cases.open_case(
        session,
        CaseKind.UNKNOWN_TOO_OLD,
        key,
        payment.gateway,
        payment.gateway_payment_id,
        payment.id,
        (payment.amount, payment.currency),
        facts,
        now,
    )

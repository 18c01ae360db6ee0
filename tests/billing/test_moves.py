"""Each move of a payment is kept with its moment, and what older payments tell is told from their columns."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from portal.billing import story
from portal.database import db, transaction
from portal.gateways.base import Outcome
from portal.models import Payment, PaymentMove, PaymentStatus
from tests import laws
from tests.billing.rows import a_customer, a_payment, again, settled, told

MINUTE = timedelta(minutes=1)
P, A, F, S = PaymentStatus.PENDING, PaymentStatus.AUTHORIZED, PaymentStatus.FAILED, PaymentStatus.SUCCEEDED


def moves(payment: Payment) -> list[tuple[PaymentStatus, PaymentStatus, str | None]]:
    kept = select(PaymentMove).where(PaymentMove.payment_id == payment.id).order_by(PaymentMove.id)
    return [(one.before, one.after, one.code) for one in db.session.scalars(kept)]


def test_every_step_is_kept(now: datetime) -> None:
    """Two refused cards, a hold and its capture: four steps, each once, however often they are told."""
    user = a_customer(now)
    payment = a_payment(user, now)
    for number, (outcome, code) in enumerate(
        (
            (Outcome.FAILED, "5051"),
            (Outcome.FAILED, "5065"),
            (Outcome.AUTHORIZED, None),
            (Outcome.SUCCEEDED, None),
        )
    ):
        theirs = "9" if number > 1 else str(number)
        for _ in range(2):
            settled(payment, told(payment, user, outcome, theirs, failure_code=code), now + number * MINUTE)
    assert moves(payment) == [(P, F, "5051"), (F, F, "5065"), (F, A, None), (A, S, None)]
    assert laws.violations(now) == []


def test_a_move_that_is_rolled_back_was_none(now: datetime) -> None:
    """The move and its line are one statement: neither stays without the other."""
    user = a_customer(now)
    payment = a_payment(user, now)
    with suppress(InterruptedError), transaction():
        settled(payment, told(payment, user, Outcome.SUCCEEDED, "1"), now)
        raise InterruptedError
    assert (again(payment).status, moves(payment)) == (P, [])


def test_an_older_payment_has_a_story_too(now: datetime) -> None:
    """What was paid before moves were kept says so from its own columns."""
    user = a_customer(now)
    payment = a_payment(user, now)
    settled(payment, told(payment, user, Outcome.SUCCEEDED, "1"), now + MINUTE)
    with transaction() as session:
        session.execute(delete(PaymentMove))
    lines = [line for line in story.of(again(payment)) if line.what == "move"]
    assert [(line.at, line.row.after) for line in lines] == [(now + MINUTE, S)]

"""Subscribers led to another price: told, asked, moved; nobody is charged what they did not agree to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import clock, written
from portal.billing import (
    agreements,
    audit,
    outlook,
    price_moves,
    price_notices,
    renewals,
    subscriptions,
    sweep,
)
from portal.billing.audit import COMMAND_LINE, Subject
from portal.billing.outlook import Outlook, State
from portal.billing.price_moves import NOTICE, WrongMove
from portal.database import db, transaction
from portal.errors import NotFound
from portal.models import (
    Consent,
    Notification,
    Payment,
    PaymentPurpose,
    Plan,
    PriceMove,
    PriceNotice,
    PriceOutcome,
    User,
)
from tests import lists
from tests.billing.subscribers import CLIENT, Subscriber, a_subscriber
from tests.desk import LiveSandbox
from tests.shares import pairs

BOUGHT = datetime(2027, 3, 1, 9, tzinfo=UTC)
DECIDED = BOUGHT + timedelta(days=1)
MOVES = DECIDED + timedelta(days=10)
DEAR, CHEAP, OLD = Decimal("1190.00"), Decimal("790.00"), Decimal("990.00")


@pytest.fixture
def subscriber(context: Flask, sandbox: LiveSandbox) -> Subscriber:
    """Somebody who agreed to 990 every thirty days."""
    clock.set_to(BOUGHT)
    return a_subscriber(BOUGHT)


def decide(amount: Decimal, moves_at: datetime = MOVES, now: datetime = DECIDED) -> int:
    plan = db.session.scalars(select(Plan).where(Plan.code == "PRO_MONTHLY")).one()
    return price_moves.plan_move(plan.id, amount, moves_at, COMMAND_LINE, "дороже серверы", now)


def at(moment: datetime) -> None:
    """Let the price's part of the sweep do what is due at a moment."""
    clock.set_to(moment)
    for found in price_notices.due(moment):
        price_notices.carry_on(found, moment)


def outcome(subscriber: Subscriber) -> PriceOutcome | None:
    mine = select(PriceNotice).where(PriceNotice.user_id == subscriber.user.id)
    return db.session.scalars(mine.execution_options(populate_existing=True)).one().outcome


def agreed_sum(subscriber: Subscriber) -> Decimal:
    """What the next renewal will charge."""
    consent = db.session.get_one(Consent, subscriber.subscription.consent_id, populate_existing=True)
    assert consent.withdrawn_at is None
    return consent.amount


def kinds(user: User) -> set[str]:
    return set(db.session.scalars(select(Notification.kind).where(Notification.user_id == user.id)))


def test_a_lower_price_needs_no_answer(subscriber: Subscriber) -> None:
    """Told at once, charged the old sum before the day and the lower one after it; the old words are kept."""
    move_id = decide(CHEAP)
    at(DECIDED)
    assert "price_changes" in kinds(subscriber.user)
    at(MOVES - timedelta(seconds=1))
    assert agreed_sum(subscriber) == OLD

    at(MOVES)

    assert agreed_sum(subscriber) == CHEAP
    assert outcome(subscriber) is PriceOutcome.MOVED
    given, lowered = subscriber.agreements
    assert given.text in lowered.text
    assert (given.withdrawn_because, lowered.address) == ("replaced", CLIENT.address)
    assert db.session.get_one(PriceMove, move_id, populate_existing=True).ended_at == MOVES


def test_a_higher_price_without_an_answer_ends_renewal(subscriber: Subscriber) -> None:
    """Nothing is charged; what is paid runs on; switched on again, it is on the new price."""
    decide(DEAR)
    at(DECIDED)
    at(MOVES)

    live = subscriber.subscription
    assert (live.auto_renew, live.charge_due_at) == (False, None)
    assert live.current_period_end == BOUGHT + timedelta(days=30)
    assert outcome(subscriber) is PriceOutcome.STOPPED
    assert "price_stopped" in kinds(subscriber.user)
    assert subscriber.agreements[-1].withdrawn_because == "price"
    assert agreements.offer(subscriber.user.id, MOVES).agreement.amount == DEAR


def test_a_higher_price_that_was_agreed_to_is_charged_from_its_day(subscriber: Subscriber) -> None:
    """Until then it is the old sum; the evidence is the customer's own."""
    decide(DEAR)
    at(DECIDED)
    price_notices.agree(subscriber.user.id, CLIENT, DECIDED)
    assert agreed_sum(subscriber) == OLD
    with pytest.raises(NotFound):
        price_notices.agree(subscriber.user.id, CLIENT, DECIDED)  # there is nothing left to ask

    at(MOVES)

    assert agreed_sum(subscriber) == DEAR
    assert subscriber.subscription.auto_renew
    assert outcome(subscriber) is PriceOutcome.MOVED
    assert [one.amount for one in subscriber.agreements] == [OLD, DEAR]


def test_called_off_leaves_everybody_and_says_so(subscriber: Subscriber) -> None:
    """Until its date; an agreement that waited for it is void, and can be charged by nobody."""
    move_id = decide(DEAR)
    at(DECIDED)
    price_notices.agree(subscriber.user.id, CLIENT, DECIDED)

    assert price_moves.call_off(move_id, COMMAND_LINE, "передумали", DECIDED + timedelta(days=1))
    at(DECIDED + timedelta(days=1))
    at(MOVES)

    assert agreed_sum(subscriber) == OLD
    assert outcome(subscriber) is PriceOutcome.CALLED_OFF
    assert "price_stays" in kinds(subscriber.user)
    assert subscriber.agreements[-1].withdrawn_because == "price"
    assert not price_moves.call_off(move_id, COMMAND_LINE, "again", MOVES)
    acts = [entry.act for entry in audit.of(Subject("price_move", move_id))]
    assert acts == ["price-move", "price-move-called-off"]


def test_what_was_announced_is_charged_as_announced(subscriber: Subscriber) -> None:
    """A renewal told of at the old sum is that sum, though the day comes between; the next one is the new."""
    charge = subscriber.subscription.charge_due_at
    assert charge is not None
    decide(DEAR, charge - timedelta(hours=1))
    at(DECIDED)
    price_notices.agree(subscriber.user.id, CLIENT, DECIDED)
    clock.set_to(charge - timedelta(hours=71))
    sweep.sweep_until_quiet(clock.now())
    assert "renewal_coming" in kinds(subscriber.user)

    at(charge)

    assert agreed_sum(subscriber) == OLD
    assert outcome(subscriber) is None
    begun = renewals._begin(subscriber.subscription.id, charge + timedelta(days=1))
    assert begun is not None
    assert begun.payment.amount == OLD
    subscriber.ends(begun.payment, charge + timedelta(days=1))
    at(charge + timedelta(days=2))
    assert agreed_sum(subscriber) == DEAR


def seen(subscriber: Subscriber, now: datetime) -> Outlook:
    """What the dashboard says of the renewal."""
    found = outlook.of(subscriptions.standing(subscriber.user.id, now), now)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("amount", "days", "agrees", "state", "told"),
    (
        (DEAR, 10, False, State.ASKED, None),
        (DEAR, 10, True, State.COMING, DEAR),
        (DEAR, 30, False, State.COMING, OLD),
        (DEAR, 30, True, State.COMING, OLD),
        (CHEAP, 10, False, State.COMING, CHEAP),
        (CHEAP, 30, False, State.COMING, OLD),
    ),
)
def test_the_outlook_knows_of_the_coming_price(
    subscriber: Subscriber, amount: Decimal, days: int, agrees: bool, state: State, told: Decimal | None
) -> None:
    """The next sum is the one that will be charged; none is named that waits for the customer's word."""
    charge = subscriber.subscription.charge_due_at
    decide(amount, DECIDED + timedelta(days=days))
    at(DECIDED)
    if agrees:
        price_notices.agree(subscriber.user.id, CLIENT, DECIDED)

    found = seen(subscriber, DECIDED)

    assert (found.state, found.amount) == (state, told)
    assert found.charge_at == (None if state is State.ASKED else charge)
    assert (found.asked is not None) == (amount == DEAR and not agrees)


def test_the_outlook_keeps_what_was_announced(subscriber: Subscriber) -> None:
    """The letter named the old sum: it is charged, though the question stands."""
    charge = subscriber.subscription.charge_due_at
    assert charge is not None
    decide(DEAR, charge - timedelta(hours=1))
    at(DECIDED)
    clock.set_to(charge - timedelta(hours=71))
    sweep.sweep_until_quiet(clock.now())

    found = seen(subscriber, clock.now())

    assert (found.state, found.amount, found.charge_at) == (State.COMING, OLD, charge)
    assert found.asked is not None


@pytest.mark.parametrize("agrees", (True, False))
@pytest.mark.parametrize(
    ("before", "state", "told"),
    ((timedelta(hours=71), State.COMING, OLD), (timedelta(hours=72), State.ASKED, None)),
)
def test_the_outlook_knows_that_the_letter_comes_before_the_price(
    subscriber: Subscriber, before: timedelta, state: State, told: Decimal | None, agrees: bool
) -> None:
    """A price that rises between the letter and the charge finds the old sum announced: that is charged."""
    charge = subscriber.subscription.charge_due_at
    assert charge is not None
    decide(DEAR, charge - before)
    at(DECIDED)
    if agrees:
        price_notices.agree(subscriber.user.id, CLIENT, DECIDED)
        state, told = State.COMING, told or DEAR

    found = seen(subscriber, DECIDED)

    assert (found.state, found.amount) == (state, told)
    for moment in (charge - timedelta(hours=72), charge):
        clock.set_to(moment)
        sweep.sweep_until_quiet(moment, without_workers=True)
    charged = db.session.scalars(
        select(Payment.amount).where(Payment.purpose == PaymentPurpose.RENEWAL)
    ).all()
    assert charged == ([told] if told else [])


@pytest.mark.parametrize(
    ("moves_after", "cycles"),
    (
        (timedelta(days=10), 0),
        (timedelta(days=26) - timedelta(hours=72), 0),
        (timedelta(days=26) - timedelta(hours=71), 1),
        (timedelta(days=30), 1),
        (timedelta(days=60), 2),
    ),
)
def test_the_agreement_names_the_first_charge_at_that_price(
    subscriber: Subscriber, moves_after: timedelta, cycles: int
) -> None:
    """What is agreed to is what comes: not a day on which nothing, or the old sum, is charged."""
    charge = subscriber.subscription.charge_due_at
    assert charge == DECIDED + timedelta(days=26)
    decide(DEAR, DECIDED + moves_after)
    at(DECIDED)

    asked = price_notices.waiting_for(subscriber.user.id)

    assert asked is not None
    first = written.day(charge + cycles * timedelta(days=30))
    assert f"первое списание — {first}" in asked[2].text


def test_whoever_stopped_meanwhile_is_left_alone(subscriber: Subscriber) -> None:
    """No renewal, nothing to move, and no letter that says it ended because of the price."""
    decide(DEAR)
    at(DECIDED)
    price_notices.agree(subscriber.user.id, CLIENT, DECIDED)
    agreements.stop(subscriber.user.id, DECIDED)

    at(MOVES)

    assert outcome(subscriber) is PriceOutcome.LEFT
    assert {one.withdrawn_at is None for one in subscriber.agreements} == {False}
    assert "price_stopped" not in kinds(subscriber.user)


def test_told_late_is_moved_late(subscriber: Subscriber) -> None:
    """The letter's own time counts: three days at least lie between it and the move."""
    decide(CHEAP)
    at(MOVES)
    assert agreed_sum(subscriber) == OLD

    at(MOVES + timedelta(hours=72))

    assert agreed_sum(subscriber) == CHEAP


def test_the_preview_tells_whom_it_reaches(subscriber: Subscriber) -> None:
    """Sums and numbers; others' plans, and those who do not renew, are not among them."""
    a_subscriber(BOUGHT)
    a_subscriber(BOUGHT, agreed=False)
    plan = db.session.scalars(select(Plan).where(Plan.code == "PRO_MONTHLY")).one()
    other = db.session.scalars(select(Plan).where(Plan.code == "START_MONTHLY")).one()

    seen = price_moves.preview(plan.id, DEAR)

    assert seen.sums == ((OLD, 2),)
    assert (seen.raised, seen.lowered) == (2, 0)
    assert price_moves.preview(plan.id, CHEAP).lowered == 2
    assert price_moves.preview(plan.id, OLD).sums == price_moves.preview(other.id, DEAR).sums == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    (
        ({"moves_at": DECIDED + NOTICE - timedelta(seconds=1)}, "Предупредить нужно"),
        ({"amount": OLD}, "Переводить некого"),
        ({"reason": " "}, "почему меняется"),
    ),
)
def test_a_move_without_notice_sense_or_reason_is_refused(
    subscriber: Subscriber, changes: dict[str, Any], sentence: str
) -> None:
    """Nothing is written, and nobody is told."""
    words: dict[str, Any] = {"amount": DEAR, "moves_at": MOVES, "reason": "so", **changes}
    plan_id = subscriber.subscription.plan_id
    with pytest.raises(WrongMove, match=sentence):
        price_moves.plan_move(plan_id, actor=COMMAND_LINE, now=DECIDED, **words)
    assert db.session.scalars(select(PriceNotice)).all() == []


def test_one_move_at_a_time(subscriber: Subscriber) -> None:
    """A second decision about a plan waits for the first."""
    decide(DEAR)
    with pytest.raises(WrongMove, match="уже назначен"):
        decide(CHEAP)


#: Offers and answers; days of the move, the charge being on the 27th.
OFFERED = ((DEAR, False), (CHEAP, False), (DEAR, True))
MOVING = (8, 20, 26, 27, 28, 29)


@pytest.mark.parametrize(("day", "offered"), sorted({*pairs(MOVING, OFFERED), *product((27,), OFFERED)}))
def test_no_sum_is_charged_that_was_not_agreed_to(
    subscriber: Subscriber, day: int, offered: tuple[Decimal, bool]
) -> None:
    """Whatever the day and the answer: each charge is at most the largest sum that the customer gave."""
    amount, answers = offered
    lists.leave_alone()
    decide(amount, BOUGHT + timedelta(days=day))
    at(DECIDED)
    given = {OLD}
    if answers:
        price_notices.agree(subscriber.user.id, CLIENT, DECIDED)
        given.add(amount)
    # Seldom while nothing is due; often where the letters, the move and the charge meet.
    for hours in (*range(24, 24 * 23, 48), *range(24 * 23, 24 * 32, 12)):
        moment = BOUGHT + timedelta(hours=hours)
        clock.set_to(moment)
        sweep.sweep_until_quiet(moment)
        begun = renewals._begin(subscriber.subscription.id, moment)
        if begun is not None:
            assert begun.payment.amount <= max(given)
            assert begun.payment.amount in {*given, min(amount, OLD)}
            subscriber.ends(begun.payment, moment)
    charged = select(Payment).where(Payment.purpose == PaymentPurpose.RENEWAL)
    charges = db.session.scalars(charged).all()
    assert len(charges) == (0 if amount > OLD and not answers and day < 24 else 1)
    with transaction():
        assert len(subscriber.agreements) >= 1

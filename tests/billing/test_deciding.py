"""Every kind of case with every decision that may come into question, and what each one does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.billing import (
    accepting,
    asking,
    audit,
    cases,
    chargebacks,
    deciding,
    giving_back,
    obstacles,
    refund_outcomes,
    refunds,
    stray_money,
    tending,
)
from portal.billing.audit import Actor, Subject
from portal.billing.deciding import CHOICES, CaseClosed, NotOffered
from portal.billing.giving_back import AboveDailyLimit, NoReason
from portal.database import db, transaction
from portal.errors import InvalidRequest, NotAllowed, PortalError
from portal.gateways.base import Outcome, RefundSnapshot
from portal.models import (
    Case,
    CaseChoice,
    CaseKind,
    Payment,
    PaymentStatus,
    PurchasedPlan,
    Refund,
    RefundSource,
    RefundStatus,
    Role,
    User,
)
from tests import laws
from tests.billing.rows import CLOUDPAYMENTS, a_customer, a_payment, again, settled, told
from tests.billing.subscribers import Subscriber, a_subscriber
from tests.billing.threads import at_the_same_time

HOUR = timedelta(hours=1)
MONEY = (Decimal("990.00"), "RUB")
REASON = "Договорились по телефону"


def an_operator(role: Role, now: datetime) -> User:
    with transaction() as session:
        user = User(email=f"{role.value}@example.com", password_hash="x", role=role, created_at=now)
        session.add(user)
    return user


def opened(kind: CaseKind, now: datetime, **more: Any) -> int:
    """A case of this kind; gives its number."""
    told = {"theirs": "777", "payment_id": None, "facts": {}, "money": MONEY, "key": f"{kind.value}:1"} | more
    with transaction() as session:
        key, theirs = told["key"], told["theirs"]
        cases.open_case(
            session, kind, key, CLOUDPAYMENTS, theirs, told["payment_id"], told["money"], told["facts"], now
        )
    return int(db.session.scalars(select(Case.id).where(Case.dedupe_key == told["key"])).one())


def decide(
    case_id: int,
    choice: CaseChoice,
    now: datetime,
    *,
    by: User,
    reason: str = REASON,
    key: str | None = None,
) -> Any:
    actor = Actor(by.id, by.email, "198.51.100.9")
    return deciding.decide(case_id, choice, by, actor, reason, key or str(uuid.uuid4()), now)


def case_of(case_id: int) -> Case:
    return db.session.get_one(Case, case_id, populate_existing=True)


@pytest.fixture
def owner(now: datetime) -> User:
    return an_operator(Role.OWNER, now)


@pytest.fixture
def clerk(now: datetime) -> User:
    return an_operator(Role.SUPPORT, now)


@dataclass
class Scene:
    """An open case of one kind, as it comes about, and what it is of."""

    case_id: int
    payment: Payment | None = None
    subscriber: Subscriber | None = None
    refund_id: int | None = None


def stray(kind: CaseKind) -> Callable[[datetime], Scene]:
    """Money that a gateway took and that does not fit an order."""

    def make(now: datetime) -> Scene:
        payment = a_payment(a_customer(now), now, transaction_id="order-1")
        facts = {"outcome": "succeeded", "reference": "order-1"}
        money = (Decimal("900.00"), "RUB") if kind is CaseKind.AMOUNT_MISMATCH else MONEY
        of = None if kind is CaseKind.UNKNOWN_PAYMENT else payment.id
        return Scene(opened(kind, now, facts=facts, payment_id=of, money=money), payment)

    return make


def bare(kind: CaseKind) -> Callable[[datetime], Scene]:
    """A fact that nothing can be done about but to know it."""
    return lambda now: Scene(opened(kind, now, facts={"note": "x"}))


def undecided(now: datetime) -> Scene:
    payment = a_payment(a_customer(now), now, status=PaymentStatus.UNKNOWN)
    key = f"cloudpayments:unknown_too_old:{payment.transaction_id}"
    return Scene(opened(CaseKind.UNKNOWN_TOO_OLD, now, payment_id=payment.id, key=key), payment)


def failed_refund(now: datetime) -> Scene:
    """A paid order whose refund the gateway refused."""
    user = a_customer(now)
    payment = a_payment(user, now)
    settled(payment, told(payment, user, Outcome.SUCCEEDED, "555"), now)
    refund_id = refunds.give_back(payment.id, Decimal("300.00"), RefundSource.CUSTOMER, "отмена", now)
    with transaction() as session:
        row = session.execute(select(Refund.__table__).where(Refund.id == refund_id)).one()
        locked = refunds.locks.locked(session, payment_id=payment.id)
        assert locked is not None
        refund_outcomes.fail(session, locked, row, "no_money", now)
    case_id = db.session.scalars(select(Case.id).where(Case.kind == CaseKind.REFUND_FAILED)).one()
    return Scene(case_id, payment, refund_id=refund_id)


def refused_renewal(now: datetime) -> Scene:
    """A renewal that the shop may not charge."""
    ira = a_subscriber(now)
    payment = ira.past_due(now + 27 * 24 * HOUR, "5013")
    found = select(Case).where(Case.kind == CaseKind.RENEWAL_REFUSED)
    case = db.session.scalars(found).one_or_none()
    number = (
        case.id
        if case
        else opened(CaseKind.RENEWAL_REFUSED, now, payment_id=payment.id, theirs=None, facts={"code": "x"})
    )
    return Scene(number, payment, ira)


def unsent_notice(now: datetime) -> Scene:
    ira = a_subscriber(now)
    with transaction() as session:
        live = session.merge(ira.subscription)
        live.held_since = now
    facts = {"subscription": ira.subscription.id, "due": "x"}
    return Scene(opened(CaseKind.NOTICE_UNSENT, now, theirs=None, facts=facts), subscriber=ira)


def charged_back(now: datetime) -> Scene:
    ira = a_subscriber(now)
    with transaction() as session:
        payment = refunds.locks.locked(session, payment_id=ira.bought.id)
        assert payment is not None
        case_id = chargebacks.write_down(session, payment, payment.amount, now, {}, "chargeback", now)
    return Scene(case_id, ira.bought, ira)


SCENES: dict[CaseKind, Callable[[datetime], Scene]] = {
    **{kind: stray(kind) for kind in cases.OF_MONEY_TAKEN},
    CaseKind.UNKNOWN_REFUND: bare(CaseKind.UNKNOWN_REFUND),
    CaseKind.REFUND_ABOVE_CAPTURE: bare(CaseKind.REFUND_ABOVE_CAPTURE),
    CaseKind.UNREADABLE: bare(CaseKind.UNREADABLE),
    CaseKind.DRIFT: bare(CaseKind.DRIFT),
    CaseKind.UNKNOWN_TOO_OLD: undecided,
    CaseKind.REFUND_FAILED: failed_refund,
    CaseKind.RENEWAL_REFUSED: refused_renewal,
    CaseKind.NOTICE_UNSENT: unsent_notice,
    CaseKind.CHARGEBACK: charged_back,
}
EVERY = [(kind, choice) for kind, choices in CHOICES.items() for choice in choices]


def stray_refund() -> Refund:
    return db.session.scalars(
        select(Refund).where(Refund.case_id.is_not(None)).execution_options(populate_existing=True)
    ).one()


def gave_back(scene: Scene, _now: datetime) -> None:
    refund = stray_refund()
    assert (refund.case_id, refund.status, refund.payment_id) == (scene.case_id, RefundStatus.PENDING, None)
    assert refund.amount == case_of(scene.case_id).amount


def accepted(scene: Scene, _now: datetime) -> None:
    assert scene.payment
    row = again(scene.payment)
    assert (row.status, str(row.amount), row.gateway_payment_id) == (PaymentStatus.SUCCEEDED, "900.00", "777")
    assert db.session.scalar(select(PurchasedPlan.id).where(PurchasedPlan.payment_id == row.id))


def declared_failed(scene: Scene, _now: datetime) -> None:
    assert scene.payment
    row = again(scene.payment)
    assert (row.status, row.failure_code, row.next_check_at) == (
        PaymentStatus.FAILED,
        "declared_failed",
        None,
    )


def tried_again(scene: Scene, now: datetime) -> None:
    if scene.subscriber:
        assert scene.subscriber.subscription.charge_due_at == now
        return
    assert scene.payment
    of_payment = select(Refund).where(Refund.payment_id == scene.payment.id).order_by(Refund.id)
    first, second = db.session.scalars(of_payment.execution_options(populate_existing=True)).all()
    assert (first.status, second.status) == (RefundStatus.FAILED, RefundStatus.PENDING)
    assert (first.amount, first.source, first.reason) == (second.amount, second.source, second.reason)
    assert first.key != second.key


def returned_by_hand(scene: Scene, _now: datetime) -> None:
    assert scene.payment
    assert refunds.left(db.session(), scene.payment.id) == Decimal("690.00")


def stopped(scene: Scene, _now: datetime) -> None:
    assert scene.subscriber
    assert not scene.subscriber.subscription.auto_renew
    assert scene.subscriber.agreements[-1].withdrawn_because == "operator"


def released(scene: Scene, now: datetime) -> None:
    assert scene.subscriber
    live = scene.subscriber.subscription
    assert (live.waived_for, live.held_since, live.charge_look_at) == (live.current_period_end, None, now)


def ended_plan(scene: Scene, _now: datetime) -> None:
    assert scene.subscriber
    stopped(scene, _now)
    assert db.session.scalar(select(PurchasedPlan.revoked_at)) is not None
    assert refunds.going_back([scene.subscriber.bought.id]) == {}


def won(scene: Scene, _now: datetime) -> None:
    assert scene.payment
    assert (again(scene.payment).refunded_amount, db.session.scalar(select(PurchasedPlan.revoked_at))) == (
        0,
        None,
    )
    assert refunds.left(db.session(), scene.payment.id) == Decimal("990.00")


def nothing(_scene: Scene, _now: datetime) -> None:
    assert not db.session.scalars(select(Refund).where(Refund.status == RefundStatus.PENDING)).all()


DOES: dict[CaseChoice, Callable[[Scene, datetime], None]] = {
    CaseChoice.GIVE_BACK: gave_back,
    CaseChoice.ACCEPT: accepted,
    CaseChoice.DECLARE_FAILED: declared_failed,
    CaseChoice.TRY_AGAIN: tried_again,
    CaseChoice.BY_HAND: returned_by_hand,
    CaseChoice.STOP: stopped,
    CaseChoice.RELEASE: released,
    CaseChoice.END_PLAN: ended_plan,
    CaseChoice.WON: won,
    CaseChoice.CLOSE: nothing,
}


def answered(scene: Scene, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let the gateway tell of the case's money."""
    payment = scene.payment
    assert payment
    user = db.session.get_one(User, payment.user_id)
    words = {"outcome": Outcome.SUCCEEDED, "theirs": "777", "amount": Decimal("900.00")} | changes
    said = told(payment, user, **words)
    monkeypatch.setattr(accepting, "ask", lambda _case_id: said)


def test_every_kind_has_its_decisions() -> None:
    """No kind is without one, each can at least be closed with a note, and each decision has its verb."""
    assert set(CHOICES) == set(CaseKind) == set(SCENES)
    assert all(choices[-1] is CaseChoice.CLOSE for choices in CHOICES.values())
    assert set(DOES) == set(CaseChoice) - {CaseChoice.ITSELF} == set(deciding.LEAST)


@pytest.mark.parametrize(("kind", "choice"), EVERY, ids=[f"{k.value}-{c.value}" for k, c in EVERY])
def test_a_decision_does_what_it_says(
    now: datetime, owner: User, monkeypatch: pytest.MonkeyPatch, kind: CaseKind, choice: CaseChoice
) -> None:
    """Each decision is carried out, kept with who, when and why, and broke no law; it is taken once."""
    scene = SCENES[kind](now)
    if choice is CaseChoice.ACCEPT:
        answered(scene, monkeypatch)
    later = now + 27 * 24 * HOUR + HOUR if scene.subscriber and kind is CaseKind.RENEWAL_REFUSED else now

    decide(scene.case_id, choice, later, by=owner)

    DOES[choice](scene, later)
    case = case_of(scene.case_id)
    assert (case.resolved_at, case.resolution, case.resolved_by, case.resolution_note) == (
        later,
        choice,
        owner.id,
        REASON,
    )
    entry = audit.of(Subject("case", case.id))[-1]
    assert (entry.act, entry.reason, entry.after["choice"]) == ("decide", REASON, choice.value)
    assert [one.invariant.name for one in laws.violations(later)] == []
    with pytest.raises(CaseClosed):
        decide(scene.case_id, CaseChoice.CLOSE, later, by=owner)


@pytest.mark.parametrize("choice", deciding.LEAST, ids=[choice.value for choice in deciding.LEAST])
def test_who_may_decide(now: datetime, clerk: User, choice: CaseChoice) -> None:
    """A viewer decides nothing; a clerk nothing that is an owner's."""
    viewer = an_operator(Role.VIEWER, now)
    kind = next(kind for kind, choices in CHOICES.items() if choice in choices)
    scene = SCENES[kind](now)
    for one in (viewer, clerk):
        if not one.may(deciding.LEAST[choice]):
            with pytest.raises(NotAllowed):
                decide(scene.case_id, choice, now, by=one)
    assert case_of(scene.case_id).resolved_at is None


def test_nothing_is_decided_without_a_reason(now: datetime, owner: User) -> None:
    """An empty reason closes no case."""
    scene = stray(CaseKind.UNKNOWN_PAYMENT)(now)
    with pytest.raises(NoReason):
        decide(scene.case_id, CaseChoice.GIVE_BACK, now, by=owner, reason=" ")
    assert case_of(scene.case_id).resolved_at is None


def test_what_does_not_fit_is_not_accepted(
    now: datetime, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the sum may differ, and it must be the case's; else nothing happens and the case stays open."""
    scene = stray(CaseKind.AMOUNT_MISMATCH)(now)
    for change in (
        {"amount": Decimal("899.00")},
        {"outcome": Outcome.FAILED},
        {"account": "somebody else"},
        {"currency": "USD"},
        {"test": False},
    ):
        answered(scene, monkeypatch, **change)
        with pytest.raises(accepting.DoesNotFit):
            decide(scene.case_id, CaseChoice.ACCEPT, now, by=owner)
    assert scene.payment
    assert (again(scene.payment).status, str(again(scene.payment).amount)) == (
        PaymentStatus.PENDING,
        "990.00",
    )
    assert case_of(scene.case_id).resolved_at is None


def test_a_hold_is_not_given_back(now: datetime, owner: User) -> None:
    """What is only held can be released by the gateway alone."""
    number = opened(CaseKind.UNKNOWN_PAYMENT, now, facts={"outcome": "authorized"})
    assert deciding.look(number, now).choices == (CaseChoice.CLOSE,)
    with pytest.raises(NotOffered):
        decide(number, CaseChoice.GIVE_BACK, now, by=owner)


def test_one_capture_goes_back_once(now: datetime, owner: User) -> None:
    """Two cases about the same money give it back once (law 4)."""
    facts = {"outcome": "succeeded"}
    first = opened(CaseKind.UNKNOWN_PAYMENT, now, facts=facts, key="a")
    second = opened(CaseKind.GATEWAY_MISMATCH, now, facts=facts, key="b")
    decide(first, CaseChoice.GIVE_BACK, now, by=owner)
    assert deciding.look(second, now).choices == (CaseChoice.CLOSE,)
    with pytest.raises(NotOffered):
        decide(second, CaseChoice.GIVE_BACK, now, by=owner)
    assert laws.violations(now) == []


def test_a_clerk_s_day_counts_cases_too(now: datetime, clerk: User) -> None:
    """Strange money that is given back counts against the day's sum like any other."""
    facts = {"outcome": "succeeded"}
    first = opened(CaseKind.UNKNOWN_PAYMENT, now, facts=facts, money=(Decimal("4900.00"), "RUB"))
    second = opened(CaseKind.UNKNOWN_PAYMENT, now, facts=facts, theirs="778", key="b")
    decide(first, CaseChoice.GIVE_BACK, now, by=clerk)
    with pytest.raises(AboveDailyLimit):
        decide(second, CaseChoice.GIVE_BACK, now, by=clerk)
    assert case_of(second).resolved_at is None
    assert giving_back.allowance(db.session(), clerk, now).left == Decimal("100.00")


def test_two_operators_decide_at_once(app: Flask, now: datetime, owner: User, clerk: User) -> None:
    """One acts, the other is told."""
    scene = stray(CaseKind.UNKNOWN_PAYMENT)(now)
    told_no: list[PortalError] = []

    def press(who: int, choice: CaseChoice) -> None:
        try:
            decide(scene.case_id, choice, now, by=db.session.get_one(User, who))
        except CaseClosed as error:
            told_no.append(error)

    ids = owner.id, clerk.id
    at_the_same_time(
        app,
        lambda: press(ids[0], CaseChoice.GIVE_BACK),
        lambda: press(ids[1], CaseChoice.CLOSE),
    )
    assert len(told_no) == 1
    assert len(audit.of(Subject("case", scene.case_id))) == 1


def test_a_stray_refund_that_fails_is_a_case_again(now: datetime, owner: User) -> None:
    """It can be sent once more with another key; a late truth is booked on the row that it is of."""
    scene = stray(CaseKind.UNKNOWN_PAYMENT)(now)
    decide(scene.case_id, CaseChoice.GIVE_BACK, now, by=owner)
    first = stray_refund().id
    with transaction() as session:
        stray_money.fail(session, first, "no_money", now)
    failed = db.session.scalars(select(Case).where(Case.kind == CaseKind.REFUND_FAILED)).one()
    assert deciding.look(failed.id, now).choices == (CaseChoice.TRY_AGAIN, CaseChoice.CLOSE)
    decide(failed.id, CaseChoice.TRY_AGAIN, now, by=owner)
    second = db.session.scalars(select(Refund.id).where(Refund.case_id == scene.case_id)).all()[-1]
    assert second != first
    with transaction() as session:
        told = RefundSnapshot("r-1", "777", Outcome.SUCCEEDED, Decimal("990.00"), "RUB")
        stray_money.write_down(session, second, told, now)
        stray_money.write_down(session, second, told, now)
    row = db.session.get_one(Refund, second, populate_existing=True)
    assert (row.status, row.gateway_refund_id) == (RefundStatus.SUCCEEDED, "r-1")
    assert laws.violations(now) == []


def test_a_released_renewal_is_charged(now: datetime, owner: User) -> None:
    """Held back while its letter has not left; released for this one period, it is not held any more."""
    scene = unsent_notice(now)
    assert scene.subscriber
    ira, due = scene.subscriber, now + 27 * 24 * HOUR

    def obstacle() -> obstacles.Obstacle | None:
        with transaction() as session:
            live = session.merge(ira.subscription)
            return obstacles.found(session, live, ira.method, due)

    assert obstacle() is not None
    with transaction() as session:
        session.merge(ira.subscription).held_since = due
    decide(scene.case_id, CaseChoice.RELEASE, due, by=owner)
    assert obstacle() is None
    with transaction() as session:
        session.merge(ira.subscription).waived_for = now
    assert obstacle() is not None


def test_the_letter_that_a_renewal_waits_for(now: datetime, owner: User) -> None:
    """It is tried at once, with the renewal behind it; where none waits, that is said."""
    scene = unsent_notice(now)
    assert scene.subscriber
    actor = Actor(owner.id, owner.email)
    with pytest.raises(InvalidRequest):
        asking.send_letter(scene.case_id, actor, now)
    soon = now + 25 * 24 * HOUR
    tending.tend(scene.subscriber.subscription.id, soon)
    asking.send_letter(scene.case_id, actor, soon + HOUR)
    live = scene.subscriber.subscription
    letter = tending.waiting_announcement(db.session(), live)
    assert letter is not None
    assert (letter.next_attempt_at, live.charge_look_at) == (soon + HOUR, soon + HOUR)
    assert case_of(scene.case_id).resolved_at is None
    assert [entry.act for entry in audit.of(Subject("case", scene.case_id))] == ["send-letter"]

"""A fault planted in a law loses the game: a machine that never loses proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Index, false, select

from portal.billing import judging, moves, obstacles, refunds, renewals, settlement
from portal.database import db, transaction
from portal.gateways.base import Outcome
from portal.models import Consent, Payment, PaymentMethod
from portal.models.subscription import LIVE
from tests.slate import Slate
from tests.stories.game_of_plans import Shop
from tests.stories.test_state_machine import shop

__all__ = ["shop"]

Planter = Callable[[pytest.MonkeyPatch], None]
Move = Callable[[Shop], None]


def unknown_is_a_refusal(patch: pytest.MonkeyPatch) -> None:
    """Law 1: a charge without an answer counts as never made, and is made again under another key."""

    def note(payment: Payment, _error: Exception, now: datetime) -> None:
        with transaction() as session:
            row = settlement.locked(session, payment_id=payment.id)
            assert row is not None
            settlement.close(session, row, "not_created", now)

    patch.setattr(renewals, "trouble", SimpleNamespace(note=note))


def the_open_attempt_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Law 2: what is being charged stays due, and nobody looks whether a charge is open."""
    freeze = renewals._freeze

    def frozen(session: Any, subscription: Any, *more: Any) -> Any:
        begun = freeze(session, subscription, *more)
        subscription.charge_due_at = subscription.charge_look_at = more[-1]
        return begun

    patch.setattr(renewals, "_freeze", frozen)
    patch.setattr(obstacles, "other_money", lambda *_: select(Payment).where(false()))


def a_hold_is_money(patch: pytest.MonkeyPatch) -> None:
    """Law 3: a plan begins by money that was held and not taken."""
    settle = settlement.settle

    def settled(session: Any, payment: Any, told: Any, now: datetime) -> Any:
        if told.outcome is Outcome.AUTHORIZED:
            told = replace(told, outcome=Outcome.SUCCEEDED)
        return settle(session, payment, told, now)

    patch.setattr(settlement, "settle", settled)


def there_is_always_room(patch: pytest.MonkeyPatch) -> None:
    """Law 4: nobody adds up what went back already."""
    patch.setattr(refunds, "left", lambda *_: Decimal("100000.00"))


def any_word_fits(patch: pytest.MonkeyPatch) -> None:
    """Law 5: nobody compares what was paid with what was ordered."""
    patch.setattr(judging, "mismatch", lambda *_: None)


def any_move_is_allowed(patch: pytest.MonkeyPatch) -> None:
    """Law 7: nobody looks at the table, and a late refusal undoes a payment."""
    for room in (settlement, moves):
        patch.setattr(room, "may_move", lambda *_: True)


def a_withdrawal_is_not_read(patch: pytest.MonkeyPatch) -> None:
    """Law 10: what was handed to a worker is charged, whatever the customer has said since."""

    def agreed(session: Any, subscription: Any, _user: Any) -> Any:
        consent = session.get(Consent, subscription.consent_id or 0)
        method = session.get(PaymentMethod, subscription.payment_method_id or 0)
        return (consent, method) if consent and method and method.token else None

    patch.setattr(renewals, "_agreed", agreed)
    patch.setattr(renewals, "_is_due", lambda subscription, _now: subscription.status in LIVE)


@dataclass(frozen=True)
class Case:
    """What is planted, the moves that come upon it, and what the machine says then.

    Where the database guards the law as well, the bug is in both.
    """

    plant: Planter
    says: str
    moves: tuple[Move, ...]
    without: str = ""


def _charged(fault: str) -> tuple[Move, ...]:
    return (
        lambda game: game.come_to_a_charge(handed_out=False),
        lambda game: game.spoil(("cloudpayments", "tokens_charge"), fault, 1),
        lambda game: game.charge_all(),
        lambda game: game.days_pass(timedelta(days=1)),
    )


def _ordered(forged: str) -> tuple[Move, ...]:
    return (
        lambda game: game.click(1, "cloudpayments", agreed=False),
        lambda game: game.enter_a_card(0, "pays", forged),
        lambda game: game.deliver_the_new(),
    )


CASES = (
    Case(unknown_is_a_refusal, "charged twice", _charged("drop_after_commit")),
    Case(
        the_open_attempt_is_forgotten,
        "charged twice",
        _charged("drop_after_commit"),
        without="uq_payments_renewal_open",
    ),
    Case(a_hold_is_money, "is paid here and not captured there", _ordered("only a hold")),
    Case(
        there_is_always_room,
        "refunds-above-capture",
        (lambda game: game.operator_refunds(0, "all"), lambda game: game.operator_refunds(0, "some")),
    ),
    Case(any_word_fits, r"1\.00 there, 990\.00 here", _ordered("the sum")),
    Case(
        any_move_is_allowed,
        "paid_at_when_paid",
        (
            lambda game: game.click(1, "cloudpayments", agreed=False),
            lambda game: game.enter_a_card(0, "is refused"),
            lambda game: game.enter_a_card(0, "pays"),
            lambda game: game.deliver(0, 1),
            lambda game: game.deliver(1, 1),
        ),
    ),
    Case(
        a_withdrawal_is_not_read,
        "charged against the customer's will",
        (
            lambda game: game.come_to_a_charge(handed_out=True),
            lambda game: game.stop(0),
            lambda game: game.work(),
        ),
    ),
)


@pytest.fixture
def without(shop: None, app: Flask, slate: Slate) -> Iterator[Callable[[str], None]]:
    """Takes an index of the payments away until the test is over."""
    taken: list[Index] = []

    def take(name: str) -> None:
        taken.extend(index for index in Payment.__table__.indexes if index.name == name)  # type: ignore[attr-defined]
        with app.app_context(), db.engine.begin() as connection:
            taken[-1].drop(connection)

    yield take
    slate.clean()
    with app.app_context(), db.engine.begin() as connection:
        for index in taken:
            index.create(connection)


def play(case: Case) -> None:
    """The machine's own moves, what must hold after each of them, and its end."""
    game = Shop()
    game.open("cloudpayments", "")
    for move in case.moves:
        move(game)
        for must_hold in game.invariants:
            must_hold.function(game)
    game.teardown()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.plant.__name__)
def test_a_planted_bug_loses_the_game(
    without: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    """The same moves end well without the bug; with it, the machine says what it saw."""
    play(case)

    case.plant(monkeypatch)
    if case.without:
        without(case.without)
    with pytest.raises(AssertionError, match=case.says):
        play(case)

"""Customers, gateways, clocks and crashes at random against laws 1 to 5; in the end both ledgers are one.

``STATE_MACHINE=deep`` plays long random games and prints how to repeat one that was lost; without it the same
short games are played each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, text

from portal import clock
from portal.billing import invariants, plans
from portal.database import db, transaction
from portal.models import EventStatus, Payment, PaymentStatus, WebhookEvent
from portal.models.payment import OPEN
from portal.sandbox.errors import ControlError
from tests.crash import failpoints
from tests.crash.flows import jobs
from tests.crash.world import World
from tests.desk import LiveSandbox
from tests.slate import Slate
from tests.stories import books

DEEP = os.environ.get("STATE_MACHINE") == "deep"
GAMES = settings(
    max_examples=300 if DEEP else 10,
    stateful_step_count=60 if DEEP else 30,
    derandomize=not DEEP,
    print_blob=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

GATEWAYS = ("cloudpayments", "yookassa")
CARDS = {"pays": "5555555555554444", "is refused": "4444444444444444"}
STEPS = tuple(timedelta(minutes=m) for m in (0.05, 1.5, 4, 20, 56, 130, 25 * 60))
#: Operations of the two gateways, and what may become of an answer to one.
OPERATIONS = (
    ("yookassa", "create_payment"),
    ("yookassa", "get_payment"),
    ("yookassa", "list_payments"),
    ("yookassa", "list_refunds"),
    ("yookassa", "get_refund"),
    ("cloudpayments", "find"),
    ("cloudpayments", "list"),
)
FAULTS = (
    "http_500",
    "http_500_after_commit",
    "drop_before_commit",
    "drop_after_commit",
    "http_429",
    "malformed_200",
)

which = st.integers(0, 30)


class Shop(RuleBasedStateMachine):
    """Two customers who click, pay and are refunded, while post, clock and machine do as they like."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.post: list[Any] = []
        self.paid: set[str] = set()
        self.world.begin()
        self.world.together = True
        for name in ("ira", "oleg"):
            self.world.customer(name)
        self.world.sweep()  # the scheduler has been running since the shop was opened

    # Customers

    @initialize(gateway=st.sampled_from(GATEWAYS))
    def begin_with_an_order(self, gateway: str) -> None:
        """Without an order there is little to do."""
        self.click(0, gateway, 1)

    @rule(customer=st.integers(0, 1), gateway=st.sampled_from(GATEWAYS), times=st.integers(1, 2))
    def click(self, customer: int, gateway: str, times: int) -> None:
        """Press the button: an order, the same order again, or one at the other gateway."""
        for _ in range(times):
            self.world.click(self.world.users[customer], gateway)

    @rule(index=which, card=st.sampled_from(sorted(CARDS)))
    def enter_a_card(self, index: int, card: str) -> None:
        """On any page of any order that is still open somewhere, in a forgotten tab as well."""
        with suppress(ControlError):  # the page is over, or the payment never came to be
            self.world.pay(self.an_order(index), CARDS[card])

    @rule(index=which)
    def come_back(self, index: int) -> None:
        """The return page."""
        self.world.look(self.an_order(index))

    # Gateways

    @precondition(lambda self: self.world.written())
    @rule(index=which, times=st.integers(1, 2))
    def deliver(self, index: int, times: int) -> None:
        """Any notification at any time: late, early, doubled, repeated, and most of them never."""
        mail = self.world.written()
        self.world.mail = [mail[index % len(mail)]] * times
        self.world.post()

    @rule(index=which, part=st.sampled_from(("all", "some")))
    def refund_in_the_cabinet(self, index: int, part: str) -> None:
        """Somebody of the shop gives money back without the portal."""
        with suppress(ControlError):  # nothing is left to give back
            self.world.refund(self.an_order(index), None if part == "all" else "100.00")

    @rule(where=st.sampled_from(OPERATIONS), fault=st.sampled_from(FAULTS))
    def spoil(self, where: tuple[str, str], fault: str) -> None:
        """The next answer to one operation is no good."""
        self.world.sandbox.world.faults.add(*where, fault, 1)

    # The portal and its machine

    @rule()
    def work(self) -> None:
        """A worker does what is kept."""
        jobs(self.world)

    @rule()
    def sweep(self) -> None:
        """The scheduler looks."""
        self.world.sweep()

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: timedelta) -> None:
        """On both sides; pages and holds end at the gateways meanwhile."""
        self.world.later(step)

    @rule(price=st.sampled_from(("990.00", "1190.00")))
    def change_the_price(self, price: str) -> None:
        """The operator thinks again."""
        with self.world.app.app_context(), transaction():
            plans.on_sale_by_code("PRO_MONTHLY").price = Decimal(price)

    @rule(
        index=which, at=st.integers(1, 60), what=st.sampled_from(("click", "deliver", "sweep", "come back"))
    )
    def die(self, index: int, at: int, what: str) -> None:
        """The process that does this ends at its point *at*, if it has so many."""
        order, mail = self.an_order(index), self.world.written()
        self.world.mail = mail[index % len(mail) :][:1] if mail else []
        act: dict[str, Callable[[], object]] = {
            "click": lambda: self.world.click(self.world.users[index % 2], GATEWAYS[index // 2 % 2]),
            "deliver": self.world.post,
            "sweep": self.world.sweep,
            "come back": lambda: self.world.look(order),
        }
        failpoints.kill(self.world.app, act[what], at)

    # What must hold after every step

    @invariant()
    def the_laws_hold(self) -> None:
        """Laws 1 to 5, as the operator's own command states them."""
        with self.world.app.app_context():
            broken = invariants.violations(clock.now())
        # How long a notification waits is a question to the scheduler, which rests while games are played.
        assert not [found for found in broken if found.invariant.name != "notification-stuck"], broken

    @invariant()
    def what_is_paid_stays_paid(self) -> None:
        """No news moves a payment out of success."""
        with self.world.app.app_context():
            done = select(Payment.transaction_id).where(Payment.status == PaymentStatus.SUCCEEDED)
            paid = set(db.session.scalars(done))
            db.session.remove()
        assert self.paid <= paid
        self.paid = paid

    @invariant()
    def nothing_is_paid_that_was_not_captured(self) -> None:
        """Each payment of ours is the gateway's, once; an order is at most one payment at YooKassa."""
        ahead = ("is paid here and not captured there", "is both paid and a case", "payments")
        found = books.disagreements(self.world.app, self.world.ledger())
        assert not [line for line in found if line.endswith(ahead)], found

    def teardown(self) -> None:
        """With all faults gone and two days of sweeps both sides agree to the kopeck, and nothing is open."""
        self.world.calm()
        for step in (*STEPS, timedelta(hours=3), timedelta(hours=25)):
            self.world.later(step)
            self.world.sweep()
        with self.world.app.app_context():
            broken = invariants.violations(clock.now())
            still_open = db.session.scalars(
                select(Payment.transaction_id).where(Payment.status.in_(OPEN))
            ).all()
            waiting = db.session.scalars(
                select(WebhookEvent.kind).where(WebhookEvent.status == EventStatus.RECEIVED)
            ).all()
            db.session.remove()
        assert (broken, still_open, waiting) == ([], [], [])
        assert not (found := books.disagreements(self.world.app, self.world.ledger())), found

    def an_order(self, index: int) -> str:
        """One of the orders that were ever made."""
        with self.world.app.app_context(), db.engine.connect() as connection:
            made = connection.execute(text("SELECT transaction_id FROM payments ORDER BY id")).scalars().all()
        return str(made[index % len(made)])


def test_the_laws_hold_whatever_happens(app: Flask, sandbox: LiveSandbox, slate: Slate) -> None:
    """No order of clicks, cards, news, refunds, faults, crashes and time breaks a law or loses money."""
    Shop.world = World(app, sandbox, slate)
    run_state_machine_as_test(Shop, settings=GAMES)

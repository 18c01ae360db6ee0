"""A shop as a game: customers, gateways, post, clock and machine do as they like, and laws 1 to 5 hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import TextClause, select, text

from portal import clock
from portal.billing import plans
from portal.database import db, transaction
from portal.gateways.base import GatewayError
from portal.models import EventStatus, Payment, PaymentStatus, Refund, WebhookEvent
from portal.models.payment import OPEN, ORDERED
from portal.models.refund import UNDER_WAY
from portal.sandbox.errors import ControlError
from tests import laws
from tests.crash import failpoints
from tests.crash.world import World
from tests.desk import run_jobs
from tests.stories import books

GATEWAYS = ("cloudpayments", "yookassa")
CARDS = {"pays": "5555555555554444", "is refused": "4444444444444444"}
#: What a payer may change in the words of a widget: they are not signed.
FORGED: Mapping[str, Mapping[str, str]] = {
    "nothing": {},
    "the sum": {"amount": "1.00"},
    "only a hold": {"paymentSchema": "Dual"},
}
STEPS = tuple(timedelta(minutes=m) for m in (0.05, 1.5, 4, 20, 56, 130, 25 * 60))
#: Operations of the two gateways, and what may become of an answer to one.
OPERATIONS = (
    ("yookassa", "create_payment"),
    ("yookassa", "get_payment"),
    ("yookassa", "list_payments"),
    ("yookassa", "create_refund"),
    ("yookassa", "list_refunds"),
    ("yookassa", "get_refund"),
    ("cloudpayments", "tokens_charge"),
    ("cloudpayments", "refund"),
    ("cloudpayments", "get"),
    ("cloudpayments", "find"),
    ("cloudpayments", "list"),
)
FAULTS = (
    "http_500",
    "http_500_after_commit",
    "http_202",
    "drop_before_commit",
    "drop_after_commit",
    "http_429",
    "malformed_200",
)

_MADE = text(
    "SELECT transaction_id FROM payments WHERE purpose = ANY(coalesce(:some, ARRAY[purpose]))"
    " ORDER BY id DESC"
)

which = st.integers(0, 30)


class Purchases(RuleBasedStateMachine):
    """Two customers who click, pay and are refunded, while post, clock and machine do as they like."""

    world: ClassVar[World]
    log: ClassVar[pytest.LogCaptureFixture]

    def __init__(self) -> None:
        super().__init__()
        self.paid: set[str] = set()
        self.posted = 0
        self.log.clear()
        self.world.begin()
        self.world.together = True
        for name in ("ira", "oleg"):
            self.world.customer(name)
        self.world.sweep()  # the scheduler has been running since the shop was opened

    # Customers

    @rule(customer=st.integers(0, 1), gateway=st.sampled_from(GATEWAYS), agreed=st.booleans())
    def click(self, customer: int, gateway: str, agreed: bool) -> None:
        """Press the button: an order, the same order again, or one at the other gateway."""
        self.world.click(self.world.users[customer], gateway, recurring=agreed)

    @rule(index=which, card=st.sampled_from(sorted(CARDS)), forged=st.sampled_from(sorted(FORGED)))
    def enter_a_card(self, index: int, card: str, forged: str = "nothing") -> None:
        """On any page of any order that is still open somewhere, in a forgotten tab as well."""
        if order := self.an_order(index, ordered=True):
            with suppress(ControlError):  # the page is over, or the payment never came to be
                self.world.pay(order, CARDS[card], **FORGED[forged])

    @rule(index=which)
    def come_back(self, index: int) -> None:
        """The return page."""
        if order := self.an_order(index, ordered=True):
            self.world.look(order)

    # Gateways

    @precondition(lambda self: self.world.written())
    @rule(index=which, times=st.integers(1, 2))
    def deliver(self, index: int, times: int) -> None:
        """Any notification at any time: late, early, doubled, repeated."""
        mail = self.world.written()
        self.world.mail = [mail[-1 - index % len(mail)]] * times
        self.world.post()

    @rule()
    def deliver_the_new(self) -> None:
        """The post is not always that bad."""
        mail = self.world.written()
        self.world.mail, self.posted = mail[self.posted :], len(mail)
        self.world.post()

    @rule(index=which, part=st.sampled_from(("all", "some")))
    def refund_in_the_cabinet(self, index: int, part: str) -> None:
        """Somebody of the shop gives money back without the portal."""
        if order := self.an_order(index):
            with suppress(ControlError):  # nothing is left to give back
                self.world.refund(order, None if part == "all" else "100.00")

    @rule(where=st.sampled_from(OPERATIONS), fault=st.sampled_from(FAULTS), times=st.integers(1, 3))
    def spoil(self, where: tuple[str, str], fault: str, times: int) -> None:
        """The next answers to one operation are no good."""
        self.world.sandbox.world.faults.add(*where, fault, times)

    # The portal and its machine

    @rule()
    def work(self) -> None:
        """A worker does every job that it was given."""
        run_jobs(self.world.app)

    @rule()
    def lose_the_queue(self) -> None:
        """Redis comes back empty."""
        self.world.app.extensions["portal_queue"].connection.flushdb()

    @rule()
    def sweep(self) -> None:
        """The scheduler looks."""
        self.world.sweep()

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: timedelta) -> None:
        """On both sides, with nobody to see to what falls due; pages and holds end at the gateways."""
        self.world.later(step)

    @rule(price=st.sampled_from(("990.00", "1190.00")))
    def change_the_price(self, price: str) -> None:
        """The operator thinks again."""
        with self.world.app.app_context(), transaction():
            plans.on_sale_by_code("PRO_MONTHLY").price = Decimal(price)

    @rule(index=which, at=st.integers(1, 200), what=st.integers(0, 30))
    def die(self, index: int, at: int, what: int) -> None:
        """The process that does this ends at its point *at*, if it has so many."""
        acts = self.deadly(index)
        failpoints.kill(self.world.app, acts[what % len(acts)], at)

    def deadly(self, index: int) -> list[Callable[[], object]]:
        """What may be going on when the machine dies."""
        order, mail = self.an_order(index, ordered=True), self.world.written()
        self.world.mail = mail[-1 - index % len(mail) :][:1] if mail else []
        acts: list[Callable[[], object]] = [
            self.world.sweep,
            self.world.post,
            lambda: self.world.click(self.world.users[index % 2], GATEWAYS[index // 2 % 2]),
        ]
        return [*acts, lambda: self.world.look(order)] if order else acts

    # What must hold after every step

    @invariant()
    def the_laws_hold(self) -> None:
        """Laws 1 to 5, as the operator's own command states them."""
        with self.world.app.app_context():
            broken = laws.violations(clock.now())
        # How long a notification waits is a question to the scheduler, which rests while games are played.
        assert not [found for found in broken if found.invariant.name != "notification-stuck"], broken

    @invariant()
    def nothing_breaks(self) -> None:
        """Where one row is broken the sweep goes on, and only the log says so."""
        raised = [record.exc_info for record in self.log.records if record.exc_info]
        assert not [one for one in raised if not isinstance(one[1], GatewayError)], raised

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
        """Each payment of ours is the gateway's, once and to the kopeck; an order is one payment at YooKassa.

        What was captured or refunded there may be news to us.
        """
        ahead = r"is paid here and not captured there$|is both paid and a case$|payments$|\): \d"
        found = books.disagreements(self.world.app, self.world.ledger())
        assert not [line for line in found if re.search(ahead, line)], found

    def teardown(self) -> None:
        """With all faults gone and days of sweeps both sides agree to the kopeck, and nothing is open."""
        self.world.calm()
        for step in (*STEPS, timedelta(hours=3), timedelta(hours=25), timedelta(days=8)):
            self.world.later(step)
            self.world.sweep()
        with self.world.app.app_context():
            broken = laws.violations(clock.now())
            still_open = [
                *db.session.scalars(select(Payment.transaction_id).where(Payment.status.in_(OPEN))),
                *db.session.scalars(select(Refund.key).where(Refund.status.in_(UNDER_WAY))),
                *db.session.scalars(
                    select(WebhookEvent.kind).where(WebhookEvent.status == EventStatus.RECEIVED)
                ),
            ]
            db.session.remove()
        assert not broken + still_open, broken + still_open
        assert not (found := books.disagreements(self.world.app, self.world.ledger())), found

    def an_order(self, index: int, *, ordered: bool = False) -> str | None:
        """One of the payments that were ever made, from the latest on; of those with a page, or of all."""
        purposes = [purpose.value for purpose in ORDERED] if ordered else None
        made = self.ask(_MADE, some=purposes)
        return str(made[index % len(made)][0]) if made else None

    def ask(self, query: TextClause, **values: object) -> Sequence[Any]:
        """What the database answers."""
        with self.world.app.app_context(), db.engine.connect() as connection:
            return connection.execute(query, values).all()

"""The same shop with saved methods: charged, refused, paid now, chosen, let go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from sqlalchemy import select, text

from portal import clock
from portal.billing import agreements, methods, overdue, renewals
from portal.billing.consents import ClientInfo
from portal.database import db
from portal.errors import PortalError
from portal.models import PaymentMethod
from tests.stories import books
from tests.stories.game import FAULTS, GATEWAYS, Purchases, which

BROWSER = ClientInfo("198.51.100.7", "a browser of the tests")
#: How a bank answers when a saved method is charged.
OUTCOMES = {
    "cloudpayments": ("5051", "5043", "5054", "3ds", "success"),
    "yookassa": ("insufficient_funds", "permission_revoked", "3d_secure_failed", "pending", "success"),
}
SPANS = tuple(timedelta(days=days) for days in (1, 3, 27, 30, 35))
_CHARGES = text("SELECT min(charge_due_at) FROM subscriptions WHERE charge_due_at > :now")
_SUBSCRIPTIONS = text("SELECT id FROM subscriptions WHERE user_id = :who ORDER BY id")
_CYCLES = text("SELECT transaction_id, subscription_id, period_start FROM payments WHERE purpose = 'renewal'")
_ATTEMPTS = text(
    "SELECT transaction_id, consent_id, payment_method_id FROM payments WHERE purpose = 'renewal'"
)
_WITHDRAWN = text("SELECT id FROM consents WHERE withdrawn_at IS NOT NULL")
_UNLINKED = text("SELECT id FROM payment_methods WHERE detached_at IS NOT NULL")

customer = st.integers(0, 1)


@dataclass
class Letters:
    """Where the portal's letters go: to nobody, if they leave at all."""

    leave: bool = True

    def hand_over(self, *_letter: object) -> None:
        """What stands in the mailer's place."""
        if not self.leave:
            raise ConnectionRefusedError


class Renewals(Purchases):
    """The two customers let the shop charge them, until they do not."""

    letters: ClassVar[Letters]

    def __init__(self) -> None:
        super().__init__()
        self.letters.leave = True
        #: As it was a step ago: the payments that the gateways had, the agreements and methods taken back.
        self.known: set[str] = set()
        self.withdrawn: set[int] = set()
        self.unlinked: set[int] = set()

    @initialize(first=st.sampled_from(GATEWAYS), second=st.sampled_from((*GATEWAYS, "")))
    def open(self, first: str, second: str) -> None:
        """Somebody has subscribed before the game begins."""
        for who, gateway in enumerate(filter(None, (first, second))):
            self.click(who, gateway, agreed=True)
            self.enter_a_card(0, "pays")
            self.come_back(0)

    # Time and workers

    @rule(span=st.sampled_from(SPANS))
    def days_pass(self, span: timedelta) -> None:
        """With the scheduler at work."""
        self.world.live(clock.now() + span)

    @rule(handed_out=st.booleans())
    def come_to_a_charge(self, handed_out: bool) -> None:
        """The moment of the next charge is there; it may lie in the queue, and nobody has taken it up yet."""
        if (following := self.ask(_CHARGES, now=clock.now())[0][0]) is not None:
            self.world.live(following - timedelta(seconds=1))
            self.world.later(max(following - clock.now(), timedelta(0)))
        if handed_out:
            self.does(lambda: renewals.hand_out(clock.now()))

    @rule(fault=st.sampled_from(("", *FAULTS)))
    def charge_in_trouble(self, fault: str) -> None:
        """The moment of the next charge comes, and the gateway's answer to it may be no good."""
        self.come_to_a_charge(handed_out=False)
        if fault:
            for call in (("cloudpayments", "tokens_charge"), ("yookassa", "create_payment")):
                self.spoil(call, fault, 1)
        self.world.sweep()

    @rule()
    def charge_all(self) -> None:
        """Jobs run again: a worker takes up every subscription, due or not."""
        for (found,) in self.ask(text("SELECT id FROM subscriptions ORDER BY id")):
            self.does(lambda found=found: renewals.renew(found))  # type: ignore[misc]

    # Customers

    @rule(who=customer, gateway=st.sampled_from(("", *GATEWAYS)))
    def pay_now(self, who: int, gateway: str) -> None:
        """A refused renewal: with the saved method at once, or at a page."""
        if found := self.ask(_SUBSCRIPTIONS, who=self.world.users[who]):
            self.does(lambda: self.pay_for(found[-1][0], gateway))

    @staticmethod
    def pay_for(subscription_id: int, gateway: str) -> None:
        """What the letter's link leads to."""
        if gateway:
            overdue.order(subscription_id, gateway, accept_recurring=True, client=BROWSER, now=clock.now())
        else:
            overdue.try_now(subscription_id, clock.now())

    @rule(who=customer)
    def stop(self, who: int) -> None:
        """Switch renewal off."""
        self.does(lambda: agreements.stop(self.world.users[who], clock.now()))

    @rule(who=customer)
    def resume(self, who: int) -> None:
        """Switch it on again."""
        self.does(lambda: agreements.resume(self.world.users[who], BROWSER, clock.now()))

    @rule(index=which)
    def unlink(self, index: int) -> None:
        """Let a saved method go."""
        self.does(self.with_a_method(index, methods.unlink))

    @rule(index=which)
    def choose(self, index: int) -> None:
        """Let another saved method be charged."""
        self.does(self.with_a_method(index, agreements.make_default))

    # Banks and the post

    @rule(index=which, outcome=st.integers(0, 4), times=st.sampled_from((1, 2, 5)))
    def bank_thinks(self, index: int, outcome: int, times: int) -> None:
        """How the next charges of a saved method end."""
        simulators: Any = self.world.sandbox.world.simulators
        saved = [(name, one) for name in GATEWAYS for one in simulators[name].ledger()["methods"]]
        if saved:
            name, one = saved[index % len(saved)]
            simulators[name].program(one.get("token") or one["id"], OUTCOMES[name][outcome], times)

    @rule(works=st.booleans())
    def mail(self, works: bool) -> None:
        """Letters leave, or they do not; then charges are held back."""
        self.letters.leave = works

    def teardown(self) -> None:
        """Letters leave again, and all else is as before."""
        self.letters.leave = True
        super().teardown()

    def deadly(self, index: int) -> list[Callable[[], object]]:
        """A worker may die at a charge, and whatever answers a click."""
        unlinks = self.with_a_method(index, methods.unlink)
        return [self.charge_all, *super().deadly(index), lambda: self.does(unlinks)]

    # What must hold after every step

    @invariant()
    def one_capture_for_one_period(self) -> None:
        """Law 2 by the gateways' books: one charge that did not go back for each subscription and period."""
        ledger = self.world.ledger()
        theirs = books.of_the_gateways(ledger)
        kept = {
            payment["transaction_id"]
            for payment in ledger["payments"]
            for key in [(payment["gateway"], payment["id"])]
            if theirs.captured.get(key, Decimal(0)) > theirs.refunded.get(key, Decimal(0))
        }
        charged = Counter(
            cycle for order, *cycle in self.ask(_CYCLES) for cycle in [tuple(cycle)] if order in kept
        )
        assert not [cycle for cycle, times in charged.items() if times > 1], f"charged twice: {charged}"

    @invariant()
    def nobody_is_charged_who_said_no(self) -> None:
        """Law 10 by the gateways' books: what was taken back a step ago has not been charged since."""
        held = {str(payment["transaction_id"]) for payment in self.world.ledger()["payments"]}
        new = [row for row in self.ask(_ATTEMPTS) if row[0] in held - self.known]
        against = [row for row in new if row[1] in self.withdrawn or row[2] in self.unlinked]
        assert not against, f"charged against the customer's will: {against}"
        self.known = held
        self.withdrawn = {row[0] for row in self.ask(_WITHDRAWN)}
        self.unlinked = {row[0] for row in self.ask(_UNLINKED)}

    # Ways and means

    def does(self, verb: Callable[[], object]) -> bool:
        """Somebody tries something; whether nothing was said against it."""
        with self.world.app.app_context():
            try:
                verb()
            except PortalError:
                return False
            finally:
                db.session.remove()
        return True

    def with_a_method(self, index: int, verb: Callable[[int, int, Any], object]) -> Callable[[], object]:
        """What its owner does with one of the methods that are still linked, if there are any."""

        def act() -> None:
            linked = select(PaymentMethod).where(PaymentMethod.detached_at.is_(None))
            found = db.session.scalars(linked.order_by(PaymentMethod.id.desc())).all()
            if found:
                method = found[index % len(found)]
                verb(method.user_id, method.id, clock.now())

        return act

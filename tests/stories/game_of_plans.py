"""The same shop with all that may become of a plan: changed, used, ended, paid back."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from sqlalchemy import select, text

from portal import clock
from portal.billing import cancellation, changing, quota, refunds, sending_back, settings
from portal.database import db
from portal.models import Payment, PaymentStatus, RefundSource, User
from tests.stories.game import GATEWAYS, which
from tests.stories.game_of_renewals import BROWSER, Renewals, customer

PLANS = ("START_MONTHLY", "PRO_MONTHLY", "BUSINESS_MONTHLY", "PRO_YEARLY")
SETTINGS = (
    ("refund_policy", "full"),
    ("refund_policy", "unused_days"),
    ("refund_policy", "unused_quota"),
    ("auto_renewal_enabled", "false"),
    ("auto_renewal_enabled", "true"),
)
#: At once, after a while, refused at once, refused after a while.
REFUNDS = ("succeeded", "pending", "insufficient_funds", "pending_insufficient_funds")
_USES = text("SELECT idempotency_key, quantity FROM usage_records WHERE idempotency_key LIKE 'mail-%'")


class Shop(Renewals):
    """All of it together."""

    def __init__(self) -> None:
        super().__init__()
        self.used: dict[str, int] = {}

    @rule(who=customer, plan=st.sampled_from(PLANS), gateway=st.sampled_from(GATEWAYS), paid=st.booleans())
    def change(self, who: int, plan: str, gateway: str, paid: bool) -> None:
        """Ask for another plan; where that is an order, it may be paid at once."""
        before = self.an_order(0)
        self.does(self.asking_for(who, plan, gateway))
        if paid and self.an_order(0) != before:
            self.enter_a_card(0, "pays")

    @rule(who=customer)
    def cancel(self, who: int) -> None:
        """End the plan now, by the shop's rule for the money."""
        self.does(lambda: cancellation.cancel(self.world.users[who], clock.now()))

    @rule(who=customer, quantity=st.sampled_from((1, 700, 4999)))
    def send_mail(self, who: int, quantity: int) -> None:
        """The shop's product counts what was sent, and asks twice."""
        key, email = f"mail-{len(self.used)}", ("ira@example.com", "oleg@example.com")[who]
        for _ in range(2):
            if self.does(lambda: quota.use(email, quantity, key, clock.now())):
                self.used[key] = quantity

    @rule(setting=st.sampled_from(SETTINGS))
    def set_up(self, setting: tuple[str, str]) -> None:
        """The operator changes the shop's mind."""
        self.does(lambda: settings.put(*setting, clock.now()))

    @rule(outcome=st.sampled_from(REFUNDS))
    def refunds_end(self, outcome: str) -> None:
        """How YooKassa carries refunds out from now on."""
        self.world.sandbox.world.settings.merge({"yookassa_refund_outcome": outcome})

    @rule(index=which, part=st.sampled_from(("all", "some", "the rest but a rouble")))
    def operator_refunds(self, index: int, part: str) -> None:
        """An operator gives money back through the portal, as much as it lets him."""
        self.does(lambda: self.give_back(index, part))

    @staticmethod
    def give_back(index: int, part: str) -> None:
        """One of the payments that have succeeded, in whole or in part."""
        paid = select(Payment).where(Payment.status == PaymentStatus.SUCCEEDED).order_by(Payment.id.desc())
        if found := db.session.scalars(paid).all():
            payment = found[index % len(found)]
            sums = {
                "all": payment.amount,
                "some": Decimal("100.00"),
                "the rest but a rouble": payment.amount - payment.refunded_amount - 1,
            }
            refunds.give_back(payment.id, sums[part], RefundSource.OPERATOR, "по просьбе", clock.now())

    def deadly(self, index: int) -> list[Callable[[], object]]:
        """A worker may die at a refund, and whatever answers a click."""
        who, now = index % 2, clock.now()
        asks = self.asking_for(who, PLANS[2], GATEWAYS[index // 2 % 2])
        return [
            self.send_back_all,
            *super().deadly(index),
            lambda: self.does(lambda: cancellation.cancel(self.world.users[who], now)),
            lambda: self.does(asks),
        ]

    def send_back_all(self) -> None:
        """Workers carry every refund on that is due."""
        with self.world.app.app_context():
            due = sending_back.waiting(clock.now())
            db.session.remove()
            for found in due:
                sending_back.carry_on(found)
            db.session.remove()

    def asking_for(self, who: int, plan: str, gateway: str) -> Callable[[], object]:
        """A change of plan, agreed to."""

        def ask() -> None:
            user = db.session.get_one(User, self.world.users[who])
            changing.change(user, plan, gateway, accept_recurring=True, client=BROWSER, now=clock.now())

        return ask

    @invariant()
    def no_use_is_lost(self) -> None:
        """Every e-mail that was counted is counted once."""
        records = [tuple(record) for record in self.ask(_USES)]
        assert sorted(records) == sorted(self.used.items()), records

"""One subscription on the eve of its renewal: bought by a customer who agreed, with no web server around it.

The gateways are the sandbox over real HTTP. They tell nobody anything by themselves: what is not asked about
stays unheard, unless :meth:`Cycle.hear` delivers it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select, text

from portal import clock
from portal.billing import checkout, due, lookback, payments, renewals, settings, sweep
from portal.billing.consents import ClientInfo
from portal.database import db
from portal.gateways.base import Timeouts
from portal.models import GatewayName, Payment, PaymentPurpose, Subscription, User
from tests import lists
from tests.desk import LiveSandbox, a_user
from tests.stories import books

CARD = "5555555555554444"
BROWSER = ClientInfo("198.51.100.7", "a browser of the tests")
GATEWAYS = ("cloudpayments", "yookassa")
ADDRESSES = {"cloudpayments_notify": "http://127.0.0.1:9/{kind}", "yookassa_notify": "http://127.0.0.1:9/"}


@dataclass
class Cycle:
    """A customer whose plan runs and whose card will be charged for the next period."""

    app: Flask
    sandbox: LiveSandbox
    gateway: str
    user_id: int
    subscription_id: int
    #: The present moment of the latest sweep: what fell due after it has not been done.
    swept_at: datetime | None = None

    @property
    def row(self) -> Subscription:
        """The subscription as the database has it now."""
        with self.app.app_context():
            found = db.session.get_one(Subscription, self.subscription_id, populate_existing=True)
            db.session.expunge(found)
            return found

    @property
    def charges(self) -> list[Payment]:
        """The renewals tried so far, oldest first."""
        with self.app.app_context():
            wanted = select(Payment).where(
                Payment.subscription_id == self.subscription_id, Payment.purpose == PaymentPurpose.RENEWAL
            )
            return list(db.session.scalars(wanted.order_by(Payment.id)))

    @property
    def outcomes(self) -> list[str]:
        """What became of each of them: its status, and the code of its refusal."""
        return [" ".join(filter(None, (c.status.value, c.failure_code))) for c in self.charges]

    @property
    def captured(self) -> int:
        """How often the gateways took money of this customer for a renewal."""
        ours = {charge.transaction_id for charge in self.charges}
        return len([p for p in self.held if p["transaction_id"] in ours and float(p["captured"])])

    @property
    def held(self) -> list[Any]:
        """The gateway's own payments, oldest first."""
        return list(self.sandbox.world.simulators[self.gateway].ledger()["payments"])

    def go_to(self, moment: datetime) -> None:
        """Show another time on both sides; nothing is done yet."""
        self.sandbox.world.clock.move_to(moment)
        self.sandbox.world.run_due()
        clock.set_to(moment)

    def later(self, step: timedelta) -> None:
        """So much time passes, and what is due in its end is done, in the scheduler's way."""
        self.go_to(clock.now() + step)
        self.sweep()

    def sweep(self) -> None:
        """All that is due at the present moment is done, the workers' part as well."""
        with self.app.app_context():
            # What a charge leads to is due a moment later than the charge.
            found = 1
            while found:
                self.swept_at = clock.now()
                found = sweep.sweep(self.swept_at, without_workers=True)
            db.session.remove()

    def announce(self) -> None:
        """The first letter about the coming charge goes out in time; then it is the moment of the charge."""
        charge_at = self.row.charge_due_at
        assert charge_at is not None
        self.go_to(charge_at - timedelta(hours=71))
        self.sweep()
        self.go_to(charge_at)

    def charge(self) -> bool:
        """A worker takes the charge up; whether it called a gateway."""
        with self.app.app_context():
            called = renewals.renew(self.subscription_id)
            db.session.remove()
            return called

    def walk(self, until: datetime) -> None:
        """Work through everything that falls due up to that moment."""
        self.sweep()
        while (following := self._next_due()) is not None and following <= until:
            self.go_to(max(following, clock.now()))
            self.sweep()
        self.go_to(max(until, clock.now()))
        self.sweep()

    def until(self, condition: Any, steps: int = 60) -> None:
        """Walk from one due moment to the next until *condition* holds."""
        for step in range(steps):
            if not step and not condition():
                self.sweep()
            if condition():
                return
            following = self._next_due()
            assert following is not None, "nothing is due any more"
            self.go_to(max(following, clock.now()))
            self.sweep()
        raise AssertionError("it did not come about")

    def _next_due(self) -> datetime | None:
        """The next moment at which something is due: on a slow machine it may have passed since the sweep."""
        with self.app.app_context():
            return due.next_due(self.swept_at or clock.now())

    def compare(self) -> None:
        """The gateway's own list is looked through: news that no row waits for is found."""
        with self.app.app_context():
            lookback.compare(GatewayName(self.gateway), clock.now() - timedelta(days=30), clock.now())
            db.session.remove()

    def spoil(self, operation: str, fault: str, times: int = 1) -> None:
        """Let the gateway's next answers to *operation* be *fault*."""
        self.sandbox.world.faults.add(self.gateway, operation, fault, times)

    def refuse(self, outcome: str, times: int | None = 1) -> None:
        """Let the next charges of the saved method end like this."""
        self.sandbox.world.simulators[self.gateway].program(self.token, outcome, times)

    @property
    def token(self) -> str:
        """The gateway's own name of the saved method."""
        methods = self.sandbox.world.simulators[self.gateway].ledger()["methods"]
        return str(methods[0].get("token") or methods[0]["id"])

    def put(self, name: str, value: str) -> None:
        """Set one of the shop's settings."""
        with self.app.app_context():
            settings.put(name, value, clock.now())
            settings.forget()

    def run(self, statement: str, **values: Any) -> None:
        """Change the data behind billing's back."""
        with self.app.app_context(), db.engine.begin() as connection:
            for part in statement.split(";"):
                connection.execute(text(part), values)

    def ask(self, query: str) -> list[Any]:
        """What the portal's database answers."""
        return books.rows(self.app, query)

    def agree(self) -> None:
        """Both sides' books are the same."""
        parts = [simulator.ledger() for simulator in self.sandbox.world.simulators.values()]
        ledger = {what: [line for part in parts for line in part[what]] for what in ("payments", "refunds")}
        assert not (found := books.disagreements(self.app, ledger)), found


def begin(
    app: Flask,
    sandbox: LiveSandbox,
    gateway: str,
    plan: str = "PRO_MONTHLY",
    card: str = CARD,
    email: str = "ira@example.com",
) -> Cycle:
    """A plan that was just bought, with the agreement that it is renewed; wants ``recurring``."""
    wait_for_gateways(app, 10.0)
    with app.app_context():
        lists.leave_alone()
        user = a_user(email)
        payment = buy(sandbox, user, gateway, plan, card)
        assert payment.status.value == "succeeded"
        found = select(Subscription.id).where(Subscription.user_id == user.id, Subscription.auto_renew)
        subscription_id = db.session.scalars(found).one()
        user_id = user.id
        db.session.remove()
    cycle = Cycle(app, sandbox, gateway, user_id, subscription_id)
    cycle.sweep()
    return cycle


def wait_for_gateways(app: Flask, seconds: float) -> None:
    """Let the portal wait so long for an answer, for the rest of this test."""
    config = app.extensions["portal_config"]
    app.extensions["portal_config"] = replace(
        config, gateway_timeouts=Timeouts(connect=seconds, read=seconds)
    )


def buy(
    sandbox: LiveSandbox, user: User, gateway: str, plan: str, card: str = CARD, *, recurring: bool = True
) -> Payment:
    """Order and pay a plan; the news is fetched, not delivered."""
    payment = checkout.start(
        user, plan, gateway, accept_recurring=recurring, client=BROWSER, now=clock.now()
    ).payment
    widget = {"widget": checkout.widget(payment, user)} if gateway == "cloudpayments" else {}
    simulator: Any = sandbox.world.simulators[gateway]
    simulator.pay(payment.transaction_id, card, widget)
    return payments.refresh(payment.id, clock.now())

"""One small world for many deaths: no web server, gateways that tell nobody, and the post in our hands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import func, select, text

from portal import clock
from portal.billing import checkout, due, payments, settings, sweep
from portal.billing.consents import ClientInfo
from portal.database import db
from portal.errors import PortalError
from portal.models import Case, Payment, PaymentStatus, PurchasedPlan, Refund, User
from tests import laws
from tests import lists as gateways_lists
from tests.desk import LiveSandbox, a_user
from tests.slate import Slate
from tests.stories import books

CARD = "5555555555554444"
_BROWSER = ClientInfo("198.51.100.7", "a browser of the tests")
#: PostgreSQL needs a moment to notice a death, and a sweep passes over what somebody holds.
_UNTIL_THE_DEAD_ARE_GONE = text(
    "LOCK TABLE users, payments, subscriptions, refunds, notifications, webhook_events IN EXCLUSIVE MODE"
)
_NOWHERE = "http://127.0.0.1:9/nobody/"


@dataclass
class World:
    """Both sides of the wire, and everything that happens between them."""

    app: Flask
    sandbox: LiveSandbox
    slate: Slate
    users: list[int] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    mail: list[Any] = field(default_factory=list)
    together: bool = False

    def begin(self, *, lists: bool = True) -> None:
        """Empty both sides; notifications are written down by the gateways and never sent.

        Without their *lists* what was left behind has to be found by the row that waits for it.
        """
        clock.reset()
        self.users, self.orders, self.mail, self.together = [], [], [], False
        self.sandbox.world.reset()
        self.sandbox.world.settings.merge(
            {
                "webhooks": "drop",
                "yookassa_notify": _NOWHERE,
                "cloudpayments_notify": dict.fromkeys(
                    ("pay", "fail", "refund", "cancel", "confirm"), _NOWHERE
                )
                | {"check": None},
            }
        )
        self.slate.clean()
        with self.app.app_context():
            settings.forget()
            db.session.remove()
            if not lists:
                gateways_lists.leave_alone()

    def customer(self, name: str = "ira") -> int:
        """Somebody who may buy."""
        with self.app.app_context():
            self.users.append(a_user(f"{name}@example.com").id)
        return self.users[-1]

    def click(self, user_id: int, gateway: str, *, recurring: bool = False) -> Any:
        """Press the checkout's button; the gateway's troubles end on a page, as they do in the portal."""
        with self.app.app_context():
            try:
                user = db.session.get_one(User, user_id)
                return checkout.start(
                    user, "PRO_MONTHLY", gateway, accept_recurring=recurring, client=_BROWSER, now=clock.now()
                )
            except PortalError:
                return None

    def order(self, user_id: int, gateway: str, *, recurring: bool = False) -> str:
        """An order that nothing went wrong with; its transaction_id."""
        made = self.click(user_id, gateway, recurring=recurring)
        assert made is not None
        self.orders.append(made.payment.transaction_id)
        return str(made.payment.transaction_id)

    def pay(self, transaction_id: str, card: str = CARD, **forged: str) -> None:
        """What the payer does on the gateway's page, or in the widget with *forged* words of ours.

        Raises ControlError when it is over.
        """
        with self.app.app_context():
            payment = db.session.scalars(select(Payment).filter_by(transaction_id=transaction_id)).one()
            user = db.session.get_one(User, payment.user_id)
            gateway = payment.gateway.value
            widget = {"widget": checkout.widget(payment, user) | forged} if gateway == "cloudpayments" else {}
        simulator: Any = self.sandbox.world.simulators[gateway]
        simulator.pay(transaction_id, card, widget)
        self.collect()

    def refund(self, transaction_id: str, amount: str | None) -> None:
        """A refund in the gateway's cabinet, of *amount* or all. Raises ControlError when it cannot be."""
        gateway = "yookassa" if transaction_id in self._at_yookassa() else "cloudpayments"
        self.sandbox.world.simulators[gateway].refund(transaction_id, {"amount": amount} if amount else {})
        self.collect()

    def collect(self) -> None:
        """Take what the gateways have written so far out of their boxes."""
        self.mail = self.written()

    def written(self) -> list[Any]:
        """Every notification that the gateways have written, oldest first."""
        return self.sandbox.world.store.all("notification")

    def post(self) -> None:
        """Deliver every notification that was collected, oldest first."""
        client = self.app.test_client(use_cookies=False)
        for told in self.mail:
            tail = f"{told['kind']}/" if told["gateway"] == "cloudpayments" else ""
            answer = client.post(
                f"/billing/webhook/{told['gateway']}/{tail}", data=told["body"], headers=told["headers"]
            )
            assert answer.status_code == 200, answer.text

    def look(self, transaction_id: str) -> None:
        """The customer comes back: the return page's question."""
        with self.app.app_context():
            payments.ask(
                db.session.scalars(select(Payment).filter_by(transaction_id=transaction_id)).one(),
                clock.now(),
            )

    def sweep(self) -> None:
        """What the scheduler finds due, and the workers' part of it."""
        with self.app.app_context():
            sweep.sweep_until_quiet(clock.now(), without_workers=True)
            db.session.remove()

    def later(self, step: timedelta) -> None:
        """Time passes at the portal, and where both go *together* at the gateways as well."""
        clock.set_to(clock.now() + step)
        if self.together:
            self.sandbox.world.clock.move_to(clock.now())
            self.sandbox.world.run_due()

    def live(self, until: datetime) -> None:
        """Time passes at both sides while the scheduler sees to what falls due, at most some twenty times."""
        pace = (until - clock.now()) / 20
        self.sweep()
        while (following := self._next_due()) is not None and following < until:
            self.later(min(max(following - clock.now(), pace), until - clock.now()))
            self.sweep()
        self.later(until - clock.now())
        self.sweep()

    def _next_due(self) -> datetime | None:
        with self.app.app_context():
            return due.next_due(clock.now())

    def recover(self) -> None:
        """What the scheduler does in the hours after a crash."""
        for step in (timedelta(minutes=3), timedelta(minutes=20), timedelta(hours=2)):
            self.later(step)
            self.sweep()

    def spoil(self, operation: str, fault: str) -> None:
        """Let YooKassa's next answer to *operation* be *fault*."""
        self.sandbox.world.faults.add("yookassa", operation, fault, 1)

    def calm(self) -> None:
        """The bad day is over: no spoilt answer waits any more, and no row is kept by whoever died."""
        self.sandbox.world.faults.clear()
        with self.app.app_context(), db.engine.begin() as connection:
            connection.execute(_UNTIL_THE_DEAD_ARE_GONE)

    def wrong(self, *, paid: int, refunded: str = "0.00") -> list[str]:
        """Everything that should not be: broken laws, books that differ, another number of anything."""
        with self.app.app_context():
            found = [str(violation) for violation in laws.violations(clock.now())]
            ledger = self.ledger()
            found += books.disagreements(self.app, ledger)
            captures = len([p for p in ledger["payments"] if float(p["captured"])])
            tell = {
                "captures": (captures, paid),
                "payments": (
                    _count(select(func.count()).where(Payment.status == PaymentStatus.SUCCEEDED)),
                    paid,
                ),
                "periods": (_count(select(func.count(PurchasedPlan.id))), paid),
                "refunded": (
                    str(db.session.scalar(select(func.coalesce(func.sum(Refund.amount), 0)))),
                    refunded,
                ),
                "cases": (_count(select(func.count(Case.id))), 0),
            }
            db.session.remove()
        tell["refunded"] = (f"{float(tell['refunded'][0]):.2f}", refunded)
        return found + [f"{what}: {is_} instead of {be}" for what, (is_, be) in tell.items() if is_ != be]

    def ledger(self) -> Any:
        """Both gateways' books."""
        parts = [simulator.ledger() for simulator in self.sandbox.world.simulators.values()]
        return {what: [line for part in parts for line in part[what]] for what in ("payments", "refunds")}

    def _at_yookassa(self) -> set[str]:
        simulator: Any = self.sandbox.world.simulators["yookassa"]
        return {str(payment["transaction_id"]) for payment in simulator.ledger()["payments"]}


def _count(query: Any) -> int:
    return int(db.session.scalar(query) or 0)

"""Every order in which one payment's notifications can arrive, one of them twice, ends in the same place.

The truth is made once at the sandbox's CloudPayments, with its notifications held back. Then the gateway's
own bodies are delivered in every order to an order of ours that knows nothing yet, and the sweep looks
afterwards, as the scheduler would. The oracle knows what happened and not the order in which it was told.

PERMUTATIONS=all in the environment also runs every order in which each of them comes twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
import requests
from sqlalchemy import text

from config import Config
from portal import clock
from portal.billing import sweep
from portal.database import db
from portal.models import (
    Case,
    GatewayCall,
    Notification,
    PaymentMove,
    PurchasedPlan,
    Refund,
    Subscription,
    WebhookEvent,
)
from tests.desk import Desk, LiveSandbox
from tests.stories import cloudpayments_bodies as bodies
from tests.stories.till import Till, in_process, open_till

DECLINED, PAYS = "4444444444444444", "4242424242424242"
CHECK_ANSWERS = {"pending": 0, "failed": 0, "authorized": 13, "succeeded": 13}


#: What followed from an order, in the order in which it may go.
FORGOTTEN = (
    PaymentMove,
    GatewayCall,
    Notification,
    Refund,
    PurchasedPlan,
    Subscription,
    Case,
    WebhookEvent,
)
FORGETTING = ";".join(f"DELETE FROM {model.__tablename__}" for model in FORGOTTEN)  # noqa: S608 - names of ours


@dataclass
class History:
    """What happened at the gateway, as the bodies it would send, by name; and where all of it leads."""

    till: Till
    told: dict[str, tuple[str, bytes]]
    ends: tuple[str, int, str]

    def rewind(self) -> None:
        """Let the portal forget everything but the order itself, as it was when it was made."""
        with self.till.app.app_context(), db.engine.begin() as connection:
            # What has no parameters travels in one trip.
            connection.exec_driver_sql(FORGETTING)
            connection.execute(
                text(
                    "UPDATE payments SET status = 'pending', gateway_payment_id = NULL, paid_at = NULL,"
                    " refunded_amount = 0, failure_code = NULL, failed_at = NULL, asked_at = NULL,"
                    " checks = 0, next_check_at = :soon, created_at = :now, expires_at = :later"
                ),
                {
                    "now": clock.now(),
                    "soon": clock.now() + timedelta(minutes=2),
                    "later": clock.now() + timedelta(days=1),
                },
            )

    def tell(self, names: Sequence[str], *, reworded: bool = False) -> None:
        """Deliver in this order; a name that stands again is the duplicate, as JSON when *reworded*."""
        told: set[str] = set()
        for name in names:
            kind, raw = self.told[name]
            if name in told and reworded:
                fields = dict(bodies.parsed(raw))
                answer = self.till.deliver(bodies.as_json(fields), to=kind, content_type=bodies.JSON)
            else:
                answer = self.till.deliver(raw, to=kind)
            told.add(name)
            assert answer.status == 200, (names, name)
            if kind == "check":
                assert answer.code == CHECK_ANSWERS[self.till.state().status], (names, name)
            else:
                assert answer.code == 0, (names, name)

    def sweep_later(self) -> None:
        """Let the scheduler look after its first question fell due; letters are another story."""
        with self.till.app.app_context():
            with db.engine.begin() as connection:
                connection.exec_driver_sql("DELETE FROM notifications")
            clock.set_to(clock.now() + timedelta(minutes=15))
            sweep.sweep(clock.now())
            sweep.sweep(clock.now())  # what waited for what the first one found out
            clock.reset()

    def has_ended(self) -> bool:
        """The same money and plan for all orders, no case, and nothing left waiting."""
        state = self.till.state()
        waiting = [kept for kept in state.inbox if kept.endswith((" received", " case"))]
        return (state.moved, state.cases, waiting) == (self.ends, (), [])


@dataclass
class Gateway:
    """The sandbox's CloudPayments, from the payer's and the merchant's side, its notifications held back."""

    sandbox: LiveSandbox
    config: Config
    till: Till

    def pay(self, card: str, *, two_stage: bool = False) -> int:
        """The payer tries a card; the transaction's id."""
        paid = self.sandbox.control(
            "pay",
            gateway="cloudpayments",
            transaction_id=self.till.transaction_id,
            card=card,
            amount="990.00",
            account=self.till.account,
            two_stage=two_stage,
        )
        return int(paid["id"])

    def call(self, method: str, **body: Any) -> None:
        """The merchant uses the API."""
        answer = requests.post(
            f"{self.config.cloudpayments_api_url}/payments/{method}",
            json=body,
            auth=(self.config.cloudpayments_public_id, self.config.cloudpayments_api_secret),
            timeout=10,
        ).json()
        assert answer["Success"], answer

    def told(self) -> dict[str, tuple[str, bytes]]:
        """What the gateway would have said, by kind; of two Checks the later one."""
        said = self.sandbox.ledger()["notifications"]
        return {one["kind"]: (one["kind"], one["body"].encode()) for one in said}


def refunded(gateway: Gateway) -> tuple[str, int, str]:
    """A card is declined, the next one pays, and all of it goes back."""
    gateway.pay(DECLINED)
    gateway.call("refund", TransactionId=gateway.pay(PAYS), Amount=990)
    return "succeeded", 0, "990.00"


def confirmed(gateway: Gateway) -> tuple[str, int, str]:
    """Two stages: held, taken, and a part of it goes back."""
    held = gateway.pay(PAYS, two_stage=True)
    gateway.call("confirm", TransactionId=held, Amount=990)
    gateway.call("refund", TransactionId=held, Amount=1)
    return "succeeded", 1, "1.00"


def released(gateway: Gateway) -> tuple[str, int, str]:
    """Two stages: a card is declined, the next one is held, and the hold is released."""
    gateway.pay(DECLINED, two_stage=True)
    gateway.call("void", TransactionId=gateway.pay(PAYS, two_stage=True))
    return "failed", 0, "0.00"


def all_orders(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Every order in which these can come with one of them doubled; or, on demand, with all of them."""
    orders = {order for double in names for order in permutations([*names, double])}
    if os.environ.get("PERMUTATIONS") == "all":
        orders |= set(permutations([*names, *names]))
    return sorted(orders)


@pytest.fixture
def gateway(desk: Desk, portal_config: Config) -> Gateway:
    """An order of ours, and the gateway that will take its money without a word but Check's."""
    desk.sandbox.control("settings", webhooks="drop")
    return Gateway(desk.sandbox, portal_config, open_till(desk.app, in_process(desk.app)))


@pytest.mark.parametrize("happens", (refunded, confirmed, released))
def test_the_order_of_news_does_not_matter(
    gateway: Gateway, happens: Callable[[Gateway], tuple[str, int, str]]
) -> None:
    """In whatever order the notifications come, and whichever comes twice, all ends as it happened."""
    ends = happens(gateway)
    history = History(gateway.till, gateway.told(), ends)
    news = [kind for kind in history.told if kind != "check"]
    assert len(news) == 3
    orders = all_orders(news)
    assert len(orders) in {36, 36 + 90}

    for number, order in enumerate(orders):
        # Check is a question that may be asked at any time; it stands at another place each time.
        place = number % (len(order) + 1)
        asked = [*order[:place], "check", *order[place:]]
        history.rewind()
        history.tell(asked, reworded=bool(number % 2))
        # Where the news alone was enough a sweep changes nothing, which is looked at now and then.
        ended = history.has_ended()
        if not ended or number % 15 == 0:
            history.sweep_later()
            ended = history.has_ended()
        assert ended, (asked, history.till.state())
        assert history.till.violations() == [], asked

"""What a gateway's customers do, the same for both gateways."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal.gateways.base import (
    BillingMode,
    Credentials,
    Gateway,
    NextStep,
    PaymentOrder,
    PaymentSnapshot,
    Timeouts,
)
from portal.gateways.cloudpayments import CloudPayments
from portal.gateways.yookassa import YooKassa
from tests.gateways.stage import Sandbox, an_order

GOOD_CARD, POOR_CARD, BLOCKED_CARD = "5555555555554444", "4444444444444444", "4000000000000002"
SHOPS = {
    "cloudpayments": ("test_api_00000000000000000000002", "sandbox-api-secret", "/cloudpayments"),
    "yookassa": ("100500", "test_sandbox-secret-key", "/yookassa/v3"),
}


CHARGE = {"cloudpayments": "tokens_charge", "yookassa": "create_payment"}
LOST, HELD = Timeouts(connect=2, read=0.4), Timeouts(connect=2, read=10)
RUB = "RUB"


@dataclass
class Side:
    """One gateway, and what its customers do."""

    name: str
    sandbox: Sandbox

    def gateway(
        self,
        *,
        secret: str | None = None,
        timeouts: Timeouts = HELD,
        heard: Callable[[bool, bool], None] | None = None,
    ) -> Any:
        """The gateway as billing has it."""
        shop, key, path = SHOPS[self.name]
        url = self.sandbox.url + path
        credentials = Credentials(shop, secret or key, api_url=url, timeouts=timeouts, heard=heard)
        found: Gateway = CloudPayments(credentials) if self.name == "cloudpayments" else YooKassa(credentials)
        return found

    def customer_pays(self, order: PaymentOrder, step: NextStep, card: str = GOOD_CARD) -> str:
        """Pay on the gateway's page, 3-D Secure included; the gateway's own id of the payment."""
        more = {"widget": dict(step.widget)} if step.widget else {}
        paid = self.sandbox.control(
            "pay", gateway=self.name, transaction_id=order.transaction_id, card=card, **more
        )
        return str(paid["id"])

    def buy(self, **changes: Any) -> tuple[PaymentOrder, PaymentSnapshot]:
        """An order paid with a good card, and what the gateway says of it."""
        order = a_fresh_order(**changes)
        self.customer_pays(order, self.gateway().start(order))
        snapshot = self.gateway().fetch(order)
        assert snapshot is not None
        return order, snapshot

    def a_token(self) -> str:
        """A method that a customer agreed to save."""
        _order, snapshot = self.buy(billing_mode=BillingMode.RECURRING, save_method=True)
        assert snapshot.saved_method is not None
        return snapshot.saved_method.token

    def payments(self, order: PaymentOrder) -> list[dict[str, Any]]:
        """The payments of an order in the gateway's books."""
        books = self.sandbox.books(self.name, "payments")
        return [entry for entry in books if entry["transaction_id"] == order.transaction_id]

    def fault(self, operation: str, fault: str) -> None:
        """Let the next call of an operation fail."""
        self.sandbox.control("faults", gateway=self.name, operation=operation, fault=fault, times=1)


def a_fresh_order(**changes: Any) -> PaymentOrder:
    return an_order(**{"transaction_id": str(uuid.uuid4()), "created_at": datetime.now(UTC), **changes})

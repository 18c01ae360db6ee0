"""The official SDK ``yookassa`` works with the sandbox unchanged but for the address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from yookassa import (
    Configuration,
    Payment,
    PaymentMethod,
    Receipt,
    Refund,
    Settings,
    Webhook,
)
from yookassa.domain.exceptions import (
    BadRequestError,
    ForbiddenError,
    InternalServerError,
    NotFoundError,
    ResponseProcessingError,
    TooManyRequestsError,
    UnauthorizedError,
)
from yookassa.domain.notification import WebhookNotificationFactory

from tests.sandbox.conftest import Merchant, Sandbox

RETURN = "http://127.0.0.1/back"


@pytest.fixture(autouse=True)
def sdk(sandbox: Sandbox) -> Iterator[None]:
    Configuration.configure(
        "100500", "test_sandbox-secret-key", api_url=f"{sandbox.url}/yookassa/v3", timeout=100
    )
    yield
    Configuration.configure("1", "test_none")


def _params(**more: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "amount": {"value": "990.00", "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": RETURN},
        "description": "Подписка PRO",
        "metadata": {"payment_id": "order-1"},
        **more,
    }
    return params


def test_a_whole_life_of_a_subscription(sandbox: Sandbox, merchant: Merchant) -> None:
    """Pay and save, charge again, refund a part: the SDK parses every answer and every notification."""
    first = Payment.create(_params(save_payment_method=True), "key-1")
    assert first.status == "pending"
    assert first.confirmation.confirmation_url.endswith(f"/contract?orderId={first.id}")
    assert len(first.id) == 36
    sandbox.control("pay", gateway="yookassa", transaction_id="order-1", card="5555555555554477")
    paid = Payment.find_one(first.id)
    assert (paid.status, paid.paid, paid.payment_method.saved) == ("succeeded", True, True)
    assert paid.payment_method.id == first.id
    assert paid.payment_method.card.last4 == "4477"
    assert paid.authorization_details.three_d_secure.applied is True
    assert paid.metadata == {"payment_id": "order-1", "cms_name": "yookassa_sdk_python"}

    renewal = Payment.create(
        {"amount": {"value": "990.00", "currency": "RUB"}, "capture": True, "payment_method_id": first.id},
        "key-2",
    )
    assert renewal.status == "succeeded"
    assert (renewal.payment_method.id, renewal.id != first.id) == (first.id, True)
    refund = Refund.create(
        {"payment_id": renewal.id, "amount": {"value": "90.00", "currency": "RUB"}}, "key-3"
    )
    assert refund.status == "succeeded"
    assert Payment.find_one(renewal.id).refunded_amount.value == 90
    assert Refund.find_one(refund.id).payment_id == renewal.id

    sandbox.control("clock", advance="1s")
    assert merchant.events() == ["payment.succeeded", "payment.succeeded", "refund.succeeded"]
    notices = [WebhookNotificationFactory().create(hook.json) for hook in merchant.hooks]
    assert [notice.object.id for notice in notices] == [first.id, renewal.id, refund.id]


def test_two_stages(sandbox: Sandbox) -> None:
    """Capture whole, capture a part, cancel."""
    ids = []
    for number in range(3):
        held = Payment.create(_params(capture=False), f"create-{number}")
        sandbox.control("pay", gateway="yookassa", transaction_id=held.id, card="5555555555554444")
        ids.append(held.id)
    assert Payment.find_one(ids[0]).expires_at
    assert Payment.capture(ids[0], None, "capture-0").status == "succeeded"
    part = Payment.capture(ids[1], {"amount": {"value": "100.00", "currency": "RUB"}}, "capture-1")
    assert (part.status, part.amount.value) == ("succeeded", 100)
    gone = Payment.cancel(ids[2], "cancel-2")
    assert gone.status == "canceled"
    assert (gone.cancellation_details.party, gone.cancellation_details.reason) == (
        "merchant",
        "canceled_by_merchant",
    )


def test_a_binding_without_a_payment(sandbox: Sandbox) -> None:
    """The SDK makes it, the payer confirms it, and its id can be charged."""
    confirmation = {"type": "redirect", "return_url": RETURN}
    method = PaymentMethod.create({"type": "bank_card", "confirmation": confirmation}, "bind")
    assert (method.status, method.saved) == ("pending", False)
    sandbox.control("pay", gateway="yookassa", transaction_id=method.id, card="5555555555554444")
    found = PaymentMethod.find_one(method.id)
    assert (found.status, found.saved, found.title) == ("active", True, "Bank card *4444")
    charge = {"amount": {"value": "1.00", "currency": "RUB"}, "capture": True, "payment_method_id": method.id}
    assert Payment.create(charge, "charge").status == "succeeded"


def test_lists_settings_receipts_and_webhooks(sandbox: Sandbox) -> None:
    """The remaining calls of the SDK are answered in a form it can parse."""
    payment = Payment.create(_params(), "key")
    sandbox.control("pay", gateway="yookassa", transaction_id=payment.id, card="5555555555554444")
    assert [p.id for p in Payment.list({"limit": 5, "status": "succeeded"}).items] == [payment.id]
    assert Refund.list({"payment_id": payment.id}).items == []
    me = Settings.get_account_settings()
    assert (me.account_id, me.status, me.test) == ("100500", "enabled", True)
    receipt = Receipt.create(
        {
            "type": "payment",
            "payment_id": payment.id,
            "customer": {"email": "a@example.com"},
            "send": True,
            "items": [
                {
                    "description": "Подписка",
                    "quantity": "1.00",
                    "amount": {"value": "990.00", "currency": "RUB"},
                    "vat_code": 1,
                    "payment_mode": "full_payment",
                    "payment_subject": "service",
                    "measure": "piece",
                }
            ],
            "settlements": [{"type": "prepayment", "amount": {"value": "990.00", "currency": "RUB"}}],
        },
        "receipt",
    )
    assert receipt.status == "pending"
    sandbox.control("clock", advance="1m")
    assert Receipt.find_one(receipt.id).status == "succeeded"
    assert [r.id for r in Receipt.list({"payment_id": payment.id}).items] == [receipt.id]
    hook = Webhook.add({"event": "payment.succeeded", "url": "http://127.0.0.1:9/hook"}, "hook")
    assert [h.id for h in Webhook.list().items] == [hook.id]
    Webhook.remove(hook.id, "unhook")
    assert Webhook.list().items == []


def test_errors_become_the_exceptions_of_the_sdk(sandbox: Sandbox) -> None:
    """400, 401, 403, 404, 429, 500 and the older 202."""
    with pytest.raises(BadRequestError) as refused:
        Payment.create(_params(metadata={"k": "v" * 513}), "a")
    assert refused.value.error.parameter == "metadata"
    with pytest.raises(NotFoundError):
        Payment.find_one("32947684-000f-5001-a000-000000000000")
    sandbox.control("settings", yookassa_recurring=False)
    with pytest.raises(ForbiddenError, match="can't make recurring payments"):
        Payment.create(_params(save_payment_method=True), "b")
    expected: list[tuple[str, type[Exception]]] = [
        ("http_500", InternalServerError),
        ("http_429", TooManyRequestsError),
        ("http_202", ResponseProcessingError),
    ]
    for fault, error in expected:
        sandbox.control("faults", gateway="yookassa", operation="payments.create", fault=fault)
        with pytest.raises(error):
            Payment.create(_params(), f"key-{fault}")
    Configuration.secret_key = "test_other"
    with pytest.raises(UnauthorizedError):
        Payment.find_one("x")

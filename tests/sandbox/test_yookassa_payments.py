"""Payments and holds over their whole lives."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import requests

from tests.sandbox.conftest import Merchant, Sandbox, Shop

OK = "5555555555554444"


def _rub(value: str) -> dict[str, str]:
    return {"value": value, "currency": "RUB"}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_new_payment_looks_like_the_gateways(shop: Shop) -> None:
    """Smart payment: no payment_method, no return_url in the answer; id in the gateway's layout."""
    payment = shop.pay()
    assert set(payment) == {
        "id", "status", "paid", "amount", "created_at", "confirmation", "metadata", "recipient",
        "refundable", "test",
    }  # fmt: skip
    seconds = (_moment(payment["created_at"]) - _moment("2000-01-01T12:00:00Z")).total_seconds()
    assert payment["id"].startswith(f"{int(seconds):08x}-000f-500")
    assert payment["confirmation"].keys() == {"type", "confirmation_url"}
    chosen = shop.pay("order-2", payment_method_data={"type": "bank_card"})
    assert chosen["payment_method"] == {
        "type": "bank_card",
        "id": chosen["id"],
        "saved": False,
        "status": "pending",
    }
    assert chosen["confirmation"]["return_url"] == "http://127.0.0.1/back?order=1"


def test_other_confirmations_have_their_own_answers(shop: Shop) -> None:
    """A token for embedded, data for qr, nothing to open for external."""
    embedded = shop.pay(confirmation={"type": "embedded"})
    assert embedded["confirmation"] == {"type": "embedded", "confirmation_token": f"ct-{embedded['id']}"}
    qr = shop.pay(confirmation={"type": "qr"}, payment_method_data={"type": "sbp"})
    assert qr["confirmation"]["confirmation_data"].startswith("http")
    external = shop.pay(confirmation={"type": "external"}, payment_method_data={"type": "sberbank"})
    assert external["confirmation"] == {"type": "external"}


def test_an_unpaid_payment_expires_after_one_hour(sandbox: Sandbox, shop: Shop, merchant: Merchant) -> None:
    """59 minutes later it still waits, two minutes more and it is canceled and announced."""
    payment = shop.pay()
    sandbox.control("clock", advance="59m")
    assert shop.get(f"/payments/{payment['id']}")["status"] == "pending"
    sandbox.control("clock", advance="2m")
    gone = shop.get(f"/payments/{payment['id']}")
    assert gone["status"] == "canceled"
    assert gone["cancellation_details"] == {"party": "yoo_money", "reason": "expired_on_confirmation"}
    assert merchant.events() == ["payment.canceled"]
    assert merchant.hooks[0].json["object"] == gone
    assert merchant.hooks[0].json["type"] == "notification"


def test_a_held_payment_must_be_captured_in_its_window(
    sandbox: Sandbox, shop: Shop, merchant: Merchant
) -> None:
    """Seven days by card, told by expires_at; afterwards the money goes back."""
    payment = shop.pay(capture=False)
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK)
    held = shop.get(f"/payments/{payment['id']}")
    assert (held["status"], held["paid"], held["refundable"]) == ("waiting_for_capture", True, False)
    window = _moment(held["expires_at"]) - _moment(held["created_at"])
    assert timedelta(days=7) <= window < timedelta(days=7, minutes=1)
    assert sandbox.ledger()["payments"][0]["status"] == "authorized"
    sandbox.control("clock", advance="8d")
    gone = shop.get(f"/payments/{payment['id']}")
    assert gone["cancellation_details"]["reason"] == "expired_on_capture"
    assert gone["paid"] is False
    assert merchant.events() == ["payment.waiting_for_capture", "payment.canceled"]


def test_capture_and_cancel_work_on_held_payments_only(sandbox: Sandbox, shop: Shop) -> None:
    """A pending, a captured and a canceled payment are refused; more than was held is refused."""
    pending = shop.pay("pending")
    held = shop.pay("held", capture=False)
    sandbox.control("pay", gateway="yookassa", transaction_id=held["id"], card=OK)
    for action in ("capture", "cancel"):
        assert shop.post(f"/payments/{pending['id']}/{action}", {}).status_code == 400
    too_much = shop.post(f"/payments/{held['id']}/capture", {"amount": _rub("990.01")})
    assert too_much.json()["parameter"] == "amount.value"
    part = shop.post(f"/payments/{held['id']}/capture", {"amount": _rub("90.00")}, key="capture").json()
    assert (part["status"], part["amount"]["value"], part["refundable"]) == ("succeeded", "90.00", True)
    assert (
        shop.post(f"/payments/{held['id']}/capture", {"amount": _rub("90.00")}, key="capture").json() == part
    )
    for action in ("capture", "cancel"):
        assert shop.post(f"/payments/{held['id']}/{action}", {}).status_code == 400
    entry = sandbox.ledger()["payments"][1]
    assert (entry["amount"], entry["captured"], entry["status"]) == ("990.00", "90.00", "succeeded")
    assert shop.post("/refunds", {"payment_id": held["id"], "amount": _rub("90.01")}).status_code == 400


def test_a_canceled_hold_keeps_the_saved_method(sandbox: Sandbox, shop: Shop) -> None:
    """The documented way to bind by one rouble: hold, cancel, charge."""
    payment = shop.pay(capture=False, save_payment_method=True, amount=_rub("1.00"))
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK)
    canceled = shop.post(f"/payments/{payment['id']}/cancel", {}).json()
    assert canceled["payment_method"]["saved"] is True
    assert canceled["cancellation_details"] == {"party": "merchant", "reason": "canceled_by_merchant"}
    assert shop.pay(payment_method_id=payment["id"])["status"] == "succeeded"


@pytest.mark.parametrize(
    ("card", "reason", "party"),
    (
        ("4444444444444444", "insufficient_funds", "payment_network"),
        ("4000000000000002", "payment_method_restricted", "payment_network"),
        ("5555555555554592", "3d_secure_failed", "payment_network"),
        ("4119098878796485", "fraud_suspected", "yoo_money"),
        ("4969751510013864", "country_forbidden", "yoo_money"),
        ("4012888888881881", "insufficient_funds", "payment_network"),
        ("4111111111111112", "invalid_card_number", "payment_network"),
    ),
)
def test_declined_cards_leave_another_try_or_cancel(
    sandbox: Sandbox, shop: Shop, merchant: Merchant, card: str, reason: str, party: str
) -> None:
    """A payer who stays may try another card; one who gives up leaves a payment canceled for that reason."""
    payment = shop.pay()
    entry = sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=card, stay=True)
    assert (entry["status"], entry["reason"]) == ("pending", reason)
    entry = sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card="4111111111111111")
    assert entry["status"] == "succeeded"
    second = shop.pay("order-2")
    sandbox.control("pay", gateway="yookassa", transaction_id="order-2", card=card)
    ended = shop.get(f"/payments/{second['id']}")
    assert ended["cancellation_details"] == {"party": party, "reason": reason}
    assert ended["payment_method"]["saved"] is False
    sandbox.control("clock", advance="1s")
    # Two payments: the news of one may overtake that of the other.
    assert sorted(merchant.events()) == ["payment.canceled", "payment.succeeded"]


def test_a_payment_that_is_over_cannot_be_paid_again(sandbox: Sandbox, shop: Shop) -> None:
    """The control API answers 409."""
    payment = shop.pay()
    order = {"gateway": "yookassa", "transaction_id": payment["id"], "card": OK}
    sandbox.control("pay", **order)
    assert requests.post(f"{sandbox.url}/control/pay", json=order).status_code == 409


def test_the_newest_waiting_payment_of_a_reference_is_paid(sandbox: Sandbox, shop: Shop) -> None:
    """Several attempts may carry one order number, and any metadata field will do."""
    first, second = shop.pay("same"), shop.pay("same")
    assert sandbox.control("pay", gateway="yookassa", transaction_id="same", card=OK)["id"] == second["id"]
    assert sandbox.control("pay", gateway="yookassa", transaction_id="same", card=OK)["id"] == first["id"]
    other = shop.pay(metadata={"order_id": "elsewhere"})
    entry = sandbox.control("pay", gateway="yookassa", transaction_id="elsewhere", card=OK)
    assert entry["id"] == other["id"]


def test_registered_webhooks_are_notified_too(sandbox: Sandbox, shop: Shop, merchant: Merchant) -> None:
    """A webhook made by API gets its own event and no other, until it is taken away."""
    hook = shop.post("/webhooks", {"event": "refund.succeeded", "url": f"{merchant.url}/api-hook"}).json()
    payment = shop.pay()
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK)
    sandbox.control("refund", gateway="yookassa", transaction_id=payment["id"], amount="1.00")
    sandbox.control("clock", advance="1s")
    assert sorted(h.path for h in merchant.hooks) == ["/api-hook", "/yookassa", "/yookassa"]
    assert shop.call("DELETE", f"/webhooks/{hook['id']}").json() == {}
    sandbox.control("refund", gateway="yookassa", transaction_id=payment["id"], amount="1.00")
    sandbox.control("clock", advance="1s")
    assert len(merchant.hooks) == 4

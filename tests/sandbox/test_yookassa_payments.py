"""Payments, holds, saved methods, bindings, refunds and receipts over their whole lives."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Merchant, Sandbox, Shop

OK = "5555555555554444"


def _saved(sandbox: Sandbox, shop: Shop) -> str:
    payment = shop.pay(save_payment_method=True)
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK)
    return str(payment["id"])


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
    ("flag", "ticked", "saved"),
    (
        ({"save_payment_method": True}, False, True),
        ({"save_payment_method": False}, True, False),
        ({}, True, True),
        ({}, False, False),
    ),
)
def test_what_is_saved_depends_on_the_flag_and_the_box(
    sandbox: Sandbox, shop: Shop, flag: dict[str, bool], ticked: bool, saved: bool
) -> None:
    """True saves without asking, false never saves, and leaving it out lets the payer decide."""
    payment = shop.pay(**flag)
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK, save=ticked)
    assert shop.get(f"/payments/{payment['id']}")["payment_method"]["saved"] is saved
    assert len(sandbox.ledger()["methods"]) == int(saved)


def test_without_recurring_there_is_no_box(sandbox: Sandbox, shop: Shop) -> None:
    """Leaving the flag out saves nothing in a shop that may not charge by itself."""
    sandbox.control("settings", yookassa_recurring=False)
    payment = shop.pay()
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK, save=True)
    assert shop.get(f"/payments/{payment['id']}")["payment_method"]["saved"] is False


@pytest.mark.parametrize(
    ("means", "forced", "offered"),
    (
        ("sbp", True, False),
        ("sberbank", True, False),
        ("tinkoff_bank", True, False),
        ("yoo_money", True, True),
    ),
)
def test_other_means_are_saved_by_the_flag_and_the_wallet_also_by_the_box(
    sandbox: Sandbox, shop: Shop, means: str, forced: bool, offered: bool
) -> None:
    """SBP, SberPay and T-Pay have no box."""
    for flag, expected in (({"save_payment_method": True}, forced), ({}, offered)):
        payment = shop.pay(**flag)
        sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=means, save=True)
        method = shop.get(f"/payments/{payment['id']}")["payment_method"]
        assert (method["type"], method["saved"]) == (means, expected)


def test_autopayments_end_as_they_were_programmed(sandbox: Sandbox, shop: Shop, merchant: Merchant) -> None:
    """Declined twice with HTTP 200 and a notification each, then charged again."""
    method = _saved(sandbox, shop)
    sandbox.control("cards", payment_method_id=method, outcome="insufficient_funds", times=2)
    charges = [shop.pay(f"renewal-{n}", payment_method_id=method) for n in range(3)]
    assert [c["status"] for c in charges] == ["canceled", "canceled", "succeeded"]
    assert charges[0]["cancellation_details"] == {"party": "payment_network", "reason": "insufficient_funds"}
    assert all(c["payment_method"]["id"] == method for c in charges)
    sandbox.control("clock", advance="1s")
    assert sorted(merchant.events()) == ["payment.canceled"] * 2 + ["payment.succeeded"] * 2


def test_a_revoked_method_still_says_saved(sandbox: Sandbox, shop: Shop) -> None:
    """permission_revoked without times stays, by the gateway, with saved true; success ends it."""
    method = _saved(sandbox, shop)
    sandbox.control("cards", payment_method_id=method, outcome="permission_revoked")
    for _ in range(3):
        charge = shop.pay(payment_method_id=method)
        assert charge["cancellation_details"] == {"party": "yoo_money", "reason": "permission_revoked"}
        assert charge["payment_method"]["saved"] is True
    sandbox.control("cards", token=method, outcome="success")
    assert shop.pay(payment_method_id=method)["status"] == "succeeded"


def test_a_charge_may_wait_for_its_bank(sandbox: Sandbox, shop: Shop, merchant: Merchant) -> None:
    """A pending autopayment has no payer to wait for and succeeds after yookassa_pending_seconds."""
    method = _saved(sandbox, shop)
    sandbox.control("cards", payment_method_id=method, outcome="pending", times=1)
    charge = shop.pay("wait", payment_method_id=method)
    assert (charge["status"], charge["paid"]) == ("pending", False)
    sandbox.control("clock", advance="11m")
    assert shop.get(f"/payments/{charge['id']}")["status"] == "succeeded"
    assert merchant.events() == ["payment.succeeded", "payment.succeeded"]


def test_a_saved_card_declines_after_its_expiry(sandbox: Sandbox, shop: Shop) -> None:
    """The month on the card is the last one in which it can be charged."""
    payment = shop.pay(save_payment_method=True)
    expiry = f"{sandbox.world.clock.now():%m/%y}"
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK, expiry=expiry)
    assert shop.pay(payment_method_id=payment["id"])["status"] == "succeeded"
    sandbox.control("clock", advance="32d")
    charge = shop.pay(payment_method_id=payment["id"])
    assert charge["cancellation_details"]["reason"] == "card_expired"


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
    """By default the payer may try another card; with yookassa_decline_cancels the payment is over."""
    payment = shop.pay()
    entry = sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=card)
    assert (entry["status"], entry["reason"]) == ("pending", reason)
    entry = sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card="4111111111111111")
    assert entry["status"] == "succeeded"
    sandbox.control("settings", yookassa_decline_cancels=True)
    second = shop.pay("order-2")
    sandbox.control("pay", gateway="yookassa", transaction_id="order-2", card=card)
    ended = shop.get(f"/payments/{second['id']}")
    assert ended["cancellation_details"] == {"party": party, "reason": reason}
    assert ended["payment_method"]["saved"] is False
    sandbox.control("clock", advance="1s")
    assert merchant.events() == ["payment.succeeded", "payment.canceled"]


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


def test_a_binding_becomes_active_or_silently_inactive(
    sandbox: Sandbox, shop: Shop, merchant: Merchant
) -> None:
    """Success is announced; an hour without success is not, and an unfinished method cannot be charged."""
    body = {"type": "bank_card", "confirmation": {"type": "redirect", "return_url": "http://127.0.0.1/b"}}
    good, slow = (shop.post("/payment_methods", body).json() for _ in range(2))
    assert (good["status"], good["saved"]) == ("pending", False)
    assert good["holder"] == {"account_id": "100500", "gateway_id": "100700"}
    refused = {"amount": _rub("1.00"), "payment_method_id": good["id"]}
    assert shop.post("/payments", refused).status_code == 400
    sandbox.control("pay", gateway="yookassa", transaction_id=good["id"], card=OK)
    active = shop.get(f"/payment_methods/{good['id']}")
    assert (active["status"], active["saved"], active["card"]["last4"]) == ("active", True, "4444")
    assert shop.pay(payment_method_id=good["id"])["payment_method"].keys() == {
        "id", "type", "saved", "status", "title", "card",
    }  # fmt: skip
    sandbox.control("clock", advance="61m")
    dead = shop.get(f"/payment_methods/{slow['id']}")
    assert (dead["status"], dead["saved"]) == ("inactive", False)
    assert "confirmation" not in dead
    assert sorted(merchant.events()) == ["payment.succeeded", "payment_method.active"]


def test_methods_saved_by_a_payment_are_shown_only_when_told(sandbox: Sandbox, shop: Shop) -> None:
    """Whether GET finds them is not established: a setting decides, by default it does not."""
    method = _saved(sandbox, shop)
    assert shop.call("GET", f"/payment_methods/{method}").status_code == 404
    sandbox.control("settings", yookassa_get_saved_methods=True)
    assert shop.get(f"/payment_methods/{method}")["saved"] is True


def test_refunds_never_exceed_what_was_captured(sandbox: Sandbox, shop: Shop, merchant: Merchant) -> None:
    """Parts add up, the payment stays succeeded, and after the last kopeck nothing is left."""
    payment = shop.pay()
    target = {"payment_id": payment["id"]}
    assert shop.post("/refunds", target | {"amount": _rub("1.00")}).status_code == 400
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK)
    refund = shop.post("/refunds", target | {"amount": _rub("900.00"), "description": "часть"}).json()
    assert refund["id"][8:15] == "-0015-5"
    assert (refund["status"], refund["payment_id"]) == ("succeeded", payment["id"])
    assert shop.post("/refunds", target | {"amount": _rub("90.01")}).status_code == 400
    assert shop.post("/refunds", target | {"amount": _rub("90.00")}).status_code == 200
    assert shop.post("/refunds", target | {"amount": _rub("0.01")}).status_code == 400
    after = shop.get(f"/payments/{payment['id']}")
    assert (after["status"], after["refunded_amount"]["value"]) == ("succeeded", "990.00")
    sandbox.control("clock", advance="1s")
    assert merchant.events() == ["payment.succeeded", "refund.succeeded", "refund.succeeded"]


@pytest.mark.parametrize(
    ("outcome", "begun", "ended", "reason"),
    (
        ("pending", "pending", "succeeded", None),
        ("pending_insufficient_funds", "pending", "canceled", "insufficient_funds"),
        ("rejected_by_payee", "canceled", "canceled", "rejected_by_payee"),
    ),
)
def test_refunds_end_as_the_setting_says(
    sandbox: Sandbox, shop: Shop, merchant: Merchant, outcome: str, begun: str, ended: str, reason: str | None
) -> None:
    """A waiting refund blocks its sum; a failed one gives it back and is announced by nothing."""
    payment = shop.pay()
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK)
    sandbox.control("settings", yookassa_refund_outcome=outcome)
    body = {"payment_id": payment["id"], "amount": _rub("990.00")}
    refund = shop.post("/refunds", body).json()
    assert refund["status"] == begun
    if begun == "pending":
        assert shop.post("/refunds", body).status_code == 400
    sandbox.control("clock", advance="11m")
    done = shop.get(f"/refunds/{refund['id']}")
    assert (done["status"], done.get("cancellation_details", {}).get("reason")) == (ended, reason)
    events = ["payment.succeeded"] + ["refund.succeeded"] * (ended == "succeeded")
    assert merchant.events() == events
    sandbox.control("settings", yookassa_refund_outcome="succeeded")
    assert shop.post("/refunds", body).status_code == (400 if ended == "succeeded" else 200)


def test_a_refund_from_the_cabinet_is_announced(sandbox: Sandbox, shop: Shop, merchant: Merchant) -> None:
    """A part, then by default the rest; the shop learns ids that it has never seen."""
    payment = shop.pay("order-9")
    sandbox.control("pay", gateway="yookassa", transaction_id="order-9", card=OK)
    part = sandbox.control("refund", gateway="yookassa", transaction_id="order-9", amount="90.00")
    rest = sandbox.control("refund", gateway="yookassa", transaction_id=payment["id"])
    assert (part["amount"], rest["amount"], rest["transaction_id"]) == ("90.00", "900.00", "order-9")
    sandbox.control("clock", advance="1s")
    assert merchant.events() == ["payment.succeeded", "refund.succeeded", "refund.succeeded"]
    assert [hook.json["object"]["id"] for hook in merchant.hooks[1:]] == [part["id"], rest["id"]]
    assert len(shop.get("/refunds", params={"payment_id": payment["id"]})["items"]) == 2
    assert sandbox.ledger()["payments"][0]["refunded"] == "990.00"


def test_old_payments_cannot_be_refunded(sandbox: Sandbox, shop: Shop) -> None:
    """SberPay for a year, everything else for three."""
    card, sber = shop.pay("card"), shop.pay("sber")
    sandbox.control("pay", gateway="yookassa", transaction_id="card", card=OK)
    sandbox.control("pay", gateway="yookassa", transaction_id="sber", card="sberbank")
    sandbox.control("clock", advance="366d")
    statuses = [
        shop.post("/refunds", {"payment_id": p["id"], "amount": _rub("1.00")}).status_code
        for p in (card, sber)
    ]
    assert statuses == [200, 400]


def _receipt(**item: Any) -> dict[str, Any]:
    return {
        "customer": {"email": "a@example.com"},
        "items": [
            {
                "description": "Подписка",
                "quantity": 2,
                "amount": _rub("495.00"),
                "vat_code": 11,
                "payment_mode": "full_payment",
                "payment_subject": "service",
                "measure": "piece",
                **item,
            }
        ],
    }


def test_a_shop_with_fiscalisation_must_send_receipts(sandbox: Sandbox, shop: Shop) -> None:
    """Missing or wrong in sum is refused; a right one is registered after the payment."""
    sandbox.control("settings", yookassa_fiscalization=True)
    assert shop.get("/me")["fiscalization"] == {"enabled": True, "provider": "yoo_receipt"}
    base = {
        "amount": _rub("990.00"),
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": "http://127.0.0.1/"},
    }
    for receipt in ({}, {"receipt": _receipt(quantity=1)}, {"receipt": _receipt() | {"customer": {}}}):
        error = shop.post("/payments", base | receipt).json()
        assert (error["code"], error["parameter"]) == ("invalid_request", "receipt")
        assert error["description"] == "Receipt is missing or illegal"
    payment = shop.post("/payments", base | {"receipt": _receipt()}).json()
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK)
    assert shop.get(f"/payments/{payment['id']}")["receipt_registration"] == "pending"
    sandbox.control("clock", advance="1m")
    assert shop.get(f"/payments/{payment['id']}")["receipt_registration"] == "succeeded"
    stored = shop.get("/receipts", params={"payment_id": payment["id"]})["items"]
    assert stored[0]["status"] == "succeeded"
    assert stored[0]["items"] == _receipt()["items"]
    assert len(stored[0]["id"]) == 39
    part = {"payment_id": payment["id"], "amount": _rub("90.00")}
    assert shop.post("/refunds", part).json()["parameter"] == "receipt"
    returned = _receipt(quantity=1, amount=_rub("90.00"))
    assert shop.post("/refunds", part | {"receipt": returned}).status_code == 200
    sandbox.control("clock", advance="1m")
    assert {r["type"] for r in shop.get("/receipts")["items"]} == {"payment", "refund"}


@pytest.mark.parametrize(
    ("item", "parameter"),
    (
        ({"payment_subject": "nonsense"}, "receipt.items.payment_subject"),
        ({"payment_mode": "later"}, "receipt.items.payment_mode"),
        ({"measure": "spoon"}, "receipt.items.measure"),
        ({"vat_code": 13}, "receipt.items.vat_code"),
        ({"vat_code": "1"}, "receipt.items.vat_code"),
        ({"description": "x" * 129}, "receipt.items.description"),
        ({"quantity": "1.0001"}, "receipt.items.quantity"),
        ({"quantity": None}, "receipt.items.quantity"),
    ),
)
def test_a_wrong_receipt_is_refused_though_none_is_demanded(
    shop: Shop, item: dict[str, Any], parameter: str
) -> None:
    """The path of the wrong field is named."""
    body = {
        "amount": _rub("990.00"),
        "confirmation": {"type": "redirect", "return_url": "http://127.0.0.1/"},
        "receipt": _receipt(**item),
    }
    assert shop.post("/payments", body).json()["parameter"] == parameter


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

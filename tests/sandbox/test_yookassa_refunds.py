"""Refunds and receipts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Merchant, Sandbox, Shop

OK = "5555555555554444"


def _rub(value: str) -> dict[str, str]:
    return {"value": value, "currency": "RUB"}


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

"""Saved payment methods: how they come about, and how their charges end."""

from __future__ import annotations

import pytest

from tests.sandbox.conftest import Merchant, Sandbox, Shop

OK = "5555555555554444"


def _saved(sandbox: Sandbox, shop: Shop) -> str:
    payment = shop.pay(save_payment_method=True)
    sandbox.control("pay", gateway="yookassa", transaction_id=payment["id"], card=OK)
    return str(payment["id"])


def _rub(value: str) -> dict[str, str]:
    return {"value": value, "currency": "RUB"}


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

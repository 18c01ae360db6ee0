"""Refunds: within the captured sum, for a year, as transactions of their own."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.cloudpayments_shop import NO_FUNDS, CloudShop


def refund(cp: CloudShop, number: int, amount: Any) -> Any:
    """Refund by the API."""
    return cp.call("/payments/refund", TransactionId=number, Amount=amount)


def test_partial_refunds_up_to_the_sum(cp: CloudShop) -> None:
    """Several refunds may be made until all is returned; a kopeck more is refused."""
    paid = cp.charge(InvoiceId="7", AccountId="u")["Model"]["TransactionId"]
    first, second = refund(cp, paid, "400.50")["Model"]["TransactionId"], refund(cp, paid, 589.49)

    assert refund(cp, paid, 0.02)["Message"] == "Refund amount is greater than the amount left"
    assert refund(cp, paid, 0.01)["Success"] is True
    assert second["Success"] is True
    assert first != paid
    assert cp.payments()[0]["refunded"] == "990.00"
    assert [entry["amount"] for entry in cp.sandbox.ledger()["refunds"]] == ["400.50", "589.49", "0.01"]
    model = cp.call("/payments/get", TransactionId=paid)["Model"]
    assert (model["Status"], model["Refunded"]) == ("Completed", True)


def test_the_refund_notification(cp: CloudShop) -> None:
    """Refund names its own transaction, the payment, and the order."""
    paid = cp.charge(InvoiceId="7", AccountId="u", Email="u@example.com")["Model"]["TransactionId"]
    number = refund(cp, paid, 10)["Model"]["TransactionId"]
    fields = cp.hook("refund")

    assert list(fields) == [
        *(
            "TransactionId",
            "PaymentTransactionId",
            "Amount",
            "DateTime",
            "OperationType",
            "InvoiceId",
            "AccountId",
        ),
        *("Email", "Data", "Rrn", "CustomFields"),
    ]
    assert (fields["TransactionId"], fields["PaymentTransactionId"]) == (str(number), str(paid))
    assert (fields["Amount"], fields["OperationType"], fields["InvoiceId"]) == ("10.00", "Refund", "7")


def test_what_cannot_be_refunded(cp: CloudShop) -> None:
    """A declined payment, a hold, a refund itself and an unknown id are refused, and nothing moves."""
    declined = cp.charge(NO_FUNDS)["Model"]["TransactionId"]
    held = cp.charge(method="auth")["Model"]["TransactionId"]
    back = refund(cp, cp.charge()["Model"]["TransactionId"], 990)["Model"]["TransactionId"]

    answers = [refund(cp, number, 1) for number in (declined, held, back, 1)]
    assert [answer["Success"] for answer in answers] == [False] * 4
    assert answers[3]["Message"] == "Transaction not found"
    assert len(cp.sandbox.ledger()["refunds"]) == 1


@pytest.mark.parametrize("amount", (0, -1, "x", None, 1.001))
def test_a_wrong_sum(cp: CloudShop, amount: Any) -> None:
    """A sum that is none is a malformed request."""
    assert refund(cp, cp.charge()["Model"]["TransactionId"], amount)["Success"] is False
    assert cp.payments()[0]["refunded"] == "0.00"


def test_a_year_is_the_limit(cp: CloudShop) -> None:
    """A payment can be refunded for a year and not after it."""
    paid = cp.charge()["Model"]["TransactionId"]
    cp.advance("364d")
    assert refund(cp, paid, 1)["Success"] is True
    cp.advance("2d")
    assert "one year" in refund(cp, paid, 1)["Message"]


def test_the_refunded_flag_is_a_setting(cp: CloudShop) -> None:
    """Whether a partial refund turns Refunded true is not documented."""
    cp.settings(cloudpayments_refunded_flag="full")
    paid = cp.charge()["Model"]["TransactionId"]

    def flag() -> Any:
        return cp.call("/payments/get", TransactionId=paid)["Model"]["Refunded"]

    refund(cp, paid, 1)
    assert flag() is False
    refund(cp, paid, 989)
    assert flag() is True


def test_a_refund_in_the_cabinet(cp: CloudShop) -> None:
    """/control/refund takes the merchant's reference, returns all that is left, and Refund arrives."""
    paid = cp.charge(InvoiceId="7")["Model"]["TransactionId"]
    part = cp.sandbox.control("refund", gateway="cloudpayments", transaction_id="7", amount="90.00")
    rest = cp.sandbox.control("refund", gateway="cloudpayments", transaction_id=str(paid))

    assert (part["amount"], part["payment_id"], part["status"]) == ("90.00", str(paid), "succeeded")
    assert rest["amount"] == "900.00"
    assert {cp.hook("refund")["Amount"], cp.hook("refund", 1)["Amount"]} == {"90.00", "900.00"}
    url = f"{cp.sandbox.url}/control/refund"
    body = {"gateway": "cloudpayments", "transaction_id": "7"}
    assert requests.post(url, json=body, timeout=30).status_code == 409
    assert requests.post(url, json={**body, "transaction_id": "8"}, timeout=30).status_code == 404


def test_an_sbp_refund_ends_later(cp: CloudShop) -> None:
    """A refund by SBP is under way first; its notification comes with its end."""
    paid = cp.pay("7", "sbp")
    refund(cp, int(paid["id"]), 990)

    assert cp.sandbox.ledger()["refunds"][0]["status"] == "pending"
    cp.advance("2m")
    assert cp.sandbox.ledger()["refunds"][0]["status"] == "succeeded"
    assert cp.hooks("refund")[0]["Amount"] == "990.00"


def test_an_sbp_refund_may_bounce(cp: CloudShop) -> None:
    """What the payer's bank does not take is told by no notification; its sum can be refunded again."""
    cp.settings(cloudpayments_sbp_refund_outcome="bounced")
    paid = int(cp.pay("7", "sbp")["id"])
    number = refund(cp, paid, "340.50")["Model"]["TransactionId"]
    cp.advance("2m")

    assert cp.sandbox.ledger()["refunds"][0]["status"] == "declined"
    model = cp.call("/payments/get", TransactionId=number)["Model"]
    assert (model["Status"], model["ReasonCode"]) == ("Declined", 6021)
    assert (cp.hooks("refund"), cp.payments()[0]["refunded"]) == ([], "0.00")
    cp.settings(cloudpayments_sbp_refund_outcome="succeeded")
    assert refund(cp, paid, 990)["Success"] is True

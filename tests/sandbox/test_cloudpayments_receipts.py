"""Fiscal receipts: with a payment, with a refund, by themselves."""

from __future__ import annotations

import json
from typing import Any

from tests.sandbox.cloudpayments_shop import CloudShop

RECEIPT: dict[str, Any] = {
    "Items": [
        {
            "label": "Тариф",
            "price": 990,
            "quantity": 1,
            "amount": 990,
            "vat": 22,
            "method": 4,
            "object": 4,
        }
    ],
    "taxationSystem": 1,
    "calculationPlace": "shop.example",
}


def test_a_receipt_is_reported(cp: CloudShop) -> None:
    """A receipt passed with a payment or a refund, or by itself, is fiscalized and told by Receipt."""
    data = {"cloudpayments": {"customerReceipt": RECEIPT}}
    paid = cp.charge(InvoiceId="7", JsonData=data)["Model"]["TransactionId"]
    back = cp.call("/payments/refund", TransactionId=paid, Amount=990, JsonData=data)["Model"][
        "TransactionId"
    ]
    own = cp.call("/kkt/receipt", Inn="7708806063", Type="Income", CustomerReceipt=RECEIPT, InvoiceId="8")[
        "Model"
    ]
    queued = cp.call("/kkt/receipt/status/get", Id=own["Id"])["Model"]
    cp.advance("1m")
    told = {
        (hook["Type"], hook["TransactionId"], hook["InvoiceId"], hook["Amount"])
        for hook in cp.hooks("receipt")
    }

    assert told == {
        ("Income", str(paid), "7", "990.00"),
        ("IncomeReturn", str(back), "7", "990.00"),
        ("Income", "", "8", "990.00"),
    }
    assert json.loads(cp.hooks("receipt")[0]["Receipt"]) == RECEIPT
    assert queued == "Queued"
    assert cp.call("/kkt/receipt/status/get", Id=own["Id"])["Model"] == "Processed"
    assert cp.call("/kkt/receipt/get", Id=own["Id"])["Model"] == RECEIPT
    assert cp.call("/kkt/receipt/status/get", Id="x")["Model"] == "NotFound"


def test_a_receipt_without_items_is_not_fiscalized(cp: CloudShop) -> None:
    """What the cash register would refuse ends as Error and is not reported."""
    bad = {"Items": [{"label": "", "price": 1, "quantity": 1, "amount": 1}]}
    made = cp.call("/kkt/receipt", Inn="7708806063", Type="Income", CustomerReceipt=bad)["Model"]
    cp.advance("1m")

    assert cp.call("/kkt/receipt/status/get", Id=made["Id"])["Model"] == "Error"
    assert cp.hooks("receipt") == []

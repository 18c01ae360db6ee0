"""A line of CloudPayments' list of chargebacks, read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from portal.gateways.base import GatewayUnknown
from portal.gateways.cloudpayments import disputes
from portal.gateways.disputes import ChargebackSnapshot, Dispute

LINE: dict[str, Any] = {
    "ChargeBackId": 70001,
    "TransactionId": 504,
    "Amount": Decimal("990.5"),
    "Currency": "RUB",
    "Type": "Chargeback",
    "Operation": "Presentment",
    "Date": "2026-12-01T10:00:00",
}


def test_a_line_is_read_whole() -> None:
    """Numbers as text, the sum exact, the moment in UTC."""
    when = datetime(2026, 12, 1, 10, tzinfo=UTC)
    whole = ChargebackSnapshot("70001", "504", Dispute.TAKEN, Decimal("990.50"), "RUB", when)
    assert disputes.chargeback(LINE) == whole


@pytest.mark.parametrize(
    ("kind", "operation", "what"),
    (
        ("Chargeback", "Representment", Dispute.RETURNED),
        ("Fee", "Presentment", Dispute.FEE),
        ("Fee", "Representment", Dispute.FEE),
        ("Chargeback", "PreArbitration", Dispute.OTHER),
        ("Chargeback", None, Dispute.OTHER),
        ("Alert", "Presentment", Dispute.OTHER),
    ),
)
def test_what_the_bank_did(kind: str, operation: str | None, what: Dispute) -> None:
    """A word that is in no handbook takes no money and stops no list."""
    assert disputes.chargeback({**LINE, "Type": kind, "Operation": operation}).what is what


@pytest.mark.parametrize("missing", ("ChargeBackId", "TransactionId", "Amount"))
def test_a_line_without_its_numbers_is_none(missing: str) -> None:
    """Nothing is guessed about money."""
    with pytest.raises(GatewayUnknown):
        disputes.chargeback({name: value for name, value in LINE.items() if name != missing})

"""A line of ``chargebacks/list`` in our words (https://developers.cloudpayments.ru/)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.gateways.base import GatewayUnknown
from portal.gateways.cloudpayments import reading
from portal.gateways.disputes import ChargebackSnapshot, Dispute


def chargeback(model: Mapping[str, Any]) -> ChargebackSnapshot:
    """Read one line. Raises GatewayUnknown for one without its numbers or its sum."""
    number, payment = reading.text(model, "ChargeBackId"), reading.text(model, "TransactionId")
    if number is None or not reading.is_id(payment) or payment is None:
        raise GatewayUnknown(detail="a chargeback without its numbers")
    kind, operation = reading.text(model, "Type"), reading.text(model, "Operation")
    return ChargebackSnapshot(
        chargeback_id=number,
        gateway_payment_id=payment,
        what=Dispute.FEE if kind == "Fee" else _WHAT.get((kind, operation), Dispute.OTHER),
        amount=reading.amount_of(model),
        currency=reading.text(model, "Currency") or "",
        happened_at=reading.moment(model.get("Date")),
    )


_WHAT: Mapping[tuple[str | None, str | None], Dispute] = {
    ("Chargeback", "Presentment"): Dispute.TAKEN,
    ("Chargeback", "Representment"): Dispute.RETURNED,
}

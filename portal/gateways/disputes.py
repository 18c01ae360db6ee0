"""What a gateway tells about money that a payer's bank took back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Dispute(StrEnum):
    """What became of a payment that its payer disputes."""

    TAKEN = "taken"  # the bank took the money back from the shop
    RETURNED = "returned"  # the shop was right: the money came back to it
    FEE = "fee"  # what the gateway keeps for the trouble
    OTHER = "other"  # a word that is in no handbook: a person has to look


@dataclass(frozen=True, slots=True)
class ChargebackSnapshot:
    """One line about a dispute."""

    chargeback_id: str
    gateway_payment_id: str
    what: Dispute
    amount: Decimal
    currency: str
    happened_at: datetime | None = None  # UTC

"""A word that both wings of the house use: the gateways are told it, the rows remember it."""

from __future__ import annotations

from enum import StrEnum


class BillingMode(StrEnum):
    """Whether a payment asks the gateway to remember the payer's method (seed: payment modes)."""

    ONE_TIME = "ONE_TIME"
    RECURRING = "RECURRING"

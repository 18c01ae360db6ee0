"""What concerns the shop itself: what its receipts say, and what a gateway tells about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceiptTerms:
    """What a fiscal receipt says (54-ФЗ), in YooKassa's words and numbers (its parameters-values page)."""

    email: str
    item: str
    vat_code: int
    tax_system: int | None
    subject: str
    mode: str


@dataclass(frozen=True, slots=True)
class ShopReport:
    """What a gateway says of the shop whose credentials are used; ``None`` where it cannot be asked without
    taking money.
    """

    shop: str
    enabled: bool | None = None
    test: bool | None = None
    recurring: bool | None = None  # may methods be saved and charged again
    receipts: bool | None = None  # does every payment need one
    #: Kind of notification and the address it goes to now; ``None`` where a cabinet does not tell.
    addresses: Mapping[str, str] | None = None

"""What a payment's fiscal receipt will say (54-ФЗ): frozen with its other terms, before any gateway hears of
it, so that a repeat is the same to the byte and a refund's receipt fits that of its payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from portal.billing import settings
from portal.gateways.shop import ReceiptTerms
from portal.models import GatewayName


def frozen(gateway: GatewayName, email: str, description: str) -> dict[str, Any] | None:
    """The terms by the shop's settings now; ``None`` where receipts are not sent to this gateway."""
    shop = settings.current()
    sent = {
        GatewayName.CLOUDPAYMENTS: shop.cloudpayments_receipts,
        GatewayName.YOOKASSA: shop.yookassa_receipts,
    }
    if not sent[gateway]:
        return None
    terms = ReceiptTerms(
        email=email,
        item=shop.receipt_item_name or description,
        vat_code=int(shop.receipt_vat_code),
        tax_system=int(shop.receipt_tax_system) if shop.receipt_tax_system else None,
        subject=shop.receipt_subject,
        mode=shop.receipt_mode,
    )
    return asdict(terms)


def terms_of(kept: Mapping[str, Any] | None) -> ReceiptTerms | None:
    """The terms that a payment's row has kept."""
    return ReceiptTerms(**kept) if kept is not None else None

"""YooKassa: the official SDK, contained in this one room."""

from portal.gateways.yookassa.api import ShopInfo, YooKassa
from portal.gateways.yookassa.notifications import (
    DEFAULT_NETWORKS,
    YooKassaNotification,
    is_from_yookassa,
    read,
)
from portal.gateways.yookassa.payload import build_yookassa_payment_payload

__all__ = [
    "DEFAULT_NETWORKS",
    "ShopInfo",
    "YooKassa",
    "YooKassaNotification",
    "build_yookassa_payment_payload",
    "is_from_yookassa",
    "read",
]

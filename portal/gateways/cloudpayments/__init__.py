"""CloudPayments: the widget in our page, saved tokens, signed notifications."""

from portal.gateways.cloudpayments.api import CloudPayments
from portal.gateways.cloudpayments.fields import fields_of
from portal.gateways.cloudpayments.notifications import CloudPaymentsNotification, Kind, read
from portal.gateways.cloudpayments.signature import content_hmac, is_authentic, verify_signature

__all__ = [
    "CloudPayments",
    "CloudPaymentsNotification",
    "Kind",
    "content_hmac",
    "fields_of",
    "is_authentic",
    "read",
    "verify_signature",
]

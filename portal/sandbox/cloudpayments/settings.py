"""The switches of the CloudPayments side, each with the default for what the documentation leaves open.

They are changed by ``POST /control/settings`` under these names.
"""

from __future__ import annotations

from typing import Any

from portal.sandbox.settings import Setting, choice, flag, number


def _limit(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)


_TERMINAL = (
    flag("cloudpayments_test_mode", True, 'TestMode=1, GatewayName "Test", AuthCode "A1B2C3", no fee'),
    choice(
        "cloudpayments_save_card",
        ("on_request", "always", "off"),
        "the cabinet's setting for card tokens: obey SaveCard/tokenize, always, never",
    ),
    flag("cloudpayments_same_token", True, "the same card and AccountId get the same token again"),
    Setting(
        "cloudpayments_concurrency_limit",
        None,
        _limit,
        "API requests at once, more are answered 429 (a real test terminal: 5; null: no limit)",
    ),
)

_ANSWERS = (
    choice(
        "cloudpayments_request_id_keeps",
        ("all", "successes"),
        "which HTTP 200 answers X-Request-ID remembers for an hour",
    ),
    flag("cloudpayments_declined_lookup_success", False, "Success of get and find for a declined payment"),
    choice("cloudpayments_refunded_flag", ("any", "full"), "which refunds turn Refunded true"),
)

_NOTIFICATIONS = (
    choice(
        "cloudpayments_notify_format",
        ("form", "json"),
        "body of notifications; json is the cabinet's POST + JSON",
    ),
    flag("cloudpayments_data_pretty", False, "Data re-indented with line ends, as it was seen on the wire"),
    flag(
        "cloudpayments_missing_keys", False, "empty optional fields are left out instead of being sent empty"
    ),
    flag("cloudpayments_wrong_hmac", False, "sign with another secret, so that a merchant must refuse"),
    flag("cloudpayments_check_tokens", True, "ask Check before token and subscription charges too"),
    flag("cloudpayments_fail_after_check", True, "a refusal by Check is followed by Fail"),
    flag(
        "cloudpayments_recurrent_on_create", False, "Recurrent when a subscription begins, not only on change"
    ),
    flag("cloudpayments_retry_after", False, "RetryAfter, 24 hours ahead, in Fail of temporary declines"),
    flag(
        "cloudpayments_echo_instructions",
        False,
        "the widget's recurrent and receipt come back in Data.CloudPayments",
    ),
    flag("cloudpayments_receipts", True, "a receipt passed with a payment is fiscalized and reported"),
    number("cloudpayments_receipt_seconds", 2, "how long fiscalization takes, on the sandbox's clock"),
)

_TIME = (
    number("cloudpayments_hold_days", 7, "how long a two-stage hold lives"),
    choice("cloudpayments_hold_expiry", ("cancel", "confirm"), "what becomes of a hold then"),
    flag("cloudpayments_hold_expiry_notifies", True, "whether Cancel or Confirm tells of it"),
    number(
        "cloudpayments_sbp_charge_seconds",
        5,
        "how long a charge of an SBP account takes, on the sandbox's clock",
    ),
    number("cloudpayments_sbp_refund_seconds", 60, "how long an SBP refund takes, on the sandbox's clock"),
    choice(
        "cloudpayments_sbp_refund_outcome",
        ("succeeded", "bounced"),
        "how an SBP refund ends: the payer's bank takes the money, or it comes back in silence",
    ),
)

_WIDGET = (
    choice(
        "cloudpayments_widget_resolves",
        ("result", "close"),
        "start() resolves on the final result, or when the payer closes the window",
    ),
)

SETTINGS: tuple[Setting, ...] = (*_TERMINAL, *_ANSWERS, *_NOTIFICATIONS, *_TIME, *_WIDGET)

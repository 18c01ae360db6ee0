"""YooKassa's switches. Where its documentation is silent, the default is the stricter reading."""

from __future__ import annotations

from portal.sandbox.settings import Setting, choice, flag, number
from portal.sandbox.yookassa.receipt_checks import PROVIDER_OWN

SHOP_ID = "100500"
SECRET_KEY = "test_sandbox-secret-key"
OAUTH_TOKEN = "sandbox-oauth-token"
GATEWAY_ID = "100700"

REFUND_REASONS = (
    "insufficient_funds", "general_decline", "rejected_by_payee", "rejected_by_timeout",
    "yoo_money_account_closed", "payment_expired",
)  # fmt: skip

SETTINGS: tuple[Setting, ...] = (
    flag("yookassa_recurring", True, "whether the shop may save payment methods and charge them"),
    flag(
        "yookassa_recurring_blocks_saved",
        True,
        "whether a shop without recurring is also refused charges of saved methods and bindings (likely)",
    ),
    flag("yookassa_fiscalization", False, "whether the shop must send receipts"),
    choice(
        "yookassa_fiscalization_provider",
        (PROVIDER_OWN, "atol"),
        "who makes the receipts; yoo_receipt demands e-mail and measure",
    ),
    number("yookassa_receipt_seconds", 5, "how long the registration of a receipt takes"),
    flag("yookassa_test_mode", True, "the field test of every object"),
    flag("yookassa_decline_cancels", False, "whether a declined attempt on the page cancels the payment"),
    choice(
        "yookassa_refund_outcome",
        ("succeeded", "pending", *(f"{wait}{r}" for r in REFUND_REASONS for wait in ("", "pending_"))),
        "how refunds end: at once, after a wait, or canceled for a reason at once or after a wait",
    ),
    number("yookassa_pending_seconds", 600, "how long refunds and charges that are programmed to wait do so"),
    choice("yookassa_idempotency", ("parsed", "bytes"), "how repeated requests are compared"),
    choice("yookassa_unknown_payment", ("404", "400"), "HTTP status for a payment that does not exist"),
    flag(
        "yookassa_get_saved_methods",
        False,
        "whether GET /payment_methods/{id} finds methods that were saved during a payment",
    ),
)

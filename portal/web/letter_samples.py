"""Facts for a letter of every kind, as the outbox holds them: for whoever looks at all letters."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

Facts = Mapping[str, Any]

_SHOP = "https://shop.example"
_MONEY = {"amount": "990.00", "currency": "RUB", "plan_title": "Про", "plan_code": "PRO_MONTHLY"}
_PAYMENT = {
    **_MONEY,
    "transaction_id": "3f2c9a1e-6d1b-4a57-9c3e-0b8f5d2a7e41",
    "gateway": "cloudpayments",
    "method": "Visa •• 4242",
}
_SOON, _THEN, _LATER = (
    "2026-12-16T00:20:00+00:00",
    "2026-12-19T00:20:00+00:00",
    "2027-01-18T00:20:00+00:00",
)
_STOP = {"stop_link": f"{_SHOP}/renewal/stop/Q2hhbmdlIG9mIG1pbmQ"}
_PAY = {"pay_link": f"{_SHOP}/renewal/pay/TW9uZXkgaXMgZHVl"}
_CHANGE = {**_PAYMENT, "old_title": "Старт", "starts_at": _THEN, "ends_at": _LATER, "emails_left": 4_200}
_QUOTA = {
    "plan_title": "Про",
    "emails_total": 50_000,
    "ends_at": _THEN,
    "next_starts_at": None,
    "next_emails": None,
}
_FOLLOWED = {"next_starts_at": _THEN, "next_emails": 50_000}
_PRICE = {**_MONEY, "old_amount": "790.00", "moves_at": _LATER, **_STOP}
_LEADING = {
    "plan_title": "Про",
    "method": "Visa •• 4242",
    "ends_at": _THEN,
    **_STOP,
}

# They go elsewhere than to the account's address, so nobody is told that there is an account for it.
_ADDRESSES = {"user": None, "email": "ira@example.com", "wanted": "irina@example.org"}

#: What every letter knows besides: its reader, and where the shop is.
COMMON: Facts = {"user": SimpleNamespace(email="ira@example.com", closed_at=None), "base_url": _SHOP}

_GONE = {"user": SimpleNamespace(email="ira@example.com", closed_at=_SOON), "at": _SOON}

#: Each kind with what may be different about it, by a name for that.
SAMPLES: Mapping[str, Mapping[str, Facts]] = {
    "confirm_email": {"": {"link": f"{_SHOP}/confirm/SXQgaXMgbWU"}},
    "reset_password": {"": {"link": f"{_SHOP}/password/reset/SXQgaXMgbWU"}},
    "password_changed": {"": {"at": _SOON}},
    "change_email": {"": {**_ADDRESSES, "link": f"{_SHOP}/email/change/SXQgaXMgbWU"}},
    "change_email_asked": {"": {**_ADDRESSES, "at": _SOON}},
    "email_changed": {"": {**_ADDRESSES, "at": _SOON}},
    "email_wanted": {"": {}},
    "account_closed": {
        "with a refund": {
            **_GONE,
            **_MONEY,
            "refunds": [
                {"plan_title": "Про", "method": "Visa •• 4242", "amount": "630.00", "currency": "RUB"},
            ],
        },
        "too late": {**_GONE, **_MONEY, "refunds": []},
        "all went back before": {**_GONE, **_MONEY, "refunds": [], "gone": True},
        "without a plan": {**_GONE, "plan_title": "", "plan_titles": [], "refunds": []},
    },
    "already_registered": {"": {}},
    "payment_succeeded": {
        "paid": {**_PAYMENT, "ends_at": _THEN},
        "not saved": {**_PAYMENT, "method": "СБП", "ends_at": _THEN, "not_saved": True},
    },
    "payment_failed": {"": {**_PAYMENT, "failure_code": "5051"}},
    "refunded": {
        "whole": {**_PAYMENT, "whole": True, "ended": True},
        "part, ended": {**_PAYMENT, "amount": "340.50", "whole": False, "ended": True},
        "part": {**_PAYMENT, "amount": "100.50", "whole": False, "ended": False},
    },
    "refund_failed": {"": _PAYMENT},
    "plan_canceled": {
        "with a refund": {
            **_MONEY,
            "refunds": [
                {"plan_title": "Про", "method": "Visa •• 4242", "amount": "630.00", "currency": "RUB"},
                {"plan_title": "Старт", "method": "", "amount": "120.50", "currency": "RUB"},
            ],
        },
        "two, too late": {**_MONEY, "plan_titles": ["Старт", "Про"], "refunds": []},
        "all went back before": {**_MONEY, "refunds": [], "gone": True},
    },
    "renewal_coming": {"": {**_PAYMENT, "charge_at": _SOON, "period_days": 30, **_STOP}},
    "renewed": {"": {**_PAYMENT, "ends_at": _LATER}},
    "renewal_failed": {
        "tried again": {
            **_PAYMENT,
            "failure_code": "5051",
            "next_try_at": _SOON,
            "access_until": _THEN,
            **_STOP,
            **_PAY,
        },
        "given up": {
            **_PAYMENT,
            "failure_code": "5054",
            "next_try_at": None,
            "access_until": _THEN,
            **_STOP,
            **_PAY,
        },
    },
    "renewal_stopped": {"": {**_MONEY, "ends_at": _THEN}},
    "plan_ends": {
        "on sale": {**_MONEY, "ends_at": _THEN, "on_sale": True},
        "not sold any more": {**_MONEY, "ends_at": _THEN, "on_sale": False},
    },
    "plan_ended": {"": {**_MONEY, "ended_at": _THEN}},
    "plan_extended": {
        "renews": {**_MONEY, "days": 7, "ends_at": _LATER, "charge_at": _SOON},
        "does not": {**_MONEY, "days": 1, "ends_at": _LATER, "charge_at": None},
    },
    "plan_changed": {
        "now": {
            **_CHANGE,
            "what": "now",
            "credit": "212.40",
            "renews_as": "Про",
            "renews_for": "990.00",
        },
        "now, without renewal": {
            **_CHANGE,
            "what": "now",
            "credit": "212.40",
            "renews_as": "",
            "renews_for": None,
        },
        "later": {**_CHANGE, "what": "scheduled", "charge_at": _SOON},
        "stays": {**_CHANGE, "what": "stays", "charge_at": _SOON},
        "restored": {**_CHANGE, "what": "restored"},
    },
    "change_returned": {"": _PAYMENT},
    "card_expires": {
        "before a charge": {"method": "Visa •• 4242", "month": "12/2026", "charge_at": _SOON},
        "no charge planned": {"method": "Visa •• 4242", "month": "12/2026", "charge_at": None},
    },
    "card_elsewhere": {
        "to YooKassa": {**_LEADING, "lead_to": "yookassa"},
        "to CloudPayments": {**_LEADING, "lead_to": "cloudpayments"},
    },
    "quota_low": {
        "last period": {**_QUOTA, "percent": 80, "emails_left": 10_000},
        "more is paid": {**_QUOTA, **_FOLLOWED, "percent": 95, "emails_left": 2_500},
    },
    "quota_spent": {
        "last period": {**_QUOTA, "percent": 100, "emails_left": 0},
        "more is paid": {**_QUOTA, **_FOLLOWED, "percent": 100, "emails_left": 0},
    },
    "price_changes": {
        "up": {**_PRICE, "raised": True},
        "down": {**_PRICE, "old_amount": "1190.00", "raised": False},
    },
    "price_stays": {"": _PRICE},
    "price_stopped": {"": _PRICE},
}

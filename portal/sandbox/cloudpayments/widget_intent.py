"""What a page asked the widget for: the parameters of ``start()``, read as strictly as a payment needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from portal.sandbox.cloudpayments import subscriptions, terminal
from portal.sandbox.cloudpayments.api_payments import currency_of
from portal.sandbox.cloudpayments.binding import BadRequest, Params
from portal.sandbox.cloudpayments.transactions import Intent, storable

ACCOUNT_LIMIT = 254
SHORTEST, LONGEST = 3, 10
_SCHEMES = {"single": False, "dual": True}


def intent_of_start(start: Mapping[str, Any], ip: str, email: str = "") -> Intent:
    """Read the parameters of ``start()``; raises ``BadRequest`` naming the one that is missing or wrong.

    ``email`` is what the payer typed, and stands in for ``receiptEmail``.
    """
    params = Params(start)
    if not terminal.known(params.required("publicTerminalId")):
        raise BadRequest("Unknown publicTerminalId")
    scheme = params.required("paymentSchema").lower()
    if scheme not in _SCHEMES:
        raise BadRequest("Invalid paymentSchema value")
    params.required("currency")
    user = params.nested("userInfo")
    account_id = user.text("accountId")
    if len(account_id) > ACCOUNT_LIMIT:
        raise BadRequest("userInfo.accountId is too long")
    return Intent(
        amount=params.amount("amount"),
        currency=currency_of(params),
        two_stage=_SCHEMES[scheme],
        invoice_id=params.text("externalId"),
        account_id=account_id,
        email=email or params.text("receiptEmail") or user.text("email"),
        description=params.text("description"),
        data=params.json_text("metadata"),
        save_card=bool(params.flag("tokenize")),
        name=user.text("fullName"),
        ip=ip,
        culture=params.text("culture") or "ru-RU",
        source="widget",
        recurrent=_recurrent(params, account_id),
        receipt=storable(params.nested("receipt").received),
        request=storable(params.received),
    )


def _recurrent(params: Params, account_id: str) -> dict[str, Any]:
    asked = params.nested("recurrent")
    if not asked.received:
        return {}
    if not account_id:
        raise BadRequest("userInfo.accountId is required for recurrent")
    subscriptions.period(asked)
    return storable(asked.received)


def public_id_of(start: Mapping[str, Any]) -> str:
    """Return the terminal that the page named."""
    return Params(start).required("publicTerminalId")


def offers(start: Mapping[str, Any], method: str) -> bool:
    """Tell whether the page left a payment method on (``Card``, ``Sbp``, ``SberPay``)."""
    off = Params(start).value("restrictedPaymentMethods")
    return not isinstance(off, list) or method.lower() not in {str(name).lower() for name in off}


def may_retry(start: Mapping[str, Any]) -> bool:
    """Tell whether the payer may try again in the same window; true by default."""
    return Params(start).flag("retryPayment") is not False


def auto_close(start: Mapping[str, Any]) -> int | None:
    """Return after how many seconds the result closes by itself, kept between the documented 3 and 10."""
    seconds = Params(start).integer("autoClose")
    return None if seconds is None else min(max(seconds, SHORTEST), LONGEST)


def web_address(start: Mapping[str, Any], name: str) -> str:
    """Return an address to send the payer to, or an empty text for anything that is not http(s)."""
    url = Params(start).text(name)
    return url if urlsplit(url).scheme in {"http", "https"} else ""


def email_behavior(start: Mapping[str, Any]) -> str:
    """Return ``required``, ``hidden`` or ``optional`` (the default)."""
    word = Params(start).text("emailBehavior").lower()
    return word if word in {"required", "hidden"} else "optional"

"""Requests to CloudPayments as one shop, and what an answer says about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from requests.auth import HTTPBasicAuth

from portal.gateways.base import (
    Credentials,
    GatewayClosed,
    GatewayError,
    GatewayRejected,
    GatewayUnknown,
)
from portal.gateways.wire import Answer, exchange, plain, throttled
from portal.money import money

PRODUCTION = "https://api.cloudpayments.ru"

# Client errors say that the request was not taken on. 408 and 409 do not, and 429 has an error of its own.
_REFUSALS = frozenset({400, 401, 403, 404, 405, 413, 415})


class Transport:
    """POSTs of JSON with Basic authentication (public id, API secret). Safe to share between threads."""

    def __init__(self, credentials: Credentials, *, ca_file: str | None = None) -> None:
        """Take the shop's *credentials*. *ca_file* names the authority of a simulator's certificate."""
        if not credentials.shop.strip() or not credentials.secret.strip():
            raise GatewayClosed
        self._credentials = credentials
        self._endpoint = (credentials.api_url or PRODUCTION).rstrip("/")
        self._ca_file = ca_file

    def post(self, path: str, body: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Send *body* and return the envelope of a 200: ``Success`` is there, ``Message`` and ``Model`` may
        be.

        *key* goes out as X-Request-ID; CloudPayments keeps the result under it for one hour. Raises
        GatewayRejected, GatewayThrottled or GatewayUnknown when there is no envelope.
        """
        shop, secret = self._credentials.shop.strip(), self._credentials.secret.strip()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = exchange(
            "POST",
            f"{self._endpoint}/{path}",
            timeouts=self._credentials.timeouts,
            # As bytes: requests would encode text as Latin-1.
            auth=HTTPBasicAuth(shop.encode(), secret.encode()),
            headers=headers | ({"X-Request-ID": key} if key else {}),
            body=json.dumps(body, ensure_ascii=False).encode(),
            ca_file=self._ca_file,
            does=key is not None,
            heard=self._credentials.heard,
        )
        envelope = answer.object()
        if answer.status != 200:
            raise _error(answer, envelope)
        if envelope is None or not isinstance(envelope.get("Success"), bool):
            raise GatewayUnknown(detail="HTTP 200 without a readable envelope")
        return envelope


def _error(answer: Answer, envelope: Mapping[str, Any] | None) -> GatewayError:
    """Choose the error for an answer that is not 200."""
    detail = f"HTTP {answer.status} {plain((envelope or {}).get('Message'))}".strip()
    if answer.status == 429:
        return throttled(answer, detail)
    if answer.status in _REFUSALS:
        return GatewayRejected(detail=detail)
    return GatewayUnknown(detail=detail)


def model_of(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The ``Model`` when it is an object, else an empty one."""
    model = envelope.get("Model")
    return model if isinstance(model, dict) else {}


def refusal(envelope: Mapping[str, Any]) -> GatewayError:
    """The error for an envelope without a usable model: refused if it says why, otherwise unknown."""
    message = plain(envelope.get("Message"))
    if envelope.get("Success") is False and message:
        return GatewayRejected(detail=message)
    return GatewayUnknown(detail="an answer that says nothing")


def is_not_found(envelope: Mapping[str, Any]) -> bool:
    """Tell whether the answer means "no such payment"; the exact words of payments/get are not documented."""
    message = plain(envelope.get("Message")).lower()
    return envelope.get("Success") is False and ("not found" in message or "не найден" in message)


def json_number(amount: Decimal) -> int | float:
    """An amount as a JSON number that prints exactly.

    JSON in Python has no decimals. A float holds every amount of ours (at most 12 digits) so that its
    shortest form is the same number; nothing is ever computed with it.
    """
    exact = money(amount)
    if exact == exact.to_integral_value():
        return int(exact)
    number = float(exact)
    assert Decimal(repr(number)) == exact
    return number

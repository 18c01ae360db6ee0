"""The official SDK made safe: no state of the process, bounded waiting, no second tries behind our back, our
errors.

Left alone, SDK 3.13.0 keeps credentials on a class that all threads share, waits for ever, lets ~/.netrc
replace the credentials, repeats POSTs, follows redirects, logs the Authorization header, and turns a refused
connection into ``AttributeError`` and a proxy's HTML page into ``JSONDecodeError``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from yookassa.client import ApiClient
from yookassa.domain.common import UserAgent
from yookassa.domain.request import PaymentRequest, RefundRequest

from portal.gateways.base import (
    Credentials,
    GatewayClosed,
    GatewayError,
    GatewayForbidden,
    GatewayRejected,
    GatewayUnknown,
    Timeouts,
)
from portal.gateways.wire import Answer, Session, exchange, plain, throttled

log = logging.getLogger("portal.gateways.yookassa")

PRODUCTION = "https://api.yookassa.ru/v3"

# Refusals that come with YooKassa's own error object; the API promises that nothing was done.
_REFUSALS = frozenset({400, 401, 404, 410})
# Refusals that the documentation leaves without a body: wrong method, wrong content type.
_BODILESS_REFUSALS = frozenset({405, 415})


class NoSuchObject(GatewayRejected):
    """YooKassa has no object by this id, or it is another shop's."""


class _Client(ApiClient):  # type: ignore[misc]  # the SDK ships no types, so its class is Any
    """The SDK's client with credentials of its own instead of the process's."""

    def __init__(self, credentials: Credentials, endpoint: str, ca_file: str | None) -> None:
        # The parent's constructor would copy whatever shop the process was configured for last.
        self.endpoint = endpoint
        self.shop_id = credentials.shop.strip()
        self.shop_password = credentials.secret.strip()
        self.auth_token = None
        self.user_agent = _user_agent()
        self.timeouts: Timeouts = credentials.timeouts
        self.ca_file = ca_file
        self.heard = credentials.heard

    def get_session(self) -> Session:
        """A session without retries, netrc and proxies."""
        return Session()

    def execute(
        self,
        body: Mapping[str, Any] | None,
        method: str,
        path: str,
        query_params: Mapping[str, str] | None,
        request_headers: Mapping[str, str],
    ) -> Answer:
        """Send one request once; the SDK's logging, which shows credentials and cards, is left out with the
        rest.
        """
        return exchange(
            method,
            self.endpoint + path,
            timeouts=self.timeouts,
            session=self.get_session(),
            headers=request_headers,
            params=query_params,
            body=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
            ca_file=self.ca_file,
            does=method == "POST",
            heard=self.heard,
        )


@cache
def _user_agent() -> UserAgent:
    """The SDK's description of this machine; it starts a program to find out, so once is enough."""
    return UserAgent()


class Transport:
    """Requests to YooKassa as one shop: raw objects back, or one of the errors of
    :mod:`portal.gateways.base`.
    """

    def __init__(self, credentials: Credentials, *, ca_file: str | None = None) -> None:
        """Take the shop's *credentials*. *ca_file* names the authority of a simulator's certificate."""
        if not credentials.shop.strip() or not credentials.secret.strip():
            raise GatewayClosed
        self.endpoint = (credentials.api_url or PRODUCTION).rstrip("/")
        self._client = _Client(credentials, self.endpoint, ca_file)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read *path*. Raises :class:`NoSuchObject` for HTTP 404, otherwise as :meth:`post`."""
        headers = self._client.prepare_request_headers(None)
        return _judge(self._client.execute(None, "GET", path, params, headers))

    def post(self, path: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for something under the idempotence *key*; the body goes out exactly as it is.

        Raises GatewayRejected or GatewayForbidden when it was refused, GatewayThrottled when it was not
        looked at, and GatewayUnknown when it may have been carried out.
        """
        _validate(path, body)
        headers = self._client.prepare_request_headers({"Idempotence-Key": key})
        return _judge(self._client.execute(body, "POST", path, None, headers), asked_to_do=True)


def _validate(path: str, body: Mapping[str, Any]) -> None:
    """Let the SDK's own rules look at *body* before anything is sent. They get a copy: its models keep what
    they are given.
    """
    model = {"/payments": PaymentRequest, "/refunds": RefundRequest}.get(path)
    if model is None:
        return
    try:
        model(deepcopy(dict(body))).validate()
    except (ValueError, TypeError) as error:
        raise GatewayRejected(detail=f"nothing was sent: {plain(str(error))}") from error


def _judge(answer: Answer, *, asked_to_do: bool = False) -> dict[str, Any]:
    """Return the object of a 200, or raise what the answer says about the request (HTTP codes of the API
    handbook). *asked_to_do*: the request was to do something, not to read.
    """
    told = answer.object()
    if answer.status == 200:
        if told is None:
            raise GatewayUnknown(detail="HTTP 200 without a readable object")
        return told
    if answer.status == 403 and asked_to_do:
        raise _forbidden(answer, told or {})
    raise _error(answer, told)


def _forbidden(answer: Answer, error: Mapping[str, Any]) -> GatewayForbidden:
    """The customer's sentence and the operator's line, whoever refused: with 403 nobody carried anything
    out, be it YooKassa or a wall in front of it.
    """
    description = plain(error.get("description")) or f"HTTP {answer.status}"
    log.warning("YOOKASSA_FORBIDDEN: %s", description)
    return GatewayForbidden(detail=description, parameter=plain(error.get("parameter")) or None)


def _error(answer: Answer, told: dict[str, Any] | None) -> GatewayError:
    """Choose the error for an answer that is not 200."""
    error = told or {}
    description = plain(error.get("description")) or f"HTTP {answer.status}"
    parameter = plain(error.get("parameter")) or None
    wait = _retry_after(error)
    if answer.status == 429:
        return throttled(answer, description, wait)
    if answer.status in _BODILESS_REFUSALS:
        return GatewayRejected(detail=description, parameter=parameter)
    # Without YooKassa's own error object the status is the word of somebody in between.
    if error.get("type") == "error" or isinstance(error.get("code"), str):
        if answer.status == 403:
            return _forbidden(answer, error)
        if answer.status == 404:
            return NoSuchObject(detail=description, parameter=parameter)
        if answer.status in _REFUSALS:
            return GatewayRejected(detail=description, parameter=parameter)
    return GatewayUnknown(
        detail=f"HTTP {answer.status}: {description}", parameter=parameter, retry_after=wait
    )


def _retry_after(error: Mapping[str, Any]) -> float | None:
    """``retry_after`` of an error or of the old 202 answer, from milliseconds to seconds."""
    value = error.get("retry_after")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 86_400_000:
        return None
    return value / 1000

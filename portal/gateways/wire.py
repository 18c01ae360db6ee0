"""What both gateways share about the wire: one careful exchange over HTTP, JSON that cannot surprise, ids
that fit in a URL.

A library's failure never leaves this file: whoever calls sees an :class:`Answer` or one of the errors of
:mod:`portal.gateways.base`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from time import monotonic
from typing import Any, NoReturn

import requests
import urllib3
from requests.auth import AuthBase

from portal.errors import PortalError
from portal.gateways.base import GatewayRejected, GatewayThrottled, GatewayUnknown, Timeouts
from portal.wording import marked

log = logging.getLogger(__name__)

# Far above any honest answer (a page of a hundred payments is some 200 KB), far below what would hurt a
# worker.
LARGEST_ANSWER = 8 * 1024 * 1024

# Raised before a socket is opened, so nothing can have happened.
_NEVER_SENT = (
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
)


class NotAnId(GatewayRejected, ValueError):
    """The text is not an id of this gateway, so it is not put into a request. Nothing was sent."""

    code = "NOT_AN_ID"


class MalformedNotification(PortalError, ValueError):
    """The body cannot be a notification of this gateway, whoever sent it."""

    code = "MALFORMED_NOTIFICATION"
    status = 400
    message = marked("Уведомление не удалось прочитать.")


class Unreadable(ValueError):
    """The bytes are not a JSON object that can be trusted to mean one thing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: nothing of it is left on the socket."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def object(self) -> dict[str, Any] | None:
        """The body as a JSON object, numbers exact; ``None`` when it is anything else."""
        try:
            return json_object(self.body)
        except Unreadable:
            return None


class Session(requests.Session):
    """A session that reads nothing from the machine: no netrc (it would replace the credentials),
    no proxies.
    """

    def __init__(self) -> None:
        """Keep requests' own adapters: they retry nothing unless asked to."""
        super().__init__()
        self.trust_env = False


def exchange(
    method: str,
    url: str,
    *,
    timeouts: Timeouts,
    session: requests.Session | None = None,
    auth: AuthBase | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    body: bytes | None = None,
    ca_file: str | None = None,
    does: bool = False,
    heard: Callable[[bool, bool], None] | None = None,
) -> Answer:
    """Send one request once and tell *heard* whether it was a good exchange, and whether it *does* something;
    see :func:`_send`.
    """
    good = False
    try:
        answer = _send(method, url, timeouts, session, auth, headers, params, body, ca_file)
        good = answer.status < 500
        return answer
    finally:
        if heard is not None:
            heard(good, does)


def _send(
    method: str,
    url: str,
    timeouts: Timeouts,
    session: requests.Session | None,
    auth: AuthBase | None,
    headers: Mapping[str, str] | None,
    params: Mapping[str, str] | None,
    body: bytes | None,
    ca_file: str | None,
) -> Answer:
    """Send one request once and return the whole answer, whatever its status.

    Every exchange has a connection of its own: a kept-alive one that the gateway has just closed would lose a
    request and leave a payment unknown for nothing. Redirects are answers, not followed: credentials and
    money go to the configured address only. ``timeouts.read`` bounds both each wait and the body as a whole,
    so a trickling peer cannot hold a worker.

    Raises :class:`GatewayUnknown` when no complete answer came, and :class:`GatewayRejected` where it is
    certain that nothing was sent.
    """
    with session or Session() as open_session, _sorted_failures():
        response = open_session.request(
            method,
            url,
            params=params,
            data=body,
            headers=dict(headers or {}),
            auth=auth,
            timeout=(timeouts.connect, timeouts.read),
            allow_redirects=False,
            stream=True,
            verify=ca_file or True,
        )
        with response:
            return Answer(response.status_code, response.headers, _whole_body(response, timeouts.read))


@contextmanager
def _sorted_failures() -> Iterator[None]:
    """Tell a request that surely was not sent from one of which nothing is known."""
    try:
        yield
    except _NEVER_SENT as error:
        raise GatewayRejected(detail=f"nothing was sent: {type(error).__name__}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        # Refused connections are among them: the caller asks about the payment rather than guessing.
        raise GatewayUnknown(detail=f"no answer: {type(error).__name__}") from error


def _whole_body(response: requests.Response, seconds: float) -> bytes:
    """Read the body to its end within *seconds* and within bounds."""
    deadline = monotonic() + seconds
    pieces: list[bytes] = []
    size = 0
    while piece := response.raw.read1(65536, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise GatewayUnknown(detail="the answer is too long")
        if monotonic() > deadline:
            raise GatewayUnknown(detail="the answer took too long")
    return b"".join(pieces)


def json_object(raw: bytes, *, unique: bool = False) -> dict[str, Any]:
    """Read a JSON object from strict UTF-8, numbers as ``int`` and :class:`~decimal.Decimal`.

    With *unique* a name may stand only once in an object: two readers could take different ones of a pair.
    Raises :class:`Unreadable` for everything else: another top-level type, NaN, numbers or nesting beyond
    reason.
    """
    try:
        value = json.loads(
            raw.decode("utf-8", "strict"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique if unique else None,
        )
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise Unreadable(f"not a JSON object: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise Unreadable(f"a JSON {type(value).__name__}, not an object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are not JSON."""
    raise ValueError(name)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing a name that stands twice."""
    known: dict[str, Any] = {}
    for name, value in pairs:
        if name in known:
            raise ValueError("a name stands twice")
        known[name] = value
    return known


def seconds_to_wait(answer: Answer) -> float | None:
    """What the Retry-After header says, in seconds; ``None`` when it says nothing usable (dates are not used
    by either gateway).
    """
    text = answer.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) else None


def throttled(answer: Answer, detail: str, retry_after: float | None = None) -> GatewayThrottled:
    """Build the error for HTTP 429: nothing happened, the same key later."""
    return GatewayThrottled(detail=detail, retry_after=retry_after or seconds_to_wait(answer))


def plain(text: object, limit: int = 300) -> str:
    """A gateway's words made safe for one log line: printable, of bounded length, empty for anything but
    text.
    """
    if not isinstance(text, str):
        return ""
    return "".join(character if character.isprintable() else " " for character in text[:limit])

"""Faults on demand: what a network and a gateway do to a client on a bad day."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Response as FlaskResponse
from flask import current_app, make_response, request
from werkzeug.wrappers import Response

from portal.sandbox.errors import ControlError
from portal.sandbox.store import Document, Store

BEFORE = ("http_500", "http_429", "hang", "drop_before_commit", "garbage_502")
"""Nothing has been done when the client sees these."""
AFTER = ("malformed_200", "http_500_after_commit", "drop_after_commit", "http_202", "hang_after_commit")
"""The work is done and committed; only the answer is spoilt."""
FAULTS = BEFORE + AFTER
_ANY = ("", "*", "any", "all")
_GARBAGE = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center>"
)


@dataclass(frozen=True)
class Operation:
    """One API method and the names under which a fault may speak of it; the first is its own."""

    gateway: str
    names: tuple[str, ...]

    def answers_to(self, name: str) -> bool:
        """Whether a name means this operation: the same words in any order, number and punctuation."""
        return name.strip().lower() in _ANY or any(_words(name) == _words(own) for own in self.names)


OPERATIONS: list[Operation] = []
"""Every operation that an API view has declared."""


def _words(name: str) -> frozenset[str]:
    """Split a name into its words: ``POST /payments``, ``payments_post`` and ``payment.post`` are one."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return frozenset(word.removesuffix("s") for word in words if word not in ("v2", "v3", "id"))


class Faults:
    """The faults that wait for their request, kept in the store until they are used up."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, gateway: str, name: str, fault: str, times: int) -> Document:
        """Let the next ``times`` calls of an operation fail; raise ControlError 400 for unknown words."""
        if fault not in FAULTS:
            raise ControlError(400, "UNKNOWN_FAULT", f"{fault!r} is no fault; known are {', '.join(FAULTS)}.")
        own = [o for o in OPERATIONS if o.gateway == gateway]
        if not own:
            raise ControlError(400, "UNKNOWN_GATEWAY", f"There is no gateway {gateway!r}.")
        if not any(o.answers_to(name) for o in own):
            known = ", ".join(dict.fromkeys(o.names[0] for o in own))
            raise ControlError(400, "UNKNOWN_OPERATION", f"{gateway} has no operation {name!r}, but {known}.")
        with self._store.transaction():
            key = str(self._store.number("fault", 1))
            doc = {"id": key, "gateway": gateway, "operation": name, "fault": fault, "times": times}
            self._store.put("fault", key, doc)
        return doc

    def take(self, operation: Operation) -> str | None:
        """Use up one fault that waits for this operation and return it, oldest first."""
        with self._store.transaction():
            for doc in self._store.find("fault", gateway=operation.gateway):
                if not operation.answers_to(doc["operation"]):
                    continue
                doc["times"] -= 1
                if doc["times"] > 0:
                    self._store.put("fault", doc["id"], doc)
                else:
                    self._store.delete("fault", doc["id"])
                return str(doc["fault"])
        return None

    def all(self) -> list[Document]:
        """Return what still waits."""
        return self._store.all("fault")

    def clear(self) -> None:
        """Forget everything that waits."""
        for doc in self._store.all("fault"):
            self._store.delete("fault", doc["id"])


View = Callable[..., Any]


def operation(gateway: str, name: str, *aliases: str) -> Callable[[View], Callable[..., Response]]:
    """Decorate an API view so that the faults set for ``name`` (or an alias) strike its requests.

    The view must have committed its work when it returns. It may return whatever Flask takes from a view.
    """
    declared = Operation(gateway, (name, *aliases))
    OPERATIONS.append(declared)

    def decorate(view: View) -> Callable[..., Response]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Response:
            world = current_app.extensions["sandbox"]
            fault = world.faults.take(declared)
            if fault in BEFORE:
                return _strike(world, gateway, fault)
            answer = make_response(view(*args, **kwargs))
            time.sleep(world.settings["api_latency_ms"] / 1000)
            return _spoil(world, gateway, fault, answer) if fault else answer

        return guarded

    return decorate


def _strike(world: Any, gateway: str, fault: str) -> Response:
    """Answer, or refuse to answer, without any work done."""
    request.get_data()  # an unread body would hide from _hung_up that the client has left
    if fault == "hang":
        _hold(world.settings["hang_seconds"])
        return _cut()
    if fault == "drop_before_commit":
        return _cut()
    if fault == "garbage_502":
        return FlaskResponse(_GARBAGE, 502, mimetype="text/html")
    return _answer(world, gateway, 429 if fault == "http_429" else 500)


def _spoil(world: Any, gateway: str, fault: str, answer: Response) -> Response:
    """Keep the work and take the answer away."""
    if fault == "malformed_200":
        text = answer.get_data()
        return FlaskResponse(text[: len(text) // 2] or b"{", 200, mimetype="application/json")
    if fault == "hang_after_commit":
        _hold(world.settings["hang_seconds"])
        return _cut()
    if fault == "drop_after_commit":
        return _cut()
    return _answer(world, gateway, 202 if fault == "http_202" else 500)


def _answer(world: Any, gateway: str, status: int) -> Response:
    response: Response = world.simulators[gateway].fault_answer(status)
    return response


def _connection() -> socket.socket | None:
    found = request.environ.get("werkzeug.socket")
    return found if isinstance(found, socket.socket) else None


def _hold(seconds: float) -> None:
    """Keep the client waiting until it hangs up or the time is over."""
    connection, deadline = _connection(), time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if connection is None:
            time.sleep(left)
            continue
        readable, _, _ = select.select([connection], [], [], min(left, 0.2))
        if readable and _hung_up(connection):
            return


def _hung_up(connection: socket.socket) -> bool:
    try:
        gone = not connection.recv(1, socket.MSG_PEEK)
    except ConnectionError:
        return True
    if not gone:
        time.sleep(0.05)  # unread bytes keep the socket readable; do not spin on them
    return gone


def _cut() -> Response:
    """Close the TCP connection under the server, so that the client gets no byte of an answer."""
    connection = _connection()
    if connection is None:
        raise ConnectionAbortedError("the sandbox was told to drop this connection")
    with suppress(OSError):  # the client was faster
        connection.shutdown(socket.SHUT_RDWR)
    return FlaskResponse(status=500)

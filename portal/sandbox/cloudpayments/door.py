"""The door of the API: Basic authentication, the limit of concurrent requests, faults, X-Request-ID,
envelope.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, current_app, request

from portal.sandbox import faults
from portal.sandbox.clock import iso, parse_iso
from portal.sandbox.cloudpayments import terminal
from portal.sandbox.cloudpayments.binding import BadRequest, Params, plain_number
from portal.sandbox.world import World, world

api = Blueprint("cloudpayments_api", __name__, url_prefix="/cloudpayments")

KIND = "cloudpayments_request"
REMEMBERED = timedelta(hours=1)

Envelope = dict[str, Any]
Verb = Callable[..., Envelope]


def success(model: Any = None) -> Envelope:
    """Return the envelope of a request that was done; without a model there is no ``Model`` field."""
    return (
        {"Success": True, "Message": None}
        if model is None
        else {"Model": model, "Success": True, "Message": None}
    )


def refusal(message: str | None, model: Any = None) -> Envelope:
    """Return the envelope of a malformed request (message) or of a decline or 3-D Secure (model).

    A malformed request has no ``Model`` field at all: clients ask whether it is there.
    """
    return {**({} if model is None else {"Model": model}), "Success": False, "Message": message}


def method(path: str, name: str, *others: str, public: bool = False) -> Callable[[Verb], Verb]:
    """Make a verb answer POST under a path; ``name``, ``others`` and the path are what faults call it.

    The verb gets the terminal's public id, the parameters, and the path's own segments. ``BadRequest``
    becomes an envelope. With ``public`` a ``PublicId`` in the body stands for Basic authentication.
    """
    fixed = path.split("<", maxsplit=1)[0]

    def register(verb: Verb) -> Verb:
        @faults.operation("cloudpayments", name, *others, fixed, f"POST {fixed}")
        def done(public_id: str, segments: dict[str, str]) -> Response:
            return remembered(world(), public_id, lambda: _run(verb, public_id, segments))

        def view(**segments: str) -> Any:
            public_id = _authenticate(public=public)
            if public_id is None:
                return Response(status=401, headers={"WWW-Authenticate": 'Basic realm="api"'})
            with _slot(world()) as free:
                return done(public_id, segments) if free else fault_answer(429)

        api.add_url_rule(path, name + ":" + path, view, methods=["POST"], strict_slashes=False)
        return verb

    return register


def answer(envelope: Envelope) -> Response:
    """Write an envelope as the HTTP 200 it always is."""
    return Response(_written(envelope), mimetype="application/json")


def fault_answer(status: int) -> Response:
    """Answer 202, 429 or 500. Their bodies are not documented, so a client must live by the status alone."""
    body = {} if status == 202 else {"Message": "An error has occurred."}
    return Response("" if status == 429 else json.dumps(body), status, mimetype="application/json")


def _run(verb: Verb, public_id: str, segments: dict[str, str]) -> Envelope:
    try:
        return verb(public_id, Params.of(request), **segments)
    except BadRequest as error:
        return refusal(error.message)


def _written(envelope: Envelope) -> str:
    return json.dumps(envelope, ensure_ascii=False, default=plain_number)


def _authenticate(*, public: bool) -> str | None:
    """Return the public id of the terminal that asks, or ``None``."""
    given = request.authorization
    if given is not None and given.type == "basic" and given.username is not None:
        admitted = terminal.admits(given.username, given.password or "")
        return given.username if admitted else None
    if not public:
        return None
    try:
        public_id = Params.of(request).text("PublicId")
    except BadRequest:
        return None
    return public_id if terminal.known(public_id) else None


class _Gate:
    """What one running sandbox must not forget between requests, and may forget at its end."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.keys: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def one_at_a_time(self, key: str) -> Iterator[None]:
        """Let only one request of a key in; the others wait and then find its answer remembered."""
        with self.lock:
            lock, users = self.keys.get(key, (threading.Lock(), 0))
            self.keys[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self.lock:
                users = self.keys[key][1] - 1
                self.keys[key] = (lock, users)
                if not users:
                    del self.keys[key]


def _gate() -> _Gate:
    gate: _Gate = current_app.extensions.setdefault("sandbox_cloudpayments_gate", _Gate())
    return gate


@contextmanager
def _slot(the_world: World) -> Iterator[bool]:
    """Count the request in, and tell whether the terminal's limit leaves room for it."""
    gate, limit = _gate(), the_world.settings["cloudpayments_concurrency_limit"]
    with gate.lock:
        free = limit is None or gate.inside < limit
        gate.inside += free
    try:
        yield free
    finally:
        with gate.lock:
            gate.inside -= free


def remembered(the_world: World, public_id: str, work: Callable[[], Envelope]) -> Response:
    """Do the work once per X-Request-ID, terminal and path, and repeat its very answer for exactly one
    hour.
    """
    given = request.headers.get("X-Request-ID", "")
    if not given:
        return answer(work())
    key = hashlib.sha256("\n".join((public_id, request.path.lower().rstrip("/"), given)).encode()).hexdigest()
    with _gate().one_at_a_time(key):
        kept = the_world.store.get(KIND, key)
        if kept is not None and the_world.clock.now() - parse_iso(kept["at"]) < REMEMBERED:
            return Response(kept["body"], mimetype="application/json")
        envelope = work()
        if envelope["Success"] or the_world.settings["cloudpayments_request_id_keeps"] == "all":
            kept = {"at": iso(the_world.clock.now()), "body": _written(envelope)}
            the_world.store.put(KIND, key, kept)
        return answer(envelope)

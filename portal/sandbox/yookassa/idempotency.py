"""One idempotence key, one operation: a repeat gets the same object as it is now, or the same refusal.

Known from live answers: a refused request burns its key too, and another body under a used key is a 400. Not
established is whether bytes or parsed parameters are compared: the setting ``yookassa_idempotency`` decides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

from flask import request

from portal.sandbox.clock import iso, parse_iso
from portal.sandbox.store import Document
from portal.sandbox.world import World
from portal.sandbox.yookassa.refusals import KEY_EMPTY, KEY_REUSED, KEY_TOO_LONG, RefusalError, invalid

_KIND = "yookassa_idempotence"
HEADER = "Idempotence-Key"
LIFE = timedelta(hours=24)


def once(world: World, body: Document, work: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    """Do ``work`` under the present request's key unless it was done, and return (kind, id) of its object.

    Requests are served one after another here, so concurrent duplicates make one object. Raises
    RefusalError, also the one that the first request under this key got.
    """
    key = _key()
    with world.store.transaction():
        now, print_ = world.clock.now(), _fingerprint(world, body)
        seen = world.store.get(_KIND, key)
        if seen and parse_iso(seen["at"]) + LIFE > now:
            if seen["fingerprint"] != print_:
                raise invalid(HEADER, KEY_REUSED)
            if seen["refusal"]:
                raise _again(seen["refusal"])
            return str(seen["kind"]), str(seen["id"])
        record: Document = {"fingerprint": print_, "at": iso(now), "kind": None, "id": None, "refusal": None}
        refusal: RefusalError | None = None
        try:
            with world.store.transaction():
                record["kind"], record["id"] = work()
        except RefusalError as error:
            refusal = error
            record["refusal"] = {"status": error.status, "body": error.body}
        world.store.put(_KIND, key, record)
    if refusal:
        raise refusal
    return str(record["kind"]), str(record["id"])


def _key() -> str:
    key = request.headers.get(HEADER, "")
    if not key:
        raise invalid(HEADER, KEY_EMPTY)
    if len(key) > 64:
        raise invalid(HEADER, KEY_TOO_LONG)
    return key


def _fingerprint(world: World, body: Document) -> str:
    exact = world.settings["yookassa_idempotency"] == "bytes"
    content = request.get_data() if exact else json.dumps(body, sort_keys=True).encode()
    return hashlib.sha256(f"{request.method} {request.path}\n".encode() + content).hexdigest()


def _again(refusal: Document) -> RefusalError:
    error = RefusalError(refusal["status"], refusal["body"]["description"])
    error.body = refusal["body"]
    return error

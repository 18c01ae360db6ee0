"""Handing work to the RQ workers: ids only, after the commit, after the answer, best effort.

Redis is never the truth. A job may run twice, at the same time as itself, or never; the rows it speaks of say
what is left to do, and a sweep hands out again what was lost (law 8 of the design).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, has_request_context
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from portal.database import after_commit

log = logging.getLogger(__name__)

_Verb = TypeVar("_Verb", bound=Callable[..., Any])

QUEUE = "portal"
JOB_SECONDS = 120
#: With so many jobs waiting, work that can wait in its row is not handed out.
PLENTY = 1000


_SECONDS: dict[Callable[..., Any], int] = {}


def lasts(seconds: int) -> Callable[[_Verb], _Verb]:
    """Let a job of this verb take so long before it is ended."""

    def mark(verb: _Verb) -> _Verb:
        _SECONDS[verb] = seconds
        return verb

    return mark


def connect(url: str) -> Redis:
    """A connection that gives up quickly: a customer may be waiting behind it."""
    return Redis.from_url(url, socket_timeout=5, socket_connect_timeout=1)


def queue() -> Queue:
    """The one queue of this application."""
    found: Queue = current_app.extensions["portal_queue"]
    return found


def init_app(app: Flask, redis_url: str) -> None:
    """Bind the queue; nothing is connected yet."""
    # JSON, not pickle: what lies in Redis must not be able to run code here.
    app.extensions["portal_queue"] = Queue(
        QUEUE, connection=connect(redis_url), serializer=JSONSerializer, default_timeout=JOB_SECONDS
    )
    app.after_request(_send_after_the_answer)


def have_room() -> bool:
    """Whether workers could take more now: not while Redis is away, nor while they have plenty."""
    try:
        return queue().count < PLENTY
    except (RedisError, OSError):
        return False


def enqueue_each(verb: Callable[..., object], ids: Sequence[int]) -> None:
    """Ask for ``verb(id)`` for each of *ids* once the present transaction is committed.

    When Redis fails at one, the rest is left to a sweep: many time-outs in a row would stop the caller.
    """
    after_commit(lambda: _send_all(queue(), [(verb, (found,)) for found in ids]))


def enqueue(verb: Callable[..., object], *ids: int) -> None:
    """Ask a worker to run ``verb(*ids)`` once the present transaction is committed."""
    after_commit(lambda: _hand_over(verb, ids))


def _hand_over(verb: Callable[..., object], ids: tuple[int, ...]) -> None:
    """Inside a request wait for the answer to be on its way; elsewhere send at once."""
    if has_request_context():
        g.setdefault("jobs", []).append((verb, ids))
    else:
        _send(queue(), verb, ids)


def _send_after_the_answer(response: Response) -> Response:
    """A gateway's notification is answered before Redis is even asked."""
    waiting: list[tuple[Callable[..., object], tuple[int, ...]]] = g.pop("jobs", [])
    if waiting:
        bound = queue()
        response.call_on_close(lambda: _send_all(bound, waiting))
    return response


def _send_all(bound: Queue, waiting: list[tuple[Callable[..., object], tuple[int, ...]]]) -> None:
    for verb, ids in waiting:
        if not _send(bound, verb, ids):
            break


def _send(bound: Queue, verb: Callable[..., Any], ids: tuple[int, ...]) -> bool:
    try:
        seconds = _SECONDS.get(verb, JOB_SECONDS)
        bound.enqueue(verb, *ids, job_timeout=seconds, result_ttl=0, failure_ttl=7 * 86400)
    except (RedisError, OSError) as error:
        log.warning("Job %s%r is left to the sweep: Redis says %s", verb.__name__, ids, type(error).__name__)
        return False
    return True

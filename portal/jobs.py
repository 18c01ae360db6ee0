"""Handing work to the RQ workers: ids only, after the commit, after the answer, best effort.

Redis is never the truth. A job may run twice, at the same time as itself, or never; the rows it speaks of say
what is left to do, and a sweep hands out again what was lost (law 8 of the design).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, has_request_context
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from portal.database import after_commit

log = logging.getLogger(__name__)

_Verb = TypeVar("_Verb", bound=Callable[..., Any])

QUEUE = "portal"
JOB_SECONDS = 120
#: What could be a key or a card's number. A long word without a digit is the name of an exception.
_OPAQUE = re.compile(
    r"(?=[A-Za-z+/=_-]*[0-9])[0-9A-Za-z+/=_-]{16,}|[A-Za-z+/=_-]{40,}|[0-9][0-9 -]{11,}[0-9]", re.ASCII
)
#: With so many jobs waiting, work that can wait in its row is not handed out.
PLENTY = 1000


#: Seconds that a worker's word may live on: it was said 45 seconds ago then.
UNHEARD_TTL = 45

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


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that ended with an exception: which verb with which ids, when, and the exception's last line."""

    id: str
    verb: str
    ids: str
    ended_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True)
class State:
    """The queue in numbers."""

    waiting: int
    running: int
    #: Begun by a worker that died: their rows are found by the sweep.
    abandoned: int
    failed: int
    workers: int
    #: Workers that Redis still knows and that have said nothing for too long.
    silent: int


def state() -> State:
    """How the queue stands. Raises RedisError while Redis is away."""
    bound = queue()
    begun = StartedJobRegistry(queue=bound).get_job_count(cleanup=False)
    known, living = Worker.all(queue=bound), _living()
    running = min(begun, sum(worker.get_state() == WorkerStatus.BUSY for worker in living))
    failed = _failed().get_job_count(cleanup=False)
    return State(bound.count, running, begun - running, failed, len(living), len(known) - len(living))


def workers_alive() -> int:
    """How many workers have said lately that they live. Raises RedisError."""
    return len(_living())


def _living() -> list[Any]:
    """The workers that are heard. What one says lives in Redis for 90 seconds, and is said anew every 15 at
    rest and every 30 at work; a worker that was killed says no farewell, so its last word must not be old.
    """
    known = Worker.all(queue=queue())
    return [worker for worker in known if worker.connection.ttl(worker.key) > UNHEARD_TTL]


def failures(limit: int) -> list[FailedJob]:
    """The jobs that failed last, newest first."""
    bound = queue()
    ids = list(reversed(_failed().get_job_ids()))[:limit]
    found = Job.fetch_many(ids, connection=bound.connection, serializer=JSONSerializer)
    return [_told(job) for job in found if job is not None]


def failed_ids() -> list[str]:
    """Every failed job."""
    return list(_failed().get_job_ids())


def retry(job_id: str) -> None:
    """Queue a failed job again; one that is gone is left alone."""
    with suppress(NoSuchJobError, InvalidJobOperation):
        _failed().requeue(job_id)


def forget(job_id: str) -> None:
    """Delete a failed job."""
    with suppress(NoSuchJobError):
        _failed().remove(job_id, delete_job=True)


def _failed() -> FailedJobRegistry:
    return FailedJobRegistry(queue=queue())


def _told(job: Job) -> FailedJob:
    result = job.latest_result()
    lines = ((result.exc_string if result else "") or "").strip().splitlines()
    # A message may quote what it was given: whatever could be a key or a number of a card is left out.
    error = _OPAQUE.sub("••••", lines[-1])[:200] if lines else ""
    ids = ", ".join(str(one) for one in job.args)
    return FailedJob(job.id, (job.func_name or "").rpartition("portal.")[2], ids, job.ended_at, error)

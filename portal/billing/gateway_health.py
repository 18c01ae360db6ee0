"""How the gateways are: counted from their own answers of the last minutes, for all processes, in Redis.

Counting never stands in the way of what was asked: while Redis is away nothing is counted, and a gateway of
which nothing is known is taken to be well.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis.exceptions import RedisError

from portal import clock, jobs, running
from portal.models import GatewayName

log = logging.getLogger(__name__)

#: What was heard longer ago says nothing about now.
MINUTES = 5
#: So many bad answers at least, and no fewer than good ones, and it is failing: of all, or of those to
#: requests to do something. Pages that wait ask how payments stand: their good answers would hide that no
#: payment can be begun.
ENOUGH = 3
#: Seconds for which one process keeps what it read, and for which it leaves Redis alone after a failure.
FRESH_SECONDS = 2.0
LEFT_ALONE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Health:
    """The exchanges of the last minutes, and those of them that asked the gateway to do something."""

    good: int = 0
    bad: int = 0
    done: int = 0
    undone: int = 0

    @property
    def is_failing(self) -> bool:
        """Whether customers should be offered the other one first."""
        return _mostly(self.bad, self.good) or _mostly(self.undone, self.done)


@dataclass(slots=True)
class _Kept:
    """What one process read last of each gateway, and until when it leaves Redis alone."""

    read: dict[GatewayName, tuple[float, Health]]
    away_until: float = 0.0


def note(name: GatewayName, good: bool, does: bool) -> None:
    """Count one exchange; *does*: it asked the gateway to do something."""
    kept = _kept()
    if time.monotonic() < kept.away_until:
        return
    key = _key(name, clock.now())
    try:
        with jobs.queue().connection.pipeline(transaction=False) as pipe:
            pipe.hincrby(key, "good" if good else "bad", 1)
            if does:
                pipe.hincrby(key, "done" if good else "undone", 1)
            pipe.expire(key, timedelta(minutes=MINUTES + 1))
            pipe.execute()
    except (RedisError, OSError):
        kept.away_until = time.monotonic() + LEFT_ALONE_SECONDS
        log.warning("The answers of %s could not be counted", name.value)


def of(name: GatewayName) -> Health:
    """How a gateway has been answering; at most :data:`FRESH_SECONDS` old."""
    kept, moment = _kept(), time.monotonic()
    at, health = kept.read.get(name, (-FRESH_SECONDS, Health()))
    if moment - at < FRESH_SECONDS or moment < kept.away_until:
        return health
    now = clock.now()
    keys = [_key(name, now - timedelta(minutes=ago)) for ago in range(MINUTES)]
    try:
        with jobs.queue().connection.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hgetall(key)
            counted: list[dict[bytes, bytes]] = pipe.execute()
        health = Health(*(_sum(counted, field) for field in (b"good", b"bad", b"done", b"undone")))
    except (RedisError, OSError):
        kept.away_until, health = moment + LEFT_ALONE_SECONDS, Health()
    kept.read[name] = (moment, health)
    return health


def is_failing(name: GatewayName) -> bool:
    """Whether a gateway has mostly been failing."""
    return of(name).is_failing


def _mostly(bad: int, good: int) -> bool:
    return bad >= ENOUGH and bad >= good


def _sum(counted: list[Any], field: bytes) -> int:
    return sum(int(minute.get(field, 0)) for minute in counted)


def _key(name: GatewayName, moment: datetime) -> str:
    return f"portal:health:{name.value}:{moment:%Y%m%d%H%M}"


def _kept() -> _Kept:
    return running.kept("gateway_health", lambda: _Kept({}))

"""How often somebody may try: counted in Redis for all processes; in each process for itself while Redis is
away.

The engine below Flask-Limiter is used directly: its decorators count requests, while a sign-in counts
failures only, and looks again right before the hash, so that a burst of parallel guesses finds the door
closed too.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from flask import current_app
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from portal.accounts.wall_clock import wall_now
from portal.errors import PortalError
from portal.secrets import vault
from portal.wording import marked

log = logging.getLogger(__name__)


class TooOften(PortalError):
    """This was tried too often; it may be tried again in ``seconds``."""

    code = "RATE_LIMITED"
    status = 429
    message = marked("Слишком много попыток. Подождите немного и попробуйте снова.")

    def __init__(self, seconds: int) -> None:
        """Say how long to wait: at least a second."""
        super().__init__()
        self.seconds = max(1, seconds)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries per period for everything that has the same key."""

    item: RateLimitItem
    key: tuple[str, ...]


# One person who forgot, one place that tries many accounts, many places that try one account.
# ASVS 5.0.0, V6.3.1: no limit locks an account for good; setting a new password by letter opens it at once.
_BY_BOTH = parse("5 per 5 minutes")
_BY_ADDRESS = parse("30 per 15 minutes")
_BY_ACCOUNT = parse("50 per hour")

# A Redis that does not answer must not keep a customer waiting.
_SECONDS = 1
_AWAY = (RedisError, StorageError, OSError)

_own = MovingWindowRateLimiter(MemoryStorage())


def failed_sign_ins(email: str, address: str) -> list[Limit]:
    """What a failed sign-in as *email* from *address* counts against."""
    account, place = _account(email), _place(address)
    return [
        Limit(_BY_BOTH, ("sign-in", account, place)),
        Limit(_BY_ADDRESS, ("sign-in", place)),
        Limit(_BY_ACCOUNT, ("sign-in", account)),
    ]


def requests_of(what: str, who: str, often: str) -> list[Limit]:
    """Tries of *what* by *who* (an address or a user), *often* as ``"20 per hour"``."""
    return [Limit(parse(often), (what, _place(who)))]


def check(limits: list[Limit]) -> None:
    """Raise :class:`TooOften` when one of *limits* is used up; counts nothing."""
    for limit in limits:
        if not _ask("test", limit):
            raise TooOften(_seconds_until_free(limit))


def count(limits: list[Limit]) -> None:
    """Count one try against every one of *limits*."""
    for limit in limits:
        _ask("hit", limit)


def take(limits: list[Limit]) -> None:
    """Count one try. Raises :class:`TooOften` when it is one too many."""
    for limit in limits:
        if not _ask("hit", limit):
            raise TooOften(_seconds_until_free(limit))


def forgive(email: str) -> None:
    """Forget the failed sign-ins of an account: its owner proved to be one by another way."""
    limit = Limit(_BY_ACCOUNT, ("sign-in", _account(email)))
    try:
        _shared().clear(limit.item, *limit.key)
    except _AWAY:
        _own.clear(limit.item, *limit.key)


def _ask(verb: str, limit: Limit) -> bool:
    if not current_app.config["RATELIMIT_ENABLED"]:
        return True
    try:
        return bool(getattr(_shared(), verb)(limit.item, *limit.key))
    except _AWAY as error:
        log.warning("Tries are counted in this process only: Redis says %s", type(error).__name__)
        return bool(getattr(_own, verb)(limit.item, *limit.key))


def _seconds_until_free(limit: Limit) -> int:
    try:
        reset_at = _shared().get_window_stats(limit.item, *limit.key).reset_time
    except _AWAY:
        reset_at = _own.get_window_stats(limit.item, *limit.key).reset_time
    return int(reset_at - wall_now().timestamp()) + 1


def _shared() -> MovingWindowRateLimiter:
    """The counters that all processes of this application share."""
    found: MovingWindowRateLimiter | None = current_app.extensions.get("portal_throttle")
    if found is None:
        options = {"socket_timeout": _SECONDS, "socket_connect_timeout": _SECONDS}
        storage = storage_from_string(current_app.config["RATELIMIT_STORAGE_URI"], **options)
        assert isinstance(storage, RedisStorage)
        found = current_app.extensions["portal_throttle"] = MovingWindowRateLimiter(storage)
    return found


def _account(email: str) -> str:
    """No addresses in Redis."""
    return vault().fingerprint(email)[:32]


def _place(address: str) -> str:
    """One customer's line: an IPv4 address, or the /64 that an IPv6 provider hands out whole."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return str(IPv6Address(int(parsed) >> 64 << 64)) if isinstance(parsed, IPv6Address) else str(parsed)

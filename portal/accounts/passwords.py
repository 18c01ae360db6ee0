"""Passwords: what is asked of them, how they are kept (argon2id), and how many may be hashed at once."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from portal import running
from portal.accounts import letters, links, sessions
from portal.accounts.throttle import TooOften
from portal.database import transaction
from portal.errors import InvalidRequest
from portal.models import LinkPurpose, User
from portal.wording import say

SHORTEST = 8
LONGEST = 256

# A hash costs some 25 ms and 19 MiB: a flood of sign-ins may keep two of them busy, the rest of the process
# serves the shop.
_SLOTS = threading.BoundedSemaphore(2)
_PATIENCE_SECONDS = 5.0


class WeakPassword(InvalidRequest):
    """The password does not do; the message says why."""

    code = "WEAK_PASSWORD"


@contextmanager
def slot() -> Iterator[None]:
    """Wait for one of the process's places to hash in. Raises TooOften after five seconds without one."""
    if not _SLOTS.acquire(timeout=_PATIENCE_SECONDS):
        raise TooOften(seconds=5)
    try:
        yield
    finally:
        _SLOTS.release()


def problem(password: str, email: str) -> str | None:
    """Why this password does not do for this address, in a sentence, or None when it does. ASVS 5.0.0,
    V6.2.1-V6.2.12.
    """
    plain = _normal(password)
    if len(plain) < SHORTEST:
        return say("Пароль должен быть не короче %(least)s символов.", least=SHORTEST)
    if len(plain) > LONGEST:
        return say("Пароль должен быть не длиннее %(most)s символов.", most=LONGEST)
    lowered = plain.lower()
    if lowered in {email.lower(), email.lower().partition("@")[0]}:
        return say("Пароль не должен совпадать с адресом почты.")
    if lowered in _known() or len(set(lowered)) == 1:
        return say("Этот пароль слишком известен: его подбирают первым. Придумайте другой.")
    return None


def demand_good(password: str, email: str) -> None:
    """Raise :class:`WeakPassword` with the reason when :func:`problem` has one."""
    if reason := problem(password, email):
        raise WeakPassword(reason)


def hashed(password: str) -> str:
    """The argon2id hash to keep. Call inside :func:`slot`."""
    return _hasher().hash(_normal(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether *password* is the one that was kept. Without one (no such account) it takes the same time to
    say no.

    Call inside :func:`slot`.
    """
    try:
        _hasher().verify(kept or _nobodys(_hasher()), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher().check_needs_rehash(kept)


def change(user: User, password: str, now: datetime, *, but_session: int | None = None) -> None:
    """Give *user* a new password: every session *but* one ends, links to a new password or another address
    die, and the owner is written to.

    Raises :class:`WeakPassword`.
    """
    demand_good(password, user.email)
    with slot():
        kept = hashed(password)
    put(user, kept, now, but_session=but_session)


def put(user: User, kept: str, now: datetime, *, but_session: int | None = None) -> None:
    """Write down a new hash with all that follows from a new password; see :func:`change`."""
    with transaction() as session:
        user.password_hash = kept
        session.flush()  # the user's row is locked first here, as in links.use()
        for purpose in (LinkPurpose.RESET_PASSWORD, LinkPurpose.CHANGE_EMAIL):
            links.void(user.id, purpose, now)
        sessions.end_all(user.id, now, but=but_session)
        letters.password_changed(user, now)


def _normal(password: str) -> str:
    """The same word typed on another keyboard is the same password (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _hasher() -> PasswordHasher:
    config = running.config()
    return _made(config.argon2_time_cost, config.argon2_memory_kib)


@cache
def _made(time_cost: int, memory_kib: int) -> PasswordHasher:
    return PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1, type=Type.ID)


@cache
def _nobodys(hasher: PasswordHasher) -> str:
    """What is compared where there is no account."""
    return hasher.hash("nobody has this password")


@cache
def _known() -> frozenset[str]:
    """Passwords that everybody tries first, in lower case."""
    text = files("portal.accounts").joinpath("known_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))

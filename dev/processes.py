"""Child processes that never outlive us, and locks that live exactly as long as whoever holds them."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec nothing may be imported.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class CannotStart(Exception):
    """Something a person has to change before this can run; the message is one sentence that says what."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a process runs as."""

    uid: int
    gid: int

    @classmethod
    def of(cls, uid: int) -> Account:
        """The account with this user id. Raises :class:`CannotStart` where the machine does not know it."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            raise CannotStart(
                f"User id {uid} has no name on this machine, which PostgreSQL insists on: "
                "set DATABASE_URL and REDIS_URL to servers of your own."
            ) from None
        return cls(entry.pw_uid, entry.pw_gid)


def die_with_parent(how: signal.Signals) -> Callable[[], None]:
    """What a child calls between fork and exec so that the kernel sends it `how` when its parent is gone.

    Linux only (prctl(2), PR_SET_PDEATHSIG); elsewhere the child is left to an orderly stop. The kernel
    forgets the wish when credentials change, which :mod:`subprocess` does before this is called.
    """
    parent = os.getpid()

    def ask() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(how))
            if os.getppid() != parent:  # it died between our fork and our wish
                os._exit(1)

    return ask


def end_with_parent(how: signal.Signals) -> None:
    """Ask the kernel to send `how` to this very process when its parent is gone (Linux only)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(how))


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    account: Account | None = None,
    keep_open: Sequence[int] = (),
    orphaned: signal.Signals = signal.SIGTERM,
    directory: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own, so that Ctrl-C reaches only us; `log` collects its output.

    `keep_open` are descriptors it inherits; `orphaned` is the signal it receives should we die without
    stopping it. Raises OSError where the program or the account cannot be used.
    """
    user, group = (account.uid, account.gid) if account else (None, None)
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=directory,
            pass_fds=tuple(keep_open),
            process_group=0,
            user=user,
            group=group,
            extra_groups=[] if account else None,
            # Python warns of code between fork and exec: another thread may have held a lock. This is one
            # system call through a function that is loaded already; it takes none.
            preexec_fn=die_with_parent(orphaned),  # noqa: PLW1509 - see above
        )


def end(process: subprocess.Popen[bytes], how: signal.Signals, *, seconds: float) -> None:
    """Ask a child to stop with `how` and make sure of it after `seconds`."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def take_lock(path: Path, *, seconds: float = 0) -> int | None:
    """Take an exclusive lock on the file, waiting up to `seconds`; None when somebody keeps it.

    The answer is an open descriptor. Children that inherit it keep the lock, whatever becomes of us: it is
    free when the last of them is gone, even after ``kill -9``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                os.close(descriptor)
                raise
        else:
            return descriptor
        if time.monotonic() >= deadline:
            os.close(descriptor)
            return None
        time.sleep(0.02)


def tail(log: Path, *, lines: int = 12) -> str:
    """The last lines of a log, for a person who has to know why a child did not start."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

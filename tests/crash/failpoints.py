"""Death at a counted point: around each statement and commit of the driver, and each request of the client.

No point is planted in the portal's own code, so code that is written tomorrow has its points as well. A flow
is run once to count them, and then once more for each point, in a child process that ends there as if its
machine had lost power.
"""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import psycopg
import requests.adapters
from flask import Flask

from portal.billing import settings
from portal.database import db

DEAD = 137
_FAILED = 1
#: Seconds after which a child that waits for something is ended.
_LONGEST = 30


#: What is written down of a point. Around a statement nothing is settled yet; a commit settles it here, and
#: after a request it is settled at the gateway alone.
STATEMENT, COMMIT, REQUEST, ANSWER = b"s", b"c", b"r", b"a"


@dataclass
class Points:
    """Counts the points that are passed and ends the process at the deadly one, counted from 1."""

    deadly: int = 0
    passed: bytes = b""

    def reach(self, kind: bytes) -> None:
        """One more point."""
        self.passed += kind
        if len(self.passed) == self.deadly:
            os._exit(DEAD)

    def around(
        self, owner: type, name: str, *, before: bytes = STATEMENT, after: bytes = STATEMENT
    ) -> AbstractContextManager[object]:
        """Put a point before and one after each call of a driver's method, as long as this is open."""
        original = getattr(owner, name)

        def guarded(*arguments: Any, **options: Any) -> Any:
            self.reach(before)
            result = original(*arguments, **options)
            self.reach(after)
            return result

        return mock.patch.object(owner, name, guarded)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the database driver and the HTTP client of this process."""
        with (
            self.around(psycopg.Cursor, "execute"),
            self.around(psycopg.Cursor, "executemany"),
            self.around(psycopg.Connection, "commit", before=COMMIT, after=COMMIT),
            self.around(requests.adapters.HTTPAdapter, "send", before=REQUEST, after=ANSWER),
        ):
            yield


def passed(app: Flask, flow: Callable[[], None]) -> bytes:
    """The points that *flow* passes when nothing kills it, one letter each."""
    points = Points()
    with app.app_context():
        settings.forget()  # a process that begins asks for them
    with points.watching():
        flow()
    return points.passed


def telling(points: bytes, some: int) -> list[int]:
    """At most *some* of these points, counted from 1: after requests first, then beside commits and requests.

    Dying around one statement of a transaction leaves what dying around the next one leaves, so the others
    repeat these. The last of them is left out where it lies behind the last commit: what would follow from
    there is a job that is handed to the workers, which counts for nothing in a world where no worker listens
    and each job is found by its row. Who has the time dies at all of them.
    """
    answers = [at for at, kind in enumerate(points, 1) if kind in ANSWER]
    others = [at for at, kind in enumerate(points, 1) if kind in COMMIT + REQUEST]
    if others and points[others[-1] - 1] in COMMIT:
        others.pop()
    chosen = _spread(answers, (some + 1) // 2)
    return sorted(chosen + _spread(others or [1], some - len(chosen)))


def _spread(points: list[int], some: int) -> list[int]:
    """At most *some* of them, from the first to the last."""
    if len(points) <= some:
        return points
    return [points[number * (len(points) - 1) // max(some - 1, 1)] for number in range(some)]


def kill(app: Flask, flow: Callable[[], None], at: int) -> bool:
    """Run *flow* in a process that dies at its point *at*; tell whether it got that far."""
    code = _in_a_child(app, flow, at)
    assert code in {0, DEAD}, "the flow failed by itself"
    return code == DEAD


def _in_a_child(app: Flask, flow: Callable[[], None], deadly: int) -> int:
    """Run *flow* in a fork of this process; its exit code.

    The child has one thread. It must not touch what this process's other threads may hold a lock of, which is
    the sandbox's store above all; over HTTP it reaches the sandbox as everybody does.
    """
    with warnings.catch_warnings():
        # Python 3.12+ warns of forking beside threads; the child runs none of theirs and ends by _exit.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(_live(app, flow, deadly))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _live(app: Flask, flow: Callable[[], None], deadly: int) -> int:
    """What the child does."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST)
    try:
        with app.app_context():
            db.engine.dispose(close=False)  # the parent's connections stay the parent's
            settings.forget()
        with Points(deadly).watching():
            flow()
    except BaseException:  # noqa: BLE001 - the child has nobody above it to tell
        traceback.print_exc()
        return _FAILED
    return 0

"""Death at a counted point: around each statement and commit of the driver, and each request of the client.

No point is planted in the portal's own code, so code that is written tomorrow has its points as well. A flow
is run once in a child process to count them, and then once more for each point, in a child that ends there as
if its machine had lost power.
"""

from __future__ import annotations

import os
import signal
import struct
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import requests.adapters
from flask import Flask

from portal.billing import settings
from portal.database import db

DEAD = 137
_FAILED = 1
#: Seconds after which a child that waits for something is ended.
_LONGEST = 30


@dataclass
class Points:
    """Counts the points that are passed and ends the process at the deadly one, counted from 1."""

    deadly: int = 0
    passed: int = 0

    def reach(self) -> None:
        """One more point."""
        self.passed += 1
        if self.passed == self.deadly:
            os._exit(DEAD)

    def around(self, owner: type, name: str) -> None:
        """Put a point before and one after each call of a driver's method, for the rest of this process."""
        original = getattr(owner, name)

        def guarded(*arguments: Any, **options: Any) -> Any:
            self.reach()
            result = original(*arguments, **options)
            self.reach()
            return result

        setattr(owner, name, guarded)

    def install(self) -> None:
        """Watch the database driver and the HTTP client of this process."""
        self.around(psycopg.Cursor, "execute")
        self.around(psycopg.Cursor, "executemany")
        self.around(psycopg.Connection, "commit")
        self.around(requests.adapters.HTTPAdapter, "send")


def count(app: Flask, flow: Callable[[], None]) -> int:
    """How many points *flow* passes when nothing kills it."""
    code, passed = _in_a_child(app, flow, 0)
    assert code == 0, "the flow failed without being killed"
    return passed


def kill(app: Flask, flow: Callable[[], None], at: int) -> bool:
    """Run *flow* in a process that dies at its point *at*; tell whether it got that far."""
    code, _ = _in_a_child(app, flow, at)
    assert code in {0, DEAD}, "the flow failed by itself"
    return code == DEAD


def _in_a_child(app: Flask, flow: Callable[[], None], deadly: int) -> tuple[int, int]:
    """Run *flow* in a fork of this process; its exit code, and the points it passed if it lived to tell.

    The child has one thread. It must not touch what this process's other threads may hold a lock of, which is
    the sandbox's store above all; over HTTP it reaches the sandbox as everybody does.
    """
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12+ warns of forking beside threads; the child runs none of theirs and ends by _exit.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(_live(app, flow, deadly, write))
    os.close(write)
    told = os.read(read, 4)
    os.close(read)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), struct.unpack("I", told)[0] if told else 0


def _live(app: Flask, flow: Callable[[], None], deadly: int, write: int) -> int:
    """What the child does."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST)
    try:
        with app.app_context():
            db.engine.dispose(close=False)  # the parent's connections stay the parent's
            settings.forget()
        points = Points(deadly)
        points.install()
        flow()
        os.write(write, struct.pack("I", points.passed))
    except BaseException:  # noqa: BLE001 - the child has nobody above it to tell
        traceback.print_exc()
        return _FAILED
    return 0

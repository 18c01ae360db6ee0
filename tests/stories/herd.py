"""Real workers and schedulers, forked from the tests' own process: they begin at once and die by -9."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from portal import worker
from portal.billing import settings
from portal.database import db

#: Seconds between two sweeps of its schedulers; nobody wants to wait for the real three.
SWEEPS_EVERY = 0.2


@dataclass
class Herd:
    """Processes of the portal, by their ids."""

    app: Flask
    pids: list[int] = field(default_factory=list)

    def worker(self) -> int:
        """One more RQ worker; its process id."""
        return self._fork(worker.work)

    def scheduler(self) -> int:
        """One more scheduler; its process id."""
        return self._fork(worker.schedule)

    def kill(self, pid: int) -> None:
        """End a process and what it has forked without a word, as a machine does that runs out of memory."""
        children: list[str] = []
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        for found in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(found, signal.SIGKILL)
        self.pids.remove(pid)
        os.waitpid(pid, 0)

    def end(self) -> None:
        """Kill all that are left."""
        for pid in list(self.pids):
            self.kill(pid)

    def _fork(self, verb: Callable[[Flask], None]) -> int:
        """Run *verb* in a fork of this process.

        It has one thread and must not touch what this process's other threads may hold a lock of, which is
        the sandbox's store above all; over HTTP it reaches the sandbox as everybody does.
        """
        with warnings.catch_warnings():
            # Python 3.12+ warns of forking beside threads; the child runs none of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            self._live(verb)
        self.pids.append(pid)
        return pid

    def _live(self, verb: Callable[[Flask], None]) -> None:
        """What the child does, to its end."""
        try:
            with self.app.app_context():
                db.session.remove()
                db.engine.dispose(close=False)  # the parent's connections stay the parent's
                settings.forget()
                worker.EVERY = SWEEPS_EVERY
                verb(self.app)
        except BaseException:  # noqa: BLE001 - the child has nobody above it to tell
            traceback.print_exc()
        finally:
            os._exit(1)

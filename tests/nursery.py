"""Commands of the portal in processes of their own that are born quickly.

To import the portal takes seconds of processor time. A nursery does it once and forks: what runs then is
``flask --app wsgi COMMAND`` with an environment, database connections and a death of its own.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Seconds between two sweeps of a scheduler that is born here; nobody wants to wait for the real three.
SWEEPS_EVERY = 0.2


class Nursery:
    """Speaks to one nursery; all that it bore die with :meth:`close`."""

    def __init__(self) -> None:
        self.born: list[int] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def bear(self, command: str, environment: Mapping[str, str], log: Path) -> int:
        """Begin a command and tell its process id; what it says goes to *log*."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        wish = {"command": command, "environment": dict(environment), "log": str(log)}
        print(json.dumps(wish), file=self._process.stdin, flush=True)
        self.born.append(int(self._process.stdout.readline()))
        return self.born[-1]

    def kill_all(self) -> None:
        """End everything that was born here, and wait until it is gone."""
        for pid in self.born:
            kill(pid)
        self.born.clear()

    def close(self) -> None:
        """End the nursery itself as well."""
        self.kill_all()
        self._process.communicate(timeout=10)  # the end of its input is its end


def kill(pid: int) -> None:
    """End a process and what it has forked, as a machine does that runs out of memory: without a word.

    Wait until they are gone: until then others can still be heard on their connections, and Redis, say, hands
    a job to a worker that will not do it.
    """
    children: list[str] = []
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    dying = [pid, *map(int, children)]
    for found in dying:
        with suppress(ProcessLookupError):
            os.kill(found, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(map(_lives, dying)):
        assert time.monotonic() < deadline, "a killed process does not end"
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    """Whether a process is there and still has its descriptors, which it loses before it is buried."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def live(command: str, environment: Mapping[str, str], log: str) -> None:
    """What the child does: become that command."""
    from flask.cli import cli

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a worker waits for its own children
    os.environ.clear()
    os.environ.update(environment)
    with open(log, "wb") as output, open(os.devnull, "rb") as nothing:  # noqa: PTH123 - descriptors are meant
        os.dup2(nothing.fileno(), 0)
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
    cli.main(["--app", "wsgi", command], prog_name="flask")


def main() -> None:
    """Take wishes, one JSON object a line, and answer each with the number of the process born."""
    gc.disable()  # wsgi.py enables it again in each child, and has then nothing of this to search
    from portal import factory, worker

    gc.freeze()
    assert factory.build
    worker.EVERY = SWEEPS_EVERY
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what was born: the kernel buries it
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(**json.loads(line))
        print(child, flush=True)  # noqa: T201 - the answer to whoever asked


if __name__ == "__main__":
    main()

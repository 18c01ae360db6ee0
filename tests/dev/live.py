"""Drive a real ``python -m dev.run`` in a process of its own and look at what it leaves behind."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STANDIN = Path(__file__).resolve().parent / "standin"
# What a caller's environment could say about a portal must not leak into these runs.
_OURS = re.compile(
    r"(PORT|SANDBOX|VAR_DIR|WORKERS|DATABASE|REDIS|YOOKASSA|CLOUDPAYMENTS|MAIL_|SECRET|SETTINGS|MAKE)"
)


def until(fact: Callable[[], object], *, seconds: float = 30, what: str = "") -> None:
    """Wait for a fact that another process brings about; fail with `what` when it does not."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, what or "it did not happen in time"
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def open_folder() -> Iterator[Path]:
    """A short-named folder that PostgreSQL's user can walk to; pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="portal-dev-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def living(mark: str) -> dict[int, str]:
    """Every process whose command line, environment or folder speaks of `mark`, but zombies and us."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        process_id = int(entry.name)
        try:
            state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            command = (entry / "cmdline").read_bytes()
            told = command + (entry / "environ").read_bytes() + os.fsencode((entry / "cwd").readlink())
        except OSError:
            continue
        if mark.encode() in told and state not in {"Z", "X"} and process_id != os.getpid():
            found[process_id] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def copy_standin(folder: Path) -> Path:
    """A checkout that holds the supervisor and, instead of the portal, the stand-in."""
    checkout = folder / "checkout"
    shutil.copytree(STANDIN, checkout)
    shutil.copytree(ROOT / "dev", checkout / "dev", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "gunicorn.conf.py", checkout)
    return checkout


class Run:
    """One supervisor under test; its processes are found by VAR_DIR, which stands in their environments."""

    def __init__(self, folder: Path, checkout: Path = ROOT, **environment: str) -> None:
        self.folder = folder
        self.var = folder / "var"
        self.port, self.sandbox_port = free_port(), free_port()
        kept = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
        self.environment = kept | {
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "VAR_DIR": str(self.var),
            **environment,
        }
        self.checkout = checkout
        self.process: subprocess.Popen[str] | None = None
        self.said: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def start(self) -> None:
        """Start it and return at once."""
        self.said = []
        self._lines = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dev.run"],
            cwd=self.checkout,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self.process, self._lines), daemon=True).start()

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                lines.put(line.rstrip("\n"))

    def wait_for(self, pattern: str, *, seconds: float = 180) -> None:
        """Until it has said a line in which this pattern is found."""
        deadline = time.monotonic() + seconds
        while not any(re.search(pattern, line) for line in self.said):
            left = deadline - time.monotonic()
            assert left > 0, f"not said in time: {pattern}\n" + "\n".join(self.said)
            try:
                self.said.append(self._lines.get(timeout=min(left, 0.2)))
            except queue.Empty:
                assert self.process is not None
                assert self.process.poll() is None or not self._lines.empty(), "\n".join(self.said)

    def wait_until_ready(self) -> None:
        """Until the line of the contract has been printed, with its logins."""
        ready = f"Portal ready: http://127.0.0.1:{self.port} (sandbox http://127.0.0.1:{self.sandbox_port})"
        self.wait_for(re.escape(ready))
        self.wait_for("admin@example.com / admin-password")
        assert ready in self.said

    def ask(self, path: str) -> str:
        """The body of a GET to the portal."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def send(self, how: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(how)

    def ended(self, *, seconds: float = 30) -> int:
        """Wait for its exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def left(self) -> dict[int, str]:
        """Whatever of it still lives."""
        return living(str(self.folder))

    def complete(self, **more: str) -> tuple[int, str]:
        """Start it with *more* environment, wait for its end, and answer exit code and output."""
        done = subprocess.run(
            [sys.executable, "-m", "dev.run"],
            cwd=self.checkout,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def clear(self) -> None:
        """Whatever the test left is killed, by id."""
        for process_id in self.left():
            try:
                os.kill(process_id, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.process is not None:
            self.process.wait(10)

"""The supervisor of ``make run``: servers, migrations, web, worker, scheduler and sandbox in one terminal.

Ctrl-C and SIGTERM end everything in order. ``kill -9`` cannot be answered, so the kernel tells the children,
and a lock that they inherit keeps a next start from colliding with what is still ending.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Final

from dev import orphans, ports, prepare
from dev.children import Child
from dev.environment import ROOT, Place, for_children
from dev.processes import CannotStart, end, end_with_parent, spawn, tail, take_lock
from dev.servers import Postgres, Redis

READY_WITHIN: Final = 120.0  # seconds for web and sandbox to answer
STOP_WITHIN: Final = 10.0  # seconds for requests and jobs in progress


class Stopped(Exception):
    """Somebody asked to stop while a start was under way."""


class Supervisor:
    """Everything one ``make run`` owns."""

    def __init__(self, place: Place, caller: Mapping[str, str]) -> None:
        self.place = place
        self.caller = caller
        self.stopping = False
        self._environment: dict[str, str] = {}
        self._servers: list[Child] = []
        self._children: list[Child] = []
        self._lock: int | None = None
        self._children_lock: int | None = None

    def run(self) -> None:
        """Start everything, say so, keep it running until somebody asks to stop, and leave nothing behind."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        try:
            self._start()
            self._announce()
            while not self.stopping:
                self._watch()
                time.sleep(0.2)
        except Stopped:
            pass
        finally:
            self._stop()

    def _watch(self) -> None:
        everyone = (*self._servers, *self._children)
        for child in everyone:
            if sentence := child.watch():
                say(sentence)
        orphans.bury({child.process_id for child in everyone})

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _start(self) -> None:
        self._occupy()
        say(f"Starting PostgreSQL and Redis (data in {self.place.var}) …")
        self._start_servers()
        self._add("sandbox", self._python("portal.sandbox", *self._sandbox_options()))
        say("Migrating the database, creating the plans and the demo accounts …")
        self._prepare()
        say("Starting web, worker and scheduler …")
        self._add("web", self._python("gunicorn", "--graceful-timeout", "5", "wsgi:app"))
        for number in range(1, self.place.workers + 1):
            self._add("worker" if number == 1 else f"worker-{number}", self._flask("worker"))
        self._add("scheduler", self._flask("scheduler"))
        self._wait_until_ready()

    def _occupy(self) -> None:
        """Take the folder and make sure of the ports before anything is started."""
        place = self.place
        (place.var / "log").mkdir(parents=True, exist_ok=True)
        self._lock = take_lock(place.lock)
        if self._lock is None:
            raise CannotStart(
                f"Another `make run` (process {place.lock.read_text().strip()}) is using {place.var}: "
                "stop it, or give this one a VAR_DIR, PORT and SANDBOX_PORT of its own."
            )
        place.lock.write_text(f"{os.getpid()}\n")
        self._children_lock = take_lock(place.children_lock)
        if self._children_lock is None:
            say("Waiting for what a killed run left behind to end …")
            self._children_lock = take_lock(place.children_lock, seconds=30)
        if self._children_lock is None:
            raise CannotStart(f"Something that a killed run started in {place.var} does not end: end it.")
        for name, port in (("PORT", place.port), ("SANDBOX_PORT", place.sandbox_port)):
            if not ports.is_free(port):
                raise CannotStart(
                    f"Port {port} is in use: stop what uses it, or choose another with {name}=…."
                )

    def _start_servers(self) -> None:
        """The embedded ones, unless the caller named others; then tell the children where they are."""
        database_url, redis_url = self.place.database_url, self.place.redis_url
        if not database_url:
            postgres = Postgres(self.place.var / "postgres", log=self.place.log("postgres"))
            self._serve("postgres", postgres, signal.SIGINT)
            postgres.ensure_database()
            database_url = postgres.url()
        if not redis_url:
            redis = Redis(self.place.var / "redis", log=self.place.log("redis"))
            self._serve("redis", redis, signal.SIGTERM)
            redis_url = redis.url()
        self._environment = for_children(
            self.place, self.caller, database_url=database_url, redis_url=redis_url
        )
        self.place.told.unlink(missing_ok=True)
        self.place.told.touch(mode=0o600)
        self.place.told.write_text(json.dumps(self._environment), encoding="utf-8")

    def _serve(self, name: str, server: Postgres | Redis, how: signal.Signals) -> None:
        def launch() -> subprocess.Popen[bytes]:
            server.start()
            assert server.process is not None
            return server.process

        child = Child(name, server.log, launch, how=how)
        child.start()
        self._servers.append(child)
        self._check_stop()

    def _add(self, name: str, command: list[str]) -> None:
        """Start one child; from now on it is watched."""
        log = self.place.log(name)

        child = Child(name, log, lambda: self._spawn(command, log))
        child.start()
        self._children.append(child)

    def _prepare(self) -> None:
        """Make the database ready. Raises :class:`CannotStart` with the last words of what fails."""
        log = self.place.log("commands")
        process = self._spawn(self._python("dev.prepare"), log)
        try:
            while process.poll() is None:
                self._check_stop()
                time.sleep(0.05)
        finally:
            end(process, signal.SIGTERM, seconds=STOP_WITHIN)
        if process.returncode:
            command, words = prepare.failed(log)
            raise CannotStart(f"`flask {command}` failed (code {process.returncode}):\n{words}")

    def _wait_until_ready(self) -> None:
        """Until the web and the sandbox answer and nothing has died meanwhile."""
        waiting = [
            (self.place.sandbox_port, "/"),
            (self.place.port, "/healthz"),
            (self.place.port, "/readyz"),
        ]
        deadline = time.monotonic() + READY_WITHIN
        while waiting:
            self._check_stop()
            for child in self._children:
                if (code := child.ended()) is not None:
                    raise CannotStart(f"{child.name} ended at once (code {code}):\n{tail(child.log)}")
            if ports.answers(*waiting[0]):
                waiting.pop(0)
            elif time.monotonic() > deadline:
                port, path = waiting[0]
                raise CannotStart(
                    f"http://127.0.0.1:{port}{path} gave no good answer within {READY_WITHIN:.0f} seconds; "
                    f"the logs are in {self.place.var / 'log'}."
                )
            else:
                time.sleep(0.1)

    def _announce(self) -> None:
        say(f"Portal ready: {self.place.portal_url} (sandbox {self.place.sandbox_url})")
        say("Customer: demo@example.com / demo-password")
        say("Admin:    admin@example.com / admin-password")

    def _check_stop(self) -> None:
        if self.stopping:
            raise Stopped

    def _stop(self) -> None:
        """First who serves and works, then Redis and PostgreSQL; then whatever a killed child left behind."""
        if self._children or self._servers:
            say("Stopping …")
        deadline = time.monotonic() + STOP_WITHIN
        for child in self._children:
            child.ask_to_end()
        for child in self._children:
            child.make_sure(seconds=deadline - time.monotonic())
        orphans.kill_all(except_for={child.process_id for child in self._servers})
        for server in reversed(self._servers):
            server.make_sure(seconds=STOP_WITHIN)
        orphans.kill_all()
        if self._lock is not None:
            self.place.told.unlink(missing_ok=True)
        for lock in (self._children_lock, self._lock):
            if lock is not None:
                os.close(lock)

    def _spawn(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Everything we start inherits the second lock, and keeps it as long as anything of it lives."""
        held = [] if self._children_lock is None else [self._children_lock]
        return spawn(command, log=log, environment=self._environment, directory=ROOT, keep_open=held)

    def _sandbox_options(self) -> list[str]:
        data = str(self.place.var / "sandbox.sqlite")
        return ["--port", str(self.place.sandbox_port), "--data", data, "--portal", self.place.portal_url]

    @staticmethod
    def _python(module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", module, *arguments]

    @classmethod
    def _flask(cls, *arguments: str) -> list[str]:
        return cls._python("flask", "--app", "wsgi", *arguments)


def say(sentence: str) -> None:
    """Tell the person at the terminal, at once."""
    print(sentence, flush=True)


def main() -> int:
    """Run until stopped; the exit code is 0 after an orderly stop and 1 when something cannot start."""
    if "MAKELEVEL" in os.environ:  # a killed make takes us along
        end_with_parent(signal.SIGTERM)
    orphans.adopt()
    try:
        Supervisor(Place.read(os.environ), os.environ).run()
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

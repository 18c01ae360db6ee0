"""PostgreSQL 18 and Redis 6.2 out of PyPI wheels: no system packages, root or not, unix sockets only.

Both end with whoever started them, also when that process is killed: the kernel tells them, see
:func:`dev.processes.die_with_parent`. Where no wheel serves a machine :class:`CannotStart` says what to set.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from dev import binaries
from dev.processes import Account, CannotStart, end, spawn, tail, take_lock

# sun_path holds 108 bytes on Linux (unix(7)); PostgreSQL appends "/.s.PGSQL.5432".
_LONGEST_SOCKET_FOLDER = 88

OTHERS_END_WITHIN = 10.0  # seconds that the dying server of a killed run gets


def _socket_folder(wanted: Path, account: Account | None) -> Path:
    """`wanted`, or a short stand-in for it that is the same at every start, private to the server."""
    folder = wanted
    if len(os.fsencode(wanted)) > _LONGEST_SOCKET_FOLDER:
        name = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"portal-{os.geteuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = account.uid if account else os.geteuid()
    if folder.lstat().st_uid not in {owner, os.geteuid()}:  # somebody else made it first, to listen in
        raise CannotStart(f"{folder} belongs to another user; remove it.")
    if account:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)
    return folder


def _own(lock: Path) -> int:
    """Take a server's lock: the dying server of a killed run gets a moment, a living one is refused."""
    descriptor = take_lock(lock, seconds=OTHERS_END_WITHIN)
    if descriptor is None:
        raise CannotStart(
            f"Another copy is running on {lock.parent}: stop it, "
            "or give this one a VAR_DIR, PORT and SANDBOX_PORT of its own."
        )
    return descriptor


class Postgres:
    """One PostgreSQL cluster in `directory`; `durable=False` trades crash safety for speed (tests)."""

    def __init__(self, directory: Path, *, durable: bool = True, log: Path | None = None) -> None:
        self.directory = directory.absolute()
        self.durable = durable
        self.log = log or self.directory.with_name("postgres.log")
        self.process: subprocess.Popen[bytes] | None = None
        self._sockets = self.directory

    def url(self, database: str = "portal") -> str:
        """The SQLAlchemy address of a database; known once the server has started."""
        return f"postgresql+psycopg://portal@/{database}?host={quote(str(self._sockets))}"

    def start(self, *, seconds: float = 60) -> None:
        """Make the cluster if it is new, start it, and return when it takes connections.

        Raises :class:`CannotStart` with one sentence (and the end of the log) when it does not.
        """
        account = binaries.unprivileged()
        binaries.postgres_programs(account)  # where none runs, no folder is made either
        home = self._home(account)
        account = self._owner_of(home, account)
        programs = binaries.postgres_programs(account)
        lock = _own(home / "lock")
        try:
            self._initialise(home, programs, account)
            (home / "data" / "postmaster.pid").unlink(
                missing_ok=True
            )  # we hold the lock, so it speaks of the dead
            self._sockets = _socket_folder(home / "run", account)
            self.process = spawn(
                [programs / "postgres", "-D", home / "data", *self._options()],
                log=self.log,
                account=account,
                keep_open=[lock],
                orphaned=signal.SIGINT,  # PostgreSQL's fast shutdown
                directory=Path("/"),
            )
        except OSError as error:
            raise CannotStart(f"PostgreSQL cannot be started in {home}: {error}.") from error
        finally:
            os.close(lock)
        self._wait(home / "data", seconds)

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, the data is written."""
        if self.process is not None:
            end(self.process, signal.SIGINT, seconds=20)

    def ensure_database(self, name: str = "portal") -> None:
        """Create the database unless it exists."""
        with psycopg.connect(
            host=str(self._sockets), user="portal", dbname="postgres", autocommit=True
        ) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def remove(self) -> None:
        """Delete the stopped cluster with everything it holds."""
        if self.directory.is_symlink():
            shutil.rmtree(self.directory.resolve(), ignore_errors=True)
            self.directory.unlink()
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _home(self, account: Account | None) -> Path:
        """The folder itself or, where `account` cannot walk to it, an open place that a link remembers."""
        if not self.directory.exists():
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            self.directory.unlink(missing_ok=True)  # a link to a place that somebody cleared
            if account and not binaries.can_walk_to(self.directory.parent.resolve(), account):
                self.directory.symlink_to(binaries.open_folder("data-"))
            else:
                self.directory.mkdir(mode=0o711)
        return self.directory.resolve()

    def _owner_of(self, home: Path, account: Account | None) -> Account | None:
        """Whoever owns existing data runs the server: a folder made by a user keeps working for root."""
        data = home / "data"
        if not data.exists():
            if account:
                os.chown(home, account.uid, account.gid)
            return account
        owner = data.stat().st_uid
        if account and owner != 0:
            return Account.of(owner)
        if account is None and owner == os.geteuid():
            return None
        raise CannotStart(f"{data} belongs to user id {owner}: run as that user, or use another VAR_DIR.")

    def _initialise(self, home: Path, programs: Path, account: Account | None) -> None:
        """Run initdb into a folder beside, so that an interrupted one is never taken for a cluster."""
        if (home / "data").exists():
            return
        making = home / "data.new"
        shutil.rmtree(making, ignore_errors=True)
        options = ["--username=portal", "--auth=trust", "--encoding=UTF8", "--no-instructions"]
        # The builtin provider needs no locale of the machine and knows Cyrillic's upper and lower case.
        options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [] if self.durable else ["--no-sync"]
        process = spawn(
            [programs / "initdb", "-D", making, *options], log=self.log, account=account, directory=Path("/")
        )
        if process.wait() != 0:
            raise CannotStart(f"initdb failed in {home}:\n{tail(self.log)}")
        making.rename(home / "data")

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",  # for queries of milliseconds it only costs
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            settings |= {"max_connections": "400"}  # a pool for each of many processes that test at once
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _wait(self, data: Path, seconds: float) -> None:
        """Until the postmaster writes "ready" into its pid file (its own protocol with pg_ctl)."""
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise CannotStart(f"PostgreSQL did not start:\n{tail(self.log)}")
            try:
                lines = (data / "postmaster.pid").read_text().split("\n")
            except FileNotFoundError:
                lines = [""]
            if lines[0] == str(self.process.pid) and any(
                re.fullmatch(r"ready\s*", line) for line in lines[7:]
            ):
                return
            time.sleep(0.01)
        self.stop()
        raise CannotStart(f"PostgreSQL took no connections within {seconds:.0f} seconds:\n{tail(self.log)}")


class Redis:
    """One Redis in `directory`; `durable=True` keeps an append-only file, so queued jobs survive a crash."""

    def __init__(self, directory: Path, *, durable: bool = True, log: Path | None = None) -> None:
        self.directory = directory.absolute()
        self.durable = durable
        self.log = log or self.directory.with_name("redis.log")
        self.process: subprocess.Popen[bytes] | None = None
        self._socket = self.directory / "redis.sock"

    def url(self, database: int = 0) -> str:
        """The address of one numbered database (0 to 15), as redis-py and RQ read it."""
        return f"unix://{quote(str(self._socket))}?db={database}"

    def start(self, *, seconds: float = 20) -> None:
        """Start it and return when it answers PING. Raises :class:`CannotStart` when it does not."""
        program = binaries.redis_server()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _own(self.directory / "lock")
        try:
            self._socket = _socket_folder(self.directory / "run", None) / "redis.sock"
            self.process = spawn(
                [program, *self._options()], log=self.log, keep_open=[lock], directory=self.directory
            )
        except OSError as error:
            raise CannotStart(f"Redis cannot be started in {self.directory}: {error}.") from error
        finally:
            os.close(lock)
        self._wait(seconds)

    def stop(self) -> None:
        """Orderly shutdown: the append-only file is flushed."""
        if self.process is not None:
            end(self.process, signal.SIGTERM, seconds=10)

    def remove(self) -> None:
        """Delete the stopped server's files."""
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self._socket.parent, ignore_errors=True)

    def _options(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            # A full Redis refuses new jobs instead of forgetting old ones.
            "maxmemory-policy": "noeviction",
            "databases": "16",
        }
        return [part for name, value in settings.items() for part in (f"--{name}", value)]

    def _wait(self, seconds: float) -> None:
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise CannotStart(f"Redis did not start:\n{tail(self.log)}")
            if self._answers():
                return
            time.sleep(0.005)
        self.stop()
        raise CannotStart(f"Redis did not answer within {seconds:.0f} seconds:\n{tail(self.log)}")

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")  # "-LOADING" while it reads its file
        except OSError:
            return False

"""The suite's own PostgreSQL and Redis: one of each per run, one database per xdist worker.

The servers belong to the process that a person started (the xdist controller, or pytest itself), so that no
worker that finishes early takes them away from another. Each worker clones its database from a migrated
template, which the first one that asks makes under an advisory lock.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from dev.processes import CannotStart
from dev.servers import Postgres, Redis

ROOT = Path(__file__).resolve().parent.parent
_LOCK = 7_315_001  # any number, known to nobody else on these servers


@dataclass(slots=True)
class Servers:
    """Where this run's servers are, or why there are none."""

    postgres: str = ""
    redis: str = ""
    reason: str = ""
    run: str = ""
    _stop: list[object] = field(default_factory=list, repr=False)
    _early: threading.Thread | None = field(default=None, repr=False)

    @classmethod
    def start(cls) -> Servers:
        """Start servers that forget everything; where no wheel serves the machine, take the environment's."""
        run = f"{os.getpid():x}"
        folder = Path(tempfile.mkdtemp(prefix="portal-tests-"))
        folder.chmod(0o711)  # PostgreSQL may run as another user and has to walk through
        postgres, redis = Postgres(folder / "postgres", durable=False), Redis(folder / "redis", durable=False)
        servers = cls(run=run, _stop=[postgres, redis, folder])
        try:
            postgres.start()
            redis.start()
        except CannotStart as error:
            servers.stop()
            return cls._given(run, str(error))
        servers.postgres, servers.redis = postgres.url("postgres"), redis.url()
        return servers

    @classmethod
    def _given(cls, run: str, why: str) -> Servers:
        postgres, redis = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
        if postgres and redis:
            return cls(
                postgres=re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", postgres), redis=redis, run=run
            )
        return cls(reason=why)

    def migrate_early(self) -> None:
        """Make the template while the workers are still collecting what they will do with it."""
        if not self.reason:
            self._early = threading.Thread(target=self._make_early, daemon=True)
            self._early.start()

    def _make_early(self) -> None:
        # A migration that fails is told by the first worker, which tries it again.
        with suppress(RuntimeError), self._template():
            pass

    def stop(self) -> None:
        """End the servers that this run started and remove their files; on given servers, its databases."""
        if self._early is not None:
            self._early.join()
        if not self._stop and self.postgres:
            self._drop_databases()
        for part in self._stop:
            if isinstance(part, Path):
                shutil.rmtree(part, ignore_errors=True)
            elif isinstance(part, Postgres | Redis):
                part.stop()
                part.remove()
        self._stop = []

    def as_texts(self) -> dict[str, str]:
        """What an xdist worker needs to know."""
        return {"postgres": self.postgres, "redis": self.redis, "reason": self.reason, "run": self.run}

    def database(self, worker: str) -> str:
        """A new database for this worker, cloned from the migrated template; its SQLAlchemy address."""
        name = f"portal_test_{self.run}_{worker}"
        with self._template() as (connection, template):
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
            clone = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(clone.format(sql.Identifier(name), sql.Identifier(template)))
        return self.address(name)

    def redis_database(self, worker: str) -> str:
        """The address of this worker's numbered Redis database, so that no worker sees another's queues."""
        digits = re.sub(r"\D", "", worker)
        return f"{self.redis.split('?')[0]}?db={(int(digits) if digits else 0) % 16}"

    def address(self, database: str) -> str:
        """The SQLAlchemy address of another database on the same server."""
        return urlunsplit(urlsplit(self.postgres)._replace(path=f"/{database}"))

    @contextmanager
    def _template(self) -> Iterator[tuple[psycopg.Connection[tuple[object, ...]], str]]:
        """The migrated database, kept from others meanwhile; whoever asks first makes it."""
        name = f"portal_test_{self.run}_template"
        with self._administrator() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                self._make_template(connection, name)
            yield connection, name

    def _make_template(self, connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
        """Migrate under another name and rename at the end, so that nobody clones half a schema."""
        making = f"{name}_making"
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(making)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(making)))
        migrate(self.address(making), self.redis)
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(making), sql.Identifier(name))
        )

    @contextmanager
    def _administrator(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        with psycopg.connect(self.postgres.replace("+psycopg", ""), autocommit=True) as connection:
            yield connection

    def _drop_databases(self) -> None:
        with self._administrator() as connection:
            names = connection.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s)",
                (f"portal_test_{self.run}_",),
            ).fetchall()
            for (name,) in names:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(name))))


def migrate(database_url: str, redis_url: str) -> None:
    """Run the migrations on a database, in a process of its own: the way an operator does it."""
    environment = os.environ | sandbox_environment(database_url, redis_url)
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"flask db upgrade failed:\n{done.stdout}{done.stderr}")


def sandbox_environment(database_url: str, redis_url: str) -> dict[str, str]:
    """The least that lets a portal start with the sandbox on."""
    return {
        "SECRET_KEY": "a key of tests that is long enough to be taken",
        "SETTINGS_ENCRYPTION_KEYS": "dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGU=",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PORTAL_BASE_URL": "http://127.0.0.1:8000",
        "SANDBOX": "1",
        "YOOKASSA_API_URL": "http://127.0.0.1:8001/yookassa/v3",
        "CLOUDPAYMENTS_API_URL": "http://127.0.0.1:8001/cloudpayments",
    }

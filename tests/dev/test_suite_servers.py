"""The servers of the suite itself."""

from __future__ import annotations

import socket

import psycopg
import pytest
import redis

from tests.network import OutsideWorld, is_local


def test_every_worker_has_a_database_of_its_own(database_url: str, worker_name: str) -> None:
    """The address given to a test leads to a database that is named for its worker."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        row = connection.execute(
            "SELECT current_database(), current_setting('server_version_num')::int"
        ).fetchone()
    assert row is not None
    assert row[0].endswith(f"_{worker_name}")
    assert row[1] >= 150000


def test_redis_answers(redis_url: str) -> None:
    """The address given to a test leads to a Redis that keeps what it is given."""
    client = redis.Redis.from_url(redis_url)
    client.set("suite", "here", ex=60)
    assert client.get("suite") == b"here"
    client.close()


@pytest.mark.parametrize("host", ("93.184.215.14", "2606:4700::1111", "example.com", b"example.com"))
def test_the_outside_is_closed(host: str) -> None:
    """A test that forgets itself fails loudly instead of speaking to a real gateway."""
    assert not is_local(host)
    with pytest.raises(OutsideWorld):
        socket.create_connection((host, 443), timeout=1)
    with socket.socket() as client, pytest.raises(OutsideWorld):
        client.connect(("93.184.215.14", 443))


def test_loopback_stays_open() -> None:
    """Live servers of a test are reachable by number and by name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("localhost", port), timeout=5) as client:
            assert client.getpeername()[1] == port

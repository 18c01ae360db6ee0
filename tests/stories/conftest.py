"""What every story is watched for, and the till at which stories of notifications are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest
import requests.adapters
from flask import Flask
from psycopg import sql
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.pool import Pool

from portal.database import db
from tests import lists, shares
from tests.desk import Desk, LiveSandbox
from tests.servers import Servers
from tests.stories.till import Till, in_process, open_till, over_http


@pytest.fixture(autouse=True)
def no_call_inside_a_transaction(
    monkeypatch: pytest.MonkeyPatch, sandbox_server: LiveSandbox
) -> Iterator[list[str]]:
    """Law 1, watched in every story: no gateway is called by a thread that has a transaction open.

    PostgreSQL itself is asked, through the driver, about each connection that the calling thread holds. The
    transport is watched below the SDK's session and our own, so no room can call past it.
    """
    held: dict[int, tuple[int, Any]] = {}
    broken: list[str] = []
    gateways = (f"{sandbox_server.url}/yookassa/v3", f"{sandbox_server.url}/cloudpayments/")
    send = requests.adapters.HTTPAdapter.send

    def taken(connection: Any, *_more: Any) -> None:
        held[id(connection)] = (threading.get_ident(), connection)

    def given_back(connection: Any, *_more: Any) -> None:
        held.pop(id(connection), None)

    def watched(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        if str(request.url).startswith(gateways):
            mine = [found for thread, found in list(held.values()) if thread == threading.get_ident()]
            if any(found.info.transaction_status is not TransactionStatus.IDLE for found in mine):
                broken.append(f"{request.method} {request.url}")
        return send(self, request, *arguments, **options)

    event.listen(Pool, "checkout", taken)
    event.listen(Pool, "checkin", given_back)
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", watched)
    yield broken
    event.remove(Pool, "checkout", taken)
    event.remove(Pool, "checkin", given_back)
    assert not broken, f"a gateway was called inside an open transaction: {broken}"


@pytest.fixture(autouse=True)
def lists_rest(request: pytest.FixtureRequest) -> None:
    """Stories travel for weeks, and each morning a portal compares three days with both gateways' lists.

    That is put off here: what happens in a story is found by the row that waits for it. A story about the
    lists says so by the mark ``lists``, and they all have them with ``COMBINATIONS=all``.
    """
    told = shares.EVERY_ONE or request.node.get_closest_marker("lists")
    if "desk" in request.fixturenames and not told:
        with request.getfixturevalue("desk").app.app_context():
            lists.leave_alone()


@pytest.fixture
def till(desk: Desk) -> Callable[..., Till]:
    """``till(gateway=…, plan=…, email=…)``: an order whose gateway speaks over real HTTP."""

    def opened(**words: Any) -> Till:
        return open_till(desk.app, over_http(desk.url), **words)

    return opened


@pytest.fixture
def quick_till(app: Flask) -> Callable[..., Till]:
    """The same without a socket."""

    def opened(**words: Any) -> Till:
        return open_till(app, in_process(app), **words)

    return opened


@pytest.fixture
def no_database(servers: Servers, app: Flask) -> Callable[[], AbstractContextManager[None]]:
    """A block during which this portal's database has hung up on everybody and lets nobody in."""
    with app.app_context():
        name = str(db.engine.url.database)
    closed = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")

    @contextmanager
    def away() -> Iterator[None]:
        with psycopg.connect(servers.postgres.replace("+psycopg", ""), autocommit=True) as boss:
            boss.execute(closed.format(sql.Identifier(name), sql.SQL("false")))
            boss.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            try:
                yield
            finally:
                boss.execute(closed.format(sql.Identifier(name), sql.SQL("true")))

    return away

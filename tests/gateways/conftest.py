"""Servers on this machine that answer as badly as a test wants."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.gateways.stage import BadServer, Move


@pytest.fixture
def start_server() -> Iterator[Callable[..., BadServer]]:
    """Start servers; all of them are stopped after the test."""
    running: list[BadServer] = []

    def start(*moves: Move, tls: ssl.SSLContext | None = None, trickle: float = 0) -> BadServer:
        listener = socket.create_server(("127.0.0.1", 0))
        server = BadServer(listener, tls=tls, moves=list(moves) or [b""], trickle=trickle)
        threading.Thread(target=server.serve, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.over.set()
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port

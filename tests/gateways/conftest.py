"""Servers on this machine that answer as badly as a test wants."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest
from werkzeug.serving import make_server

from portal.sandbox.app import create_sandbox
from portal.sandbox.config import SandboxConfig
from portal.sandbox.world import World
from tests.gateways.stage import BadServer, Move, Sandbox


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


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[str]:
    """Both gateways' simulator on a free port, for the whole run."""
    app = create_sandbox(SandboxConfig(tick_seconds=0.02))
    world: World = app.extensions["sandbox"]
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    world.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    world.stop()


@pytest.fixture
def sandbox(running_sandbox: str) -> Sandbox:
    """The simulator with empty books."""
    found = Sandbox(running_sandbox)
    found.control("reset")
    return found

"""Servers on this machine that answer as badly as a test wants."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server

from portal.sandbox.app import create_sandbox
from portal.sandbox.config import SandboxConfig
from portal.sandbox.world import World
from tests.gateways.contract_stage import SHOPS, Side
from tests.gateways.stage import BadServer, Move, Sandbox


@pytest.fixture
def start_server() -> Iterator[Callable[..., BadServer]]:
    """Start servers; all of them are stopped after the test."""
    running: list[BadServer] = []

    def start(*moves: Move, tls: ssl.SSLContext | None = None, trickle: float = 0) -> BadServer:
        listener = socket.create_server(("127.0.0.1", 0))
        server = BadServer(listener, tls=tls, moves=list(moves) or [b""], trickle=trickle)
        server.start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[str]:
    """Both gateways' simulator on a free port, for the whole run."""
    app = create_sandbox(SandboxConfig())
    world: World = app.extensions["sandbox"]
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()
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


@pytest.fixture(params=sorted(SHOPS))
def side(request: pytest.FixtureRequest, sandbox: Sandbox) -> Side:
    """Each gateway in turn."""
    sandbox.control("settings", yookassa_decline_cancels=True)
    return Side(request.param, sandbox)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A self-signed certificate for 127.0.0.1: the server's context and the file that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + pem)
    (folder / "ca.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, str(folder / "ca.pem")

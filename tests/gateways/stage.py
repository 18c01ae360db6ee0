"""Orders, and a server on this machine that answers as badly as a test wants."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests

from portal.gateways.base import BillingMode, PaymentOrder

MOMENT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def an_order(**changes: Any) -> PaymentOrder:
    """An order for a month of PRO, one-time unless changed."""
    order = PaymentOrder(
        transaction_id="0f0e1d2c-3b4a-4958-8776-655443322110",
        amount=Decimal("990.00"),
        currency="RUB",
        description="Подписка PRO",
        plan_code="PRO_MONTHLY",
        user_id="17",
        account="acc-8f2b",
        email="user@example.com",
        billing_mode=BillingMode.ONE_TIME,
        save_method=False,
        return_url="https://shop.example/billing/payment/0f0e1d2c/return",
        created_at=MOMENT,
    )
    return replace(order, **changes)


@dataclass
class Request:
    """One request as the server received it; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answer(status: int = 200, body: bytes | str | dict[str, Any] | list[Any] = b"", **headers: str) -> bytes:
    """A complete HTTP answer; objects become JSON."""
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    kind = "text/html" if isinstance(body, bytes | str) else "application/json"
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", f"Content-Length: {len(raw)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + raw


# What a server does with a request: bytes to send (then it hangs up), or nothing and a silence until the test
# ends.
Move = bytes | None


@dataclass
class BadServer:
    """Plays its ``moves`` in order; the last one is repeated. Every request is kept in ``seen``."""

    listener: socket.socket
    tls: ssl.SSLContext | None = None
    moves: list[Move] = field(default_factory=lambda: [b""])
    seen: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    trickle: float = 0  # seconds between single bytes of the body
    _taker: threading.Thread | None = None

    @property
    def url(self) -> str:
        host, port = self.listener.getsockname()[:2]
        return f"{'https' if self.tls else 'http'}://{host}:{port}"

    def start(self) -> None:
        """Take connections from now on."""
        self._taker = threading.Thread(target=self._serve, daemon=True)
        self._taker.start()

    def stop(self) -> None:
        """Take no more. The taker ends before its listener, whose number the next one is given."""
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        if self._taker is not None:
            self._taker.join(5)
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            stream = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            with stream:
                request = _read_request(stream)
                if request is None:
                    return
                move = self.moves.pop(0) if len(self.moves) > 1 else self.moves[0]
                self.seen.append(request)
                if move is None:
                    self.over.wait(60)
                elif self.trickle:
                    self._drip(stream, move)
                else:
                    stream.sendall(move)

    def _drip(self, stream: socket.socket, move: bytes) -> None:
        head, _, body = move.partition(b"\r\n\r\n")
        stream.sendall(head + b"\r\n\r\n")
        for byte in body:
            if self.over.wait(self.trickle):
                return
            stream.sendall(bytes([byte]))


@dataclass
class Sandbox:
    """The simulator's books and its control API."""

    url: str

    def control(self, name: str, **body: Any) -> Any:
        """POST to the control API, demand success and return the answer."""
        answered = requests.post(f"{self.url}/control/{name}", json=body, timeout=30)
        assert answered.status_code == 200, answered.text
        return answered.json()

    def books(self, gateway: str, kind: str) -> list[dict[str, Any]]:
        """One gateway's payments, refunds or methods, oldest first."""
        ledger = requests.get(f"{self.url}/control/ledger", timeout=30).json()
        return [entry for entry in ledger[kind] if entry["gateway"] == gateway]


def _read_request(stream: socket.socket) -> Request | None:
    with stream.makefile("rb") as file:
        first = file.readline().decode().split(" ")
        if len(first) < 2:
            return None
        headers: dict[str, str] = {}
        while line := file.readline().strip().decode("latin-1"):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Request(first[0], first[1], headers, file.read(int(headers.get("content-length", "0"))))

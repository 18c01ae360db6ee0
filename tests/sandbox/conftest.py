"""A live sandbox and a recording merchant, both real HTTP servers on free ports of this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

import pytest
import requests
from flask import Flask, Response, request
from playwright.sync_api import Page
from werkzeug.serving import BaseWSGIServer, make_server

from portal.sandbox.app import GATEWAYS, create_sandbox
from portal.sandbox.config import SandboxConfig
from portal.sandbox.world import World
from tests.sandbox.cloudpayments_customer import Customer, customers, merchant_site
from tests.sandbox.cloudpayments_shop import CloudShop


def serve(app: Flask) -> BaseWSGIServer:
    """Run an application on a free port in a thread; ``shutdown`` ends it."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()
    return server


def _wait_for(condition: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen in time")


@dataclass
class Hook:
    """One notification as it arrived."""

    path: str
    body: bytes
    headers: dict[str, str]
    form: dict[str, str]
    json: Any


@dataclass
class Merchant:
    """Takes notifications at ``url`` + any path. ``answers`` are used up in order, then ``usual`` repeats."""

    url: str = ""
    hooks: list[Hook] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)
    usual: tuple[int, str] = (200, '{"code": 0}')

    def events(self) -> list[str]:
        """The YooKassa events so far, in the order of their arrival."""
        bodies = [hook.json for hook in self.hooks if isinstance(hook.json, dict)]
        return [body["event"] for body in bodies if "event" in body]


@dataclass
class Sandbox:
    """A running sandbox, its world and shortcuts for its control API."""

    url: str
    world: World

    def control(self, name: str, **body: Any) -> Any:
        """POST to the control API, demand success and return the answer."""
        answer = requests.post(f"{self.url}/control/{name}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ledger(self) -> Any:
        """GET the ledger."""
        return requests.get(f"{self.url}/control/ledger", timeout=30).json()


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """``wait_for(condition, seconds=10)``: the first true value of ``condition``; fails at the deadline."""
    return _wait_for


@dataclass
class Shop:
    """A shop's plain HTTP client of YooKassa: no SDK, so that every byte is ours."""

    url: str
    count: int = 0

    def call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Send one request with the shop's credentials unless ``auth`` says otherwise."""
        kwargs.setdefault("auth", ("100500", "test_sandbox-secret-key"))
        return requests.request(method, f"{self.url}{path}", timeout=kwargs.pop("timeout", 30), **kwargs)

    def post(self, path: str, body: Any, key: str | None = None, **kwargs: Any) -> requests.Response:
        """POST a JSON body under a given or a fresh idempotence key."""
        self.count += 1
        headers = {"Idempotence-Key": key or f"key-{self.count}", **kwargs.pop("headers", {})}
        return self.call("POST", path, json=body, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> Any:
        """GET an object that must exist."""
        answer = self.call("GET", path, **kwargs)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pay(self, reference: str = "order-1", **more: Any) -> Any:
        """Create a payment of 990 roubles by redirect, or with any other fields, and return it."""
        body: dict[str, Any] = {
            "amount": {"value": "990.00", "currency": "RUB"},
            "capture": True,
            "confirmation": {"type": "redirect", "return_url": "http://127.0.0.1/back?order=1"},
            "metadata": {"payment_id": reference},
            **more,
        }
        if "payment_method_id" in more:
            del body["confirmation"]
        answer = self.post("/payments", body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def shop(sandbox: Sandbox) -> Shop:
    """The shop's client of the sandbox's YooKassa."""
    return Shop(f"{sandbox.url}/yookassa/v3")


@pytest.fixture(scope="session")
def merchants() -> Iterator[tuple[str, dict[str, Merchant]]]:
    """The address of one server for all shops, and the shops by the first part of their paths."""
    app, shops = Flask("merchants"), dict[str, Merchant]()

    @app.route("/<name>/<path:path>", methods=["GET", "POST"])
    def take(name: str, path: str) -> Response:
        shop = shops[name]
        headers, raw = dict(request.headers), request.get_data()
        hook = Hook(f"/{path}", raw, headers, request.form.to_dict(), request.get_json(silent=True))
        shop.hooks.append(hook)
        status, body = shop.answers.pop(0) if shop.answers else shop.usual
        return Response(body, status, mimetype="application/json")

    @app.get("/favicon.ico")
    def icon() -> Response:
        """Browsers ask for it where a page has come from."""
        return Response(status=204)

    server = serve(app)
    yield f"http://127.0.0.1:{server.server_port}", shops
    server.shutdown()
    server.server_close()


@pytest.fixture
def merchant(merchants: tuple[str, dict[str, Merchant]]) -> Merchant:
    """A shop that records what it is notified of, at an address that no other test has."""
    home, shops = merchants
    name = f"shop-{len(shops)}"
    shops[name] = Merchant(f"{home}/{name}")
    return shops[name]


@pytest.fixture(scope="session")
def idle_servers() -> Iterator[list[BaseWSGIServer]]:
    """Sandboxes whose last world has ended: making an application costs more than most tests do in it."""
    idle: list[BaseWSGIServer] = []
    yield idle
    for server in idle:
        server.shutdown()
        server.server_close()


def begin(server: BaseWSGIServer, config: SandboxConfig) -> World:
    """Put a new world, with a store, a clock and settings of its own, into a sandbox's application.

    What answers requests holds no state and finds the world through the application.
    """
    world = World(config)
    for gateway in GATEWAYS:
        world.register(import_module(f"portal.sandbox.{gateway}").simulator(world))
    cast(Flask, server.app).extensions["sandbox"] = world
    world.start()
    return world


@pytest.fixture
def start_sandbox(idle_servers: list[BaseWSGIServer]) -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes with any ``SandboxConfig`` fields; all of them are stopped after the test."""
    running: list[tuple[BaseWSGIServer, World]] = []

    def start(**config: Any) -> Sandbox:
        server = idle_servers.pop() if idle_servers else serve(create_sandbox())
        world = begin(server, SandboxConfig(**{"tick_seconds": 0.02, **config}))
        running.append((server, world))
        return Sandbox(f"http://127.0.0.1:{server.server_port}", world)

    yield start
    for server, world in running:
        world.stop()
        idle_servers.append(server)


@pytest.fixture
def sandbox(start_sandbox: Callable[..., Sandbox], merchant: Merchant) -> Sandbox:
    """A sandbox whose notifications go to the recording merchant: ``/cp/<kind>/`` and ``/yookassa``."""
    return start_sandbox(
        cloudpayments_notify=f"{merchant.url}/cp", yookassa_notify=f"{merchant.url}/yookassa"
    )


@pytest.fixture
def cp(sandbox: Sandbox, merchant: Merchant, wait_for: Callable[..., Any]) -> CloudShop:
    """A shop with CloudPayments' credentials, notified by the sandbox."""
    return CloudShop(sandbox, merchant, wait_for)


@pytest.fixture(scope="session")
def site() -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a merchant's site, and what stands in its page."""
    page: dict[str, str] = {}
    server = serve(merchant_site(page))
    yield f"http://127.0.0.1:{server.server_port}", page
    server.shutdown()
    server.server_close()


@pytest.fixture
def customer(
    cp: CloudShop, site: tuple[str, dict[str, str]], window: Page
) -> Iterator[Callable[..., Customer]]:
    """``customer(**start)`` opens the merchant's page, whose button calls the widget."""
    url, page = site
    page["sandbox"] = cp.sandbox.url
    with customers(window, page, url) as open_page:
        yield open_page

"""The portal under test: an application, a clean database for each test, people, a running sandbox."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from contextvars import Context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from werkzeug.http import parse_cookie
from werkzeug.serving import make_server

from config import Config
from portal import clock, create_app
from portal.accounts import registration
from portal.billing import settings, sweep
from portal.database import db
from portal.gateways.base import Timeouts
from portal.models import User
from portal.sandbox.app import create_sandbox
from portal.sandbox.config import SandboxConfig
from portal.sandbox.world import World
from portal.web import guards
from tests import laws
from tests.slate import Slate
from tests.wire import OF_THE_WIRE, Wire

PASSWORD = "three calm herons"
#: Seconds between two looks of a server whether it is to end, which it is once in a run.
SELDOM = 0.5


@dataclass
class LiveSandbox:
    """The gateways' side of the wire. What tests ask and order of the sandbox itself needs no wire."""

    url: str
    world: World
    app: Flask

    def control(self, what: str, **words: Any) -> Any:
        """Use the control API; whatever it refuses fails the test."""
        return self._ask("POST", what, json=words)

    def ledger(self) -> Any:
        """What the gateways hold true."""
        return self._ask("GET", "ledger")

    def letters(self, to: str) -> list[Any]:
        """The letters that this person got, oldest first."""
        return list(self._ask("GET", "mailbox", query_string={"to": to})["letters"])

    def clear_faults(self) -> None:
        """No more spoilt answers."""
        self._ask("DELETE", "faults")

    def pay(self, gateway: str, transaction_id: str, card: str = "4242424242424242") -> Any:
        """Do what the payer does on the gateway's page."""
        return self.control("pay", gateway=gateway, transaction_id=transaction_id, card=card)

    def _ask(self, method: str, what: str, **words: Any) -> Any:
        client = self.app.test_client(use_cookies=False)
        answer = client.open(f"/control/{what}", method=method, base_url=self.url, **words)
        assert answer.status_code < 400, answer.text
        return answer.get_json()


def a_session() -> requests.Session:
    """A client that looks for no proxies and no passwords on this machine, which takes longer than a page."""
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass
class Browser:
    """A person at the portal over real HTTP, without a screen."""

    base: str
    session: requests.Session = field(default_factory=a_session)
    _token: str = ""

    def get(self, path: str, **more: Any) -> requests.Response:
        """Open a page."""
        return self._read(self.session.get(self.base + path, timeout=60, **more))

    def token(self) -> str:
        """The CSRF token of the session, as the page that was seen last carries it."""
        if not self._token:
            self.get("/plans")
        assert self._token
        return self._token

    def knows(self, token: str) -> None:
        """The session's CSRF token was seen."""
        self._token = token

    def send(self, path: str, **form: Any) -> requests.Response:
        """Send a form."""
        filled = {"csrf_token": self.token(), **form}
        return self._read(self.session.post(self.base + path, data=filled, timeout=60))

    def _read(self, page: requests.Response) -> requests.Response:
        if found := re.search(r'<meta name="csrf-token" content="([^"]+)"', page.text):
            self._token = found[1]
        return page

    def call(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        """POST JSON to the API."""
        headers = {"X-CSRFToken": self.token(), **headers}
        return self.session.post(
            self.base + path, json=body if body is not None else {}, headers=headers, timeout=90
        )

    def register(self, email: str) -> Browser:
        """Become a customer."""
        assert self.send("/register", email=email, password=PASSWORD, accept_privacy="y").ok
        return self

    def order(self, gateway: str, plan: str = "PRO_MONTHLY", *, recurring: bool = False) -> Any:
        """Create a payment by the API."""
        words = {"plan_code": plan, "accept_recurring": recurring}
        answer = self.call(f"/billing/api/{gateway}/create_payment/", words)
        assert answer.ok, answer.text
        return answer.json()

    def status(self, transaction_id: str, gateway: str) -> Any:
        """What the portal says of a payment."""
        where = f"/billing/api/{gateway}/transaction_status/"
        return self.get(where, params={"transaction_id": transaction_id}).json()


class Door:
    """The application as its server sees it: each request comes to its very end before its answer leaves.

    A request may hand over jobs once its answer is there, so whoever had the answer first would be too early;
    and where a browser hangs up on a redirect, the development server forgets to end the request at all.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._open = 0
        self._changed = threading.Condition()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        """Answer one request."""
        self._count(1)
        try:
            with closing(self._app(environ, start_response)) as answer:
                return [b"".join(answer)]
        finally:
            self._count(-1)

    def wait_until_quiet(self, seconds: float = 2) -> None:
        """Wait for the requests under way; one that hangs for a gateway's sake is not waited for longer."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open, seconds)

    def _count(self, change: int) -> None:
        with self._changed:
            self._open += change
            self._changed.notify_all()


@dataclass
class Desk:
    """A running portal with its sandbox."""

    url: str
    app: Flask
    sandbox: LiveSandbox
    door: Door

    def browser(self) -> Browser:
        """Somebody new."""
        return Browser(self.url)

    def customer(self, email: str = "ira@example.com") -> Browser:
        """Somebody registered and signed in."""
        return self.let_in(lambda: registration.register(email, PASSWORD, "127.0.0.1", clock.now()))

    def let_in(self, verb: Callable[[], User]) -> Browser:
        """Whoever *verb* answers, signed in as the portal does it, without the pages around.

        Each story needs somebody, and three pages for each of a thousand took longer than the stories.
        """
        return Context().run(self._let_in, verb)

    def _let_in(self, verb: Callable[[], User]) -> Browser:
        browser = self.browser()
        with self.app.test_request_context(base_url=self.url):
            guards.sign_in(verb())
            browser.knows(generate_csrf())
            answer = self.app.process_response(self.app.response_class())
        for cookie in map(parse_cookie, answer.headers.getlist("Set-Cookie")):
            name, value = next(iter(cookie.items()))
            browser.session.cookies.set(name, value, domain="127.0.0.1", path="/")
        answer.close()  # what follows an answer follows now
        return browser

    def work(self) -> None:
        """Let a worker do every job that is queued."""
        self.door.wait_until_quiet()
        run_jobs(self.app)

    def settle(self) -> None:
        """Let the gateways deliver what they have to say, and a worker do what follows."""
        assert self.sandbox.world.notifier.settle(20)
        self.work()

    def sweep(self) -> None:
        """Let the scheduler look once, at the portal's present time."""
        with self.app.app_context():
            sweep.sweep_until_quiet(clock.now())


class HandWorker(SimpleWorker):
    """Does what is queued and listens to no commands: rq waits up to a second for its listener to end."""

    def subscribe(self) -> None:
        """Nobody commands a worker that lives for one burst."""

    def unsubscribe(self) -> None:
        """There is no listener to wait for."""


def run_jobs(app: Flask) -> None:
    """Do every queued job in this process, inside the application, as a worker would."""
    with app.app_context():
        queue = app.extensions["portal_queue"]
        if queue.is_empty():  # most often, and a worker takes longer to find it out
            return
        HandWorker([queue], connection=queue.connection, serializer=JSONSerializer).work(
            burst=True, logging_level="ERROR"
        )


@pytest.fixture(scope="session")
def clock_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this process keeps its moved time."""
    return tmp_path_factory.mktemp("clock") / "offset"


@pytest.fixture(scope="session")
def wire() -> Iterator[Wire]:
    """What carries this process's requests."""
    with Wire().laid() as laid:
        yield laid


@pytest.fixture
def sockets(wire: Wire) -> Iterator[None]:
    """Every request of this test goes over a socket."""
    before, wire.only_sockets = wire.only_sockets, True
    yield
    wire.only_sockets = before


@pytest.fixture(scope="session")
def sandbox_server(wire: Wire) -> Iterator[LiveSandbox]:
    """One sandbox for this process; :func:`sandbox` empties it for each test."""
    app = create_sandbox(SandboxConfig())
    world: World = app.extensions["sandbox"]
    wire.needs_sockets = lambda: bool(world.faults.all() or OF_THE_WIRE & world.settings.changed().keys())
    # A browser that hangs up would leave the file open that it was sent.
    server = make_server("127.0.0.1", 0, Door(app), threaded=True)
    world.start()
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": SELDOM}).start()
    url = f"http://127.0.0.1:{server.server_port}"
    wire.inside[url] = app
    yield LiveSandbox(url, world, app)
    server.shutdown()
    world.stop()


@pytest.fixture(scope="session")
def portal_config(database_url: str, redis_url: str, sandbox_server: LiveSandbox, clock_file: Path) -> Config:
    """The portal of ``make run``, with cheap passwords and quick time-outs."""
    sandbox = sandbox_server.url
    return Config(
        secret_key="a key of tests that is long enough to be taken",
        settings_encryption_keys=("dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGU=",),
        database_url=database_url,
        redis_url=redis_url,
        portal_base_url="http://127.0.0.1:8000",
        yookassa_shop_id="100500",
        yookassa_secret_key="test_sandbox-secret-key",
        yookassa_api_url=f"{sandbox}/yookassa/v3",
        yookassa_webhook_networks=("127.0.0.0/8", "::1/128"),
        cloudpayments_public_id="test_api_00000000000000000000002",
        cloudpayments_api_secret="sandbox-api-secret",
        cloudpayments_test_mode=True,
        cloudpayments_api_url=f"{sandbox}/cloudpayments",
        cloudpayments_widget_url=f"{sandbox}/cloudpayments/bundles/cloudpayments.js",
        mail_sandbox_url=f"{sandbox}/mailbox",
        mail_from="desk@example.com",
        sandbox=True,
        sandbox_url=sandbox,
        clock_file=clock_file,
        log_format="plain",
        argon2_time_cost=1,
        argon2_memory_kib=8,
        rate_limits=False,
        gateway_timeouts=Timeouts(connect=2, read=2),
    )


@pytest.fixture(scope="session")
def built_app(portal_config: Config) -> Iterator[Flask]:
    """One application for this process."""
    app = create_app(portal_config)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each of some ten thousand requests
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False  # a fault must look to a test as it looks to a customer
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def slate(built_app: Flask) -> Iterator[Slate]:
    """Cleans this process's database."""
    cleaner = Slate(built_app)
    yield cleaner
    cleaner.close()


@pytest.fixture
def app(built_app: Flask, portal_config: Config, clock_file: Path, slate: Slate) -> Iterator[Flask]:
    """The application on a database that holds the five plans and nothing else."""
    clock.movable(clock_file)
    clock.reset()
    built_app.extensions["portal_config"] = portal_config
    slate.clean()
    with built_app.app_context():
        settings.forget()
    built_app.extensions["portal_queue"].connection.flushdb()
    yield built_app
    clock.reset()


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """The application with its context open, as a verb finds it."""
    with app.app_context():
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser inside the process."""
    return app.test_client()


@pytest.fixture
def sandbox(sandbox_server: LiveSandbox) -> Iterator[LiveSandbox]:
    """Empty gateways with every switch at its default, talking to nobody until a portal runs."""
    sandbox_server.world.reset()
    yield sandbox_server
    sandbox_server.world.reset()


@pytest.fixture(scope="session")
def portal_server(built_app: Flask, wire: Wire) -> Iterator[tuple[str, Door]]:
    """The application's address in this process; without :func:`desk` nobody asks it for anything."""
    door = Door(built_app)
    server = make_server("127.0.0.1", 0, door, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": SELDOM}).start()
    url = f"http://127.0.0.1:{server.server_port}"
    wire.inside[url] = door
    yield url, door
    door.wait_until_quiet()
    server.shutdown()
    server.server_close()


@pytest.fixture
def desk(
    app: Flask, sandbox: LiveSandbox, portal_config: Config, portal_server: tuple[str, Door]
) -> Iterator[Desk]:
    """A portal over real HTTP with the sandbox beyond the wire; the laws are checked at the end."""
    url, door = portal_server
    app.extensions["portal_config"] = replace(portal_config, portal_base_url=url)
    sandbox.world.settings.merge({"portal_url": url})
    yield Desk(url, app, sandbox, door)
    with app.app_context():
        broken = laws.violations(clock.now())
    assert not broken, broken


@pytest.fixture
def recurring(app: Flask, portal_config: Config) -> Iterator[None]:
    """BILLING_RECURRING_ENABLED=true; ask for it after ``desk``."""
    before = app.extensions["portal_config"]
    app.extensions["portal_config"] = replace(before, billing_recurring_enabled=True)
    yield
    app.extensions["portal_config"] = before


@pytest.fixture
def redis_connection(redis_url: str) -> Iterator[Redis]:
    """This process's Redis."""
    connection = Redis.from_url(redis_url)
    yield connection
    connection.close()


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    """``wait_until(condition, seconds=10)``: the first true value of what others bring about."""

    def wait(condition: Callable[[], Any], seconds: float = 10) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            threading.Event().wait(0.02)
        raise AssertionError("it did not happen in time")

    return wait


def a_user(email: str = "ira@example.com") -> User:
    """A customer's row, without the ceremony of registering."""
    user = User(email=email, password_hash="x", is_demo=False, created_at=clock.now())
    db.session.add(user)
    db.session.commit()
    return user

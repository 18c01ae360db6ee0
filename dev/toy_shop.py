"""A whole shop in one process, for stories that play months in seconds: portal, both gateways, people.

Everything goes over real HTTP and a real PostgreSQL; only passwords are cheap and the disk is not waited for.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import text
from werkzeug.serving import BaseWSGIServer, make_server

import config as portal_config
from dev.environment import Place, for_children
from dev.servers import Postgres, Redis
from portal import clock, create_app
from portal.billing import plans
from portal.database import db
from portal.sandbox.app import create_sandbox
from portal.sandbox.config import SandboxConfig
from portal.secrets import vault

PASSWORD = "three calm herons"  # noqa: S105 - of invented customers of a throw-away database
#: A card that both sandbox gateways accept without a 3-D Secure page.
CARD = "5555555555554444"
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)


class Surprise(AssertionError):
    """Something answered otherwise than the story needs."""


@dataclass
class Person:
    """A customer at the portal, over real HTTP, without a screen."""

    shop: ToyShop
    email: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        """Call itself what a browser does: pages show it to its owner."""
        self.session.headers["User-Agent"] = BROWSER

    def get(self, path: str) -> requests.Response:
        """Open a page."""
        return _well(self.session.get(self.shop.url + path, timeout=60))

    def send(self, path: str, **form: str) -> requests.Response:
        """Send a form, and follow where it leads within the portal."""
        return _well(self.session.post(self.shop.url + path, data={**self.token(), **form}, timeout=60))

    def call(self, path: str, **body: Any) -> Any:
        """Use the JSON API."""
        headers = {"X-CSRFToken": self.token()["csrf_token"]}
        return _well(self.session.post(self.shop.url + path, json=body, headers=headers, timeout=60)).json()

    def buy(self, plan: str, gateway: str, *, recurring: bool = True, card: str = CARD) -> None:
        """Order a plan and pay for it."""
        where = f"/billing/api/{gateway}/create_payment/"
        order = self.call(where, plan_code=plan, accept_recurring=recurring)
        self.shop.control("pay", gateway=gateway, transaction_id=order["transaction_id"], card=card)
        self.shop.settle()

    def transactions(self) -> list[Any]:
        """Everything that was ever paid or tried, newest first."""
        found: list[Any] = []
        for gateway in ("cloudpayments", "yookassa"):
            page = self.get(f"/billing/api/{gateway}/transactions/?limit=100").json()
            found += page["transactions"]
        return sorted(found, key=lambda one: str(one["created_at"]), reverse=True)

    def token(self) -> dict[str, str]:
        """The field that every form carries."""
        found = re.search(r'<meta name="csrf-token" content="([^"]+)"', self.get("/plans").text)
        if found is None:
            raise Surprise("a page without a CSRF token")
        return {"csrf_token": found[1]}


@dataclass
class ToyShop:
    """A running portal with both gateways beyond the wire."""

    app: Flask
    url: str
    sandbox_url: str

    def person(self, name: str) -> Person:
        """Somebody who has just registered."""
        someone = Person(self, f"{name}@example.com")
        someone.send("/register", email=someone.email, password=PASSWORD, accept_privacy="y")
        return someone

    def control(self, what: str, **words: Any) -> Any:
        """Use the sandbox's control API."""
        return _well(requests.post(f"{self.sandbox_url}/control/{what}", json=words, timeout=600)).json()

    def ledger(self) -> Any:
        """What the gateways hold true."""
        return _well(requests.get(f"{self.sandbox_url}/control/ledger", timeout=60)).json()

    def next_charges(self, email: str, outcome: str, **more: int) -> None:
        """How the next charges of the card that somebody's renewals use will end."""
        query = (
            "SELECT m.token, m.gateway FROM payment_methods m JOIN users u ON u.id = m.user_id"
            " WHERE u.email = :email AND m.detached_at IS NULL ORDER BY m.preferred_at DESC LIMIT 1"
        )
        with self.app.app_context(), db.engine.connect() as connection:
            row = connection.execute(text(query), {"email": email}).one()
            token = vault().open(bytes(row.token)).decode()
        key = "token" if row.gateway == "cloudpayments" else "payment_method_id"
        self.control("cards", **{key: token, "outcome": outcome, **more})

    def no_more_faults(self) -> None:
        """Let the gateways answer well again."""
        _well(requests.delete(f"{self.sandbox_url}/control/faults", timeout=60))

    def to(self, moment: datetime) -> None:
        """Let time pass on both sides until *moment*, with all that falls due on the way."""
        told = self.control("clock", to=moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        if told["portal"] != "moved":
            raise Surprise(f"the portal did not move along: {told}")

    def settle(self) -> None:
        """Let everything happen that follows from what was just done."""
        self.control("clock", advance="30s")


@contextmanager
def open_shop() -> Iterator[ToyShop]:
    """A shop that exists inside this block and leaves nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="portal-year-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user and has to walk through
    postgres, redis = Postgres(folder / "postgres", durable=False), Redis(folder / "redis", durable=False)
    servers: list[BaseWSGIServer] = []
    try:
        postgres.start()
        redis.start()
        yield _open(folder, postgres.url("postgres"), redis.url(), servers)
    finally:
        for server in servers:
            server.shutdown()
        for one in (redis, postgres):
            one.stop()
            one.remove()
        shutil.rmtree(folder, ignore_errors=True)
        clock.reset()


def _open(folder: Path, database_url: str, redis_url: str, servers: list[BaseWSGIServer]) -> ToyShop:
    sandbox = create_sandbox(SandboxConfig())
    sandbox.extensions["sandbox"].start()
    sandbox_url = _serve(sandbox, servers)
    place = Place(folder, 8000, 8001, 1, "", "")
    told = for_children(place, {}, database_url=database_url, redis_url=redis_url)
    told = {name: value.replace(place.sandbox_url, sandbox_url) for name, value in told.items()}
    settings = portal_config.load({**told, "BILLING_RECURRING_ENABLED": "true"})
    app = create_app(replace(settings, argon2_time_cost=1, argon2_memory_kib=8, rate_limits=False))
    with app.app_context():
        upgrade()
        plans.create_extended(clock.now())
    url = _serve(app, servers)
    app.extensions["portal_config"] = replace(app.extensions["portal_config"], portal_base_url=url)
    shop = ToyShop(app, url, sandbox_url)
    shop.control("settings", portal_url=url)
    return shop


def _serve(app: Flask, servers: list[BaseWSGIServer]) -> str:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    servers.append(server)
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()
    return f"http://127.0.0.1:{server.server_port}"


def _well(answer: requests.Response) -> requests.Response:
    """An answer that is no error."""
    if not answer.ok:
        raise Surprise(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:500]}")
    return answer

"""One order at one till: written by the portal's checkout, told about by whoever claims to be a gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from flask import Flask
from sqlalchemy import text

from portal import clock
from portal.billing import checkout, sweep
from portal.billing.consents import ClientInfo
from portal.database import db
from portal.models import User
from tests import laws
from tests.stories import cloudpayments_bodies as bodies

CLOUDPAYMENTS = "/billing/webhook/cloudpayments/"
YOOKASSA = "/billing/webhook/yookassa/"
BROWSER = ClientInfo("198.51.100.7", "a browser of the tests")


@dataclass(frozen=True)
class Answer:
    """What a gateway gets back."""

    status: int
    body: bytes
    json: Any

    @property
    def code(self) -> object:
        """CloudPayments' word: 0 means taken, anything else means come again."""
        return self.json.get("code") if isinstance(self.json, dict) else None


@dataclass(frozen=True)
class State:
    """All that a notification may move."""

    status: str
    periods: int = 0
    refunded: str = "0.00"
    cases: tuple[str, ...] = ()
    inbox: tuple[str, ...] = ()

    @property
    def moved(self) -> tuple[str, int, str]:
        """Where the money and the plan are, whatever was written beside."""
        return self.status, self.periods, self.refunded


#: How a till posts: method, path, body, headers -> status, body, JSON or ``None``.
Post = Callable[[str, str, bytes, dict[str, str]], Answer]


def over_http(url: str) -> Post:
    """Post through a real socket, address and headers exactly as given (requests would tidy them up)."""

    def post(method: str, path: str, raw: bytes, headers: dict[str, str]) -> Answer:
        connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path, raw, headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        is_json = (answer.getheader("Content-Type") or "").startswith("application/json")
        return Answer(answer.status, body, json.loads(body) if is_json else None)

    return post


def in_process(app: Flask) -> Post:
    """Post without a socket, for stories of thousands of notifications."""
    client = app.test_client(use_cookies=False)

    def post(method: str, path: str, raw: bytes, headers: dict[str, str]) -> Answer:
        answer = client.open(path, method=method, data=raw, headers=headers)
        return Answer(answer.status_code, answer.data, answer.get_json(silent=True))

    return post


STATE = text(
    "SELECT p.status, p.refunded_amount,"
    " (SELECT count(*) FROM purchased_plans x WHERE x.payment_id = p.id AND x.revoked_at IS NULL),"
    " (SELECT coalesce(json_agg(kind ORDER BY id), '[]') FROM cases),"
    " (SELECT coalesce(json_agg(kind || ' ' || status ORDER BY id), '[]') FROM webhook_events)"
    " FROM payments p WHERE p.transaction_id = :id"
)


@dataclass
class Till:
    """An order that waits for its money."""

    app: Flask
    post: Post
    gateway: str
    transaction_id: str
    account: str

    def fields(self, kind: str, **changes: str | None) -> dict[str, str]:
        """A notification of *kind* about this order as CloudPayments would word it, with *changes*."""
        own: dict[str, str | None] = {"AccountId": self.account, "InvoiceId": self.transaction_id}
        if kind != "recurrent":
            own["Amount"] = "990.00"
        if kind in {"check", "pay", "pay-authorized", "fail", "confirm"}:
            own |= {"TestMode": "1", "PaymentAmount": "990.00"}
        if kind == "recurrent":
            own.pop("InvoiceId")
        return bodies.fields(kind, **own | changes)

    def tell(self, kind: str, *, to: str | None = None, **changes: str | None) -> Answer:
        """Deliver a signed notification to its own address, or *to* another (``""``: the single one)."""
        address = kind.partition("-")[0] if to is None else to
        return self.deliver(bodies.form(self.fields(kind, **changes)), to=address)

    def deliver(
        self, raw: bytes, *, to: str = "", content_type: str = bodies.FORM, **headers: str | None
    ) -> Answer:
        """Deliver these bytes; signed with the shop's secret unless *headers* say otherwise."""
        sent = {"Content-HMAC": bodies.content_hmac(raw), "Content-Type": content_type}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        said = {name: value for name, value in (sent | given).items() if value is not None}
        return self.post("POST", f"{CLOUDPAYMENTS}{to}{'/' if to else ''}", raw, said)

    def state(self) -> State:
        """Where this order stands, by a connection of its own; cases and inbox are the whole portal's."""
        with self.app.app_context(), db.engine.connect() as connection:
            paid = connection.execute(STATE, {"id": self.transaction_id}).one()
            return State(paid[0], paid[2], str(paid[1]), tuple(paid[3]), tuple(paid[4]))

    def sweep(self) -> None:
        """Let the scheduler look once, at the portal's present time."""
        with self.app.app_context():
            sweep.sweep_until_quiet(clock.now())

    def violations(self) -> list[str]:
        """Names of the laws that the data breaks."""
        with self.app.app_context():
            return [found.invariant.name for found in laws.violations(clock.now())]


def open_till(
    app: Flask,
    post: Post,
    *,
    gateway: str = "cloudpayments",
    plan: str = "PRO_MONTHLY",
    email: str = "ira@example.com",
    recurring: bool = False,
) -> Till:
    """An order of a customer, who is made when there is none with this address."""
    with app.app_context():
        user = db.session.query(User).filter_by(email=email).one_or_none()
        if user is None:
            user = User(email=email, password_hash="x", created_at=clock.now())
            db.session.add(user)
            db.session.commit()
        order = checkout.start(
            user, plan, gateway, accept_recurring=recurring, client=BROWSER, now=clock.now()
        )
        return Till(app, post, gateway, order.payment.transaction_id, user.public_id)

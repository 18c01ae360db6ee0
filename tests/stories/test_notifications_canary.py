"""Canaries: secrets that pass through a whole story and must be found nowhere but where they belong."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from portal import clock, logs
from portal.billing import settings, settlement
from portal.database import Base, db
from portal.gateways.base import PaymentSnapshot
from portal.models import PaymentMethod
from tests.desk import PASSWORD, Browser, Desk
from tests.stories import cloudpayments_bodies as bodies
from tests.stories.test_notifications_yookassa import bell, ring
from tests.stories.till import Till, over_http

Tills = Callable[..., Till]

CARD, DECLINED = "4242424242424242", "4444444444444444"
TOKEN = "tk_canary0123456789abcdef0123456"
STRANGER = "tk_stranger23456789abcdef0123456"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that production's log would hold, from every thread."""
    root, paper = logging.getLogger(), io.StringIO()
    before = list(root.handlers)
    logs.configure("json")
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(paper)
    yield paper
    root.handlers = before


def dump(desk: Desk) -> str:
    """Every row of every table as text, and all that lies in Redis."""
    with desk.app.app_context(), db.engine.connect() as connection:
        rows = [
            str(row)
            for table in Base.metadata.sorted_tables
            for row in connection.execute(text(f'SELECT t::text FROM "{table.name}" t')).scalars()  # noqa: S608
        ]
    redis = desk.app.extensions["portal_queue"].connection
    for key in redis.keys("*"):
        kind = redis.type(key)
        values = {b"hash": redis.hgetall, b"string": redis.get}.get(kind, lambda _: b"")(key)
        rows.append(f"{key!r} {values!r}")
    return "\n".join(rows)


def spellings(secret: str) -> tuple[str, ...]:
    """How a secret could stand in a dump: as it is, in hex (bytea) or in base64."""
    return (secret, secret.encode().hex(), base64.b64encode(secret.encode()).decode().rstrip("="))


def test_no_secret_is_found_where_it_does_not_belong(
    desk: Desk, recurring: None, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After purchases with saved cards, refusals, refunds, faults and forgeries at both gateways no log line,
    no column and no key in Redis holds a card number, a token, a secret, a password or a session.
    """
    ira = leave_traces(desk, monkeypatch)

    everything, lines = dump(desk), log.getvalue()
    assert "Payment succeeded" in lines
    assert "Create payment error" in lines
    assert "could not be carried out" in lines
    for canary in canaries(desk, ira):
        for spelling in spellings(canary):
            assert spelling not in lines
            assert spelling not in everything
    # What is kept can be used: the consented tokens open, and nobody else's is kept.
    with desk.app.app_context():
        kept = {method.token.decode() for method in db.session.query(PaymentMethod) if method.token}
    assert TOKEN in kept
    assert STRANGER not in kept


def leave_traces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Everything that a secret passes through on a busy day; the customer whose day it was."""
    with desk.app.app_context():
        settings.put("cloudpayments_api_secret", bodies.SECRET, clock.now())
        settings.put("yookassa_secret_key", "test_sandbox-secret-key", clock.now())
    ira = desk.customer()

    # A saved card at CloudPayments: first declined, then paid, then some of it sent back.
    cp = ira.order("cloudpayments", recurring=True)
    desk.sandbox.pay("cloudpayments", cp["transaction_id"], DECLINED)
    desk.sandbox.pay("cloudpayments", cp["transaction_id"], CARD)
    desk.settle()
    desk.sandbox.control(
        "refund", gateway="cloudpayments", transaction_id=cp["transaction_id"], amount="1.00"
    )
    # One at YooKassa.
    yk = ira.order("yookassa", plan="START_MONTHLY", recurring=True)
    desk.sandbox.pay("yookassa", yk["transaction_id"], "5555555555554477")
    desk.settle()
    ira.get(f"/billing/payment/{yk['transaction_id']}/return")
    # Notifications of a test's own: tokens with and without consent, forged, unreadable, and a fault of ours.
    agreed = _till(desk, ira.order("cloudpayments", plan="BUSINESS_MONTHLY", recurring=True))
    agreed.tell("pay", TransactionId="91", Amount="2990.00", Token=TOKEN)
    refused = _till(desk, ira.order("cloudpayments", plan="PRO_YEARLY"))
    refused.tell("pay", TransactionId="92", Amount="9900.00", Token=STRANGER)
    refused.tell("fail", TransactionId="93", Token=STRANGER)
    refused.deliver(bodies.form(refused.fields("pay", Token=STRANGER)), Content_HMAC="forged")
    refused.deliver(bodies.form(refused.fields("pay", Token=STRANGER)) + b"&Token=" + STRANGER.encode())
    with monkeypatch.context() as broken:
        broken.setattr(settlement, "settle", _fail_loudly)
        refused.tell("pay", TransactionId="94", Amount="9900.00", Token=STRANGER)
    ring(refused, bell("payment.succeeded", "x", payment_method={"id": TOKEN}))
    # Gateways in trouble.
    for gateway, operation in (("yookassa", "create_payment"), ("cloudpayments", "*")):
        desk.sandbox.control("faults", gateway=gateway, operation=operation, fault="garbage_502", times=2)
    ira.call("/billing/api/yookassa/create_payment/", {"plan_code": "BUSINESS_YEARLY"})
    desk.sweep()
    desk.settle()
    # The wrong password, and the right one.
    for password in ("canary-password-that-is-wrong", PASSWORD):
        requests.post(
            f"{desk.url}/login", data={"email": "ira@example.com", "password": password}, timeout=10
        )
    return ira


def canaries(desk: Desk, ira: Browser) -> tuple[str, ...]:
    """Every secret of that day."""
    tokens = [method["token"] for method in desk.sandbox.ledger()["methods"] if method.get("token")]
    session_cookies = [cookie.value or "" for cookie in ira.session.cookies]
    assert tokens
    assert session_cookies
    config = desk.app.extensions["portal_config"]
    return (
        *(CARD, DECLINED, "5555555555554477", TOKEN, STRANGER, *tokens, *session_cookies),
        *(bodies.SECRET, "test_sandbox-secret-key", config.secret_key, *config.settings_encryption_keys),
        *(PASSWORD, "canary-password-that-is-wrong"),
    )


def test_no_line_holds_a_whole_notification(
    till: Tills, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when carrying it out fails inside the database is a body written to the log."""
    order = till()

    def breaks(session: Session, payment: Row[Any], told: PaymentSnapshot, _now: object) -> None:
        session.execute(text("SELECT CAST(:said AS integer)"), {"said": repr(told) + str(told.saved_method)})

    with monkeypatch.context() as broken:
        broken.setattr(settlement, "settle", breaks)
        assert order.tell("pay", Name="CANARY CARDHOLDER", Token=TOKEN).code == 0
    assert "could not be carried out" in log.getvalue()
    assert "CANARY" not in log.getvalue()
    assert TOKEN not in log.getvalue()


def _till(desk: Desk, order: dict[str, str]) -> Till:
    with desk.app.app_context():
        account = db.session.execute(text("SELECT public_id FROM users")).scalar_one()
    return Till(desk.app, over_http(desk.url), "cloudpayments", order["transaction_id"], account)


def _fail_loudly(_session: object, _payment: object, told: object, *_: object) -> None:
    """A fault whose exception quotes all that it was given."""
    raise ValueError(f"cannot settle {told!r}")

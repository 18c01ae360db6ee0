"""YooKassa's notifications are only a doorbell: the object is read back, and what is read is judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import text

from config import Config
from portal import clock, create_app
from portal.database import db
from tests.desk import Desk
from tests.stories.till import YOOKASSA, Answer, State, Till

Tills = Callable[..., Till]

PENDING = State("pending")
NOBODYS = "22e18a2f-000f-5000-a000-1db6312b7767"


def bell(event: str, object_id: str, **more: Any) -> bytes:
    """A notification as YooKassa words it; only event and id matter."""
    told = {"id": object_id, "status": event.partition(".")[2], "paid": True, **more}
    return json.dumps({"type": "notification", "event": event, "object": told}).encode()


def ring(order: Till, raw: bytes, **headers: str) -> Answer:
    """Deliver these bytes."""
    return order.post("POST", YOOKASSA, raw, {"Content-Type": "application/json", **headers})


@pytest.fixture
def paid(desk: Desk, till: Tills) -> tuple[Till, str]:
    """An order that is paid at YooKassa and has not been told about yet; and YooKassa's id of it."""
    desk.sandbox.control("settings", webhooks="drop")
    order = till(gateway="yookassa")
    return order, str(desk.sandbox.pay("yookassa", order.transaction_id)["id"])


def amend(desk: Desk, payment_id: str, **changes: Any) -> None:
    """Let YooKassa hold something else true about a payment."""
    store = desk.sandbox.world.store
    doc = store.get("yookassa_payment", payment_id)
    assert doc is not None
    doc["object"] |= changes
    store.put("yookassa_payment", payment_id, doc)


def test_a_bell_is_answered_empty_and_carried_out_by_a_worker(desk: Desk, paid: tuple[Till, str]) -> None:
    """The answer is an empty 200 once the row is kept; nothing is believed before the worker has read it."""
    order, theirs = paid
    answer = ring(order, bell("payment.succeeded", theirs))
    assert (answer.status, answer.body) == (200, b"")
    assert order.state() == State("pending", inbox=("payment.succeeded received",))

    desk.work()

    assert order.state() == State("succeeded", 1, inbox=("payment.succeeded handled",))


def test_any_event_about_a_payment_is_the_same_question(desk: Desk, paid: tuple[Till, str]) -> None:
    """Whatever the bodies claim, out of order and doubled: the payment is what the API says."""
    order, theirs = paid
    for event in ("payment.canceled", "payment.waiting_for_capture", "payment.succeeded", "payment.canceled"):
        assert ring(order, bell(event, theirs)).status == 200
        desk.work()
    assert order.state().moved == ("succeeded", 1, "0.00")


def test_a_claimed_success_of_an_unpaid_order(desk: Desk, till: Tills) -> None:
    """payment.succeeded about a payment that still waits gives nothing; nor does a lie about its sum."""
    order = till(gateway="yookassa")
    theirs = desk.sandbox.ledger()["payments"][-1]["id"]
    ring(order, bell("payment.succeeded", theirs, amount={"value": "990.00", "currency": "RUB"}))
    desk.work()
    assert order.state() == State("pending", inbox=("payment.succeeded handled",))


@pytest.mark.parametrize(
    ("changes", "case"),
    (
        ({"amount": {"value": "989.99", "currency": "RUB"}}, "amount_mismatch"),
        ({"amount": {"value": "990.01", "currency": "RUB"}}, "amount_mismatch"),
        ({"amount": {"value": "990.00", "currency": "KZT"}}, "currency_mismatch"),
        ({"recipient": {"account_id": "100501", "gateway_id": "1"}}, "shop_mismatch"),
        ({"test": False}, "test_mode_mismatch"),
        ({"metadata": {"payment_id": "no-such-order"}}, "unknown_payment"),
        ({"metadata": {}}, "unknown_payment"),
    ),
)
def test_what_does_not_fit_becomes_a_case(
    desk: Desk, paid: tuple[Till, str], changes: dict[str, Any], case: str
) -> None:
    """A success with another sum, currency, shop, mode or order is a case, once, and gives nothing."""
    order, theirs = paid
    amend(desk, theirs, **changes)

    for event in ("payment.succeeded", "payment.waiting_for_capture"):
        assert ring(order, bell(event, theirs)).status == 200
        desk.work()

    assert order.state() == State(
        "pending",
        cases=(case,),
        inbox=("payment.succeeded case", "payment.waiting_for_capture case"),
    )


def test_another_customers_account(desk: Desk, paid: tuple[Till, str]) -> None:
    """metadata.user_id must be the order's customer."""
    order, theirs = paid
    amend(desk, theirs, metadata={"payment_id": order.transaction_id, "user_id": "somebody-else"})
    ring(order, bell("payment.succeeded", theirs))
    desk.work()
    assert order.state().cases == ("account_mismatch",)
    assert order.state().moved == ("pending", 0, "0.00")


def test_an_order_at_cloudpayments_told_about_by_yookassa(
    desk: Desk, paid: tuple[Till, str], till: Tills
) -> None:
    """YooKassa's money for an order that is to be paid at CloudPayments is a case."""
    yookassas, theirs = paid
    order = till(plan="START_MONTHLY")
    amend(desk, theirs, metadata={"payment_id": order.transaction_id})
    ring(yookassas, bell("payment.succeeded", theirs))
    desk.work()
    assert order.state().cases == ("gateway_mismatch",)
    assert order.state().moved == ("pending", 0, "0.00")


def test_an_id_that_yookassa_does_not_know(desk: Desk, till: Tills) -> None:
    """An id of nobody's, or of another shop's payment, which our key cannot read: asked about, ignored."""
    order = till(gateway="yookassa")
    events = ("payment.succeeded", "refund.succeeded", "payment_method.active", "payout.succeeded")
    for event in events:
        assert ring(order, bell(event, NOBODYS, payment_id=NOBODYS)).status == 200
    desk.work()
    assert order.state() == State("pending", inbox=tuple(f"{event} ignored" for event in events))


def test_an_event_about_another_kind_of_object(desk: Desk, paid: tuple[Till, str]) -> None:
    """refund.succeeded with a payment's id, or a method's, finds no such refund and books nothing."""
    order, theirs = paid
    ring(order, bell("refund.succeeded", theirs, payment_id=theirs))
    ring(order, bell("payment_method.active", theirs))
    desk.work()
    assert order.state() == State(
        "pending", inbox=("refund.succeeded ignored", "payment_method.active ignored")
    )


NO_IDS = (
    "../../v3/payments",
    "..%2f..%2fme",
    f"{NOBODYS}/capture",
    f"{NOBODYS}?x=1",
    f"{NOBODYS}\n",
    NOBODYS.upper(),
    "",
    "1",
    "x" * 10_000,
    "22e18a2f-000f-5000-a000-1db6312b776７",
)


def test_an_id_that_does_not_fit_in_an_address(desk: Desk, till: Tills) -> None:
    """What is no id never gets into a request: answered 200 (no repeat would help), kept as ignored."""
    order = till(gateway="yookassa")
    requests_before = desk.sandbox.ledger()
    for number, object_id in enumerate(NO_IDS, start=1):
        for event in ("payment.succeeded", "refund.succeeded"):
            assert ring(order, bell(event, object_id, payment_id=NOBODYS)).status == 200, object_id
        assert order.state() == State("pending", inbox=("unreadable ignored",) * 2 * number), object_id
    desk.work()
    assert desk.sandbox.ledger() == requests_before


UNREADABLE = (
    b"",
    b"{",
    b"[]",
    b"17",
    b"null",
    b"\xff\xfe",
    b'{"event": "payment.succeeded"}',
    b'{"event": 1, "object": {"id": "x"}}',
    b'{"type": "other", "event": "payment.succeeded", "object": {"id": "' + NOBODYS.encode() + b'"}}',
    b'{"event": "payment.succeeded", "object": {"id": NaN}}',
    b'{"event": "payment.succeeded", "event": "x.y", "object": {"id": "' + NOBODYS.encode() + b'"}}',
    b'{"a":' * 20_000,
    b"event=payment.succeeded",
)


def test_a_bell_that_cannot_be_read(till: Tills) -> None:
    """Nonsense from YooKassa's network is answered 200, kept once as ignored, and moves nothing."""
    order = till(gateway="yookassa")
    for number, raw in enumerate(UNREADABLE, start=1):
        assert [ring(order, raw).status for _ in range(2)] == [200, 200], raw[:80]
        assert order.state() == State("pending", inbox=("unreadable ignored",) * number), raw[:80]


def test_ten_megabytes(till: Tills) -> None:
    """Ten megabytes are refused before they are read."""
    order = till(gateway="yookassa")
    body = bell("payment.succeeded", NOBODYS, junk="x" * 10_000_000)
    with suppress(ConnectionError):  # the server may hang up before it has been sent all of it
        assert ring(order, body).status == 413
    assert order.state() == PENDING


@pytest.mark.parametrize("part", (None, "400.00"))
def test_a_refund_from_the_cabinet(desk: Desk, paid: tuple[Till, str], part: str | None) -> None:
    """A refund made at YooKassa is found by its bell and booked once; of the whole sum, the plan ends."""
    order, theirs = paid
    ring(order, bell("payment.succeeded", theirs))
    desk.work()
    refund = desk.sandbox.control(
        "refund", gateway="yookassa", transaction_id=theirs, **({"amount": part} if part else {})
    )

    for claimed in ("1.00", "990.00"):
        told = bell("refund.succeeded", refund["id"], payment_id=theirs, amount={"value": claimed})
        assert ring(order, told).status == 200
        desk.work()

    assert order.state().moved == ("succeeded", 1 if part else 0, part or "990.00")


def test_a_refund_before_its_payment_waits_for_it(desk: Desk, paid: tuple[Till, str]) -> None:
    """refund.succeeded that overtakes payment.succeeded is carried out after it."""
    order, theirs = paid
    refund = desk.sandbox.control("refund", gateway="yookassa", transaction_id=theirs)
    ring(order, bell("refund.succeeded", refund["id"], payment_id=theirs))
    desk.work()
    assert order.state() == State("pending", inbox=("refund.succeeded received",))

    ring(order, bell("payment.succeeded", theirs))
    desk.work()

    assert order.state().moved == ("succeeded", 0, "990.00")


def test_money_that_is_no_order_of_ours(desk: Desk, till: Tills) -> None:
    """A payment made with our key by somebody else's program, and its refund, are cases for the operator."""
    desk.sandbox.control("settings", webhooks="drop")
    order = till(gateway="yookassa")
    config: Config = desk.app.extensions["portal_config"]
    foreign = requests.post(
        f"{config.yookassa_api_url}/payments",
        json={
            "amount": {"value": "5.00", "currency": "RUB"},
            "capture": True,
            "confirmation": {"type": "redirect", "return_url": "http://127.0.0.1:8000/"},
        },
        auth=(config.yookassa_shop_id, config.yookassa_secret_key),
        headers={"Idempotence-Key": "of another program"},
        timeout=10,
    ).json()["id"]
    desk.sandbox.pay("yookassa", foreign)

    ring(order, bell("payment.succeeded", foreign))
    desk.work()

    assert order.state() == State("pending", cases=("unknown_payment",), inbox=("payment.succeeded case",))


@pytest.fixture
def proxied(app: Flask, portal_config: Config) -> Iterator[Flask]:
    """The portal behind one proxy of ours, with YooKassa's documented networks."""
    behind = create_app(replace(portal_config, trusted_proxies=1, yookassa_webhook_networks=None))
    yield behind
    with behind.app_context():
        db.engine.dispose()


HOPS = {
    "185.71.76.1": 200,
    "6.6.6.6, 185.71.77.31": 200,
    "::ffff:185.71.76.1": 200,
    "2a02:5180:0:1::1": 200,
    "185.71.76.32": 403,
    "185.71.76.1, 6.6.6.6": 403,
    "nonsense": 403,
    "": 403,
    None: 403,
}


def test_only_the_trusted_hop_says_where_a_bell_comes_from(proxied: Flask) -> None:
    """Behind a proxy the address that the proxy itself saw counts, and no other that a sender may add."""
    for forwarded, status in HOPS.items():
        answer = proxied.test_client().post(
            YOOKASSA,
            data=bell("payment.succeeded", NOBODYS),
            headers={} if forwarded is None else {"X-Forwarded-For": forwarded},
            environ_overrides={"REMOTE_ADDR": "10.0.0.2"},
        )
        assert answer.status_code == status, forwarded


def test_the_time_of_the_bell_is_the_portals(desk: Desk, paid: tuple[Till, str]) -> None:
    """captured_at is YooKassa's word; the plan begins at our own moment, so it never begins in the past."""
    order, theirs = paid
    amend(desk, theirs, captured_at="2001-01-01T00:00:00.000Z")
    before = clock.now()
    ring(order, bell("payment.succeeded", theirs))
    desk.work()
    with desk.app.app_context():
        assert db.session.execute(text("SELECT starts_at FROM purchased_plans")).scalar_one() >= before

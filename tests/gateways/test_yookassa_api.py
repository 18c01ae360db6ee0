from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from portal.gateways.base import (
    BillingMode,
    BindingOrder,
    GatewayRejected,
    GatewayUnknown,
    Outcome,
)
from portal.gateways.wire import NotAnId
from tests.gateways.stage import MOMENT, an_order, answer
from tests.gateways.yookassa_stage import (
    ID,
    OTHER_ID,
    Start,
    a_gateway,
    a_page,
    a_payload,
    a_payment,
)


def test_start_creates_the_payment_under_its_own_key(start_server: Start) -> None:
    """The transaction id is the idempotence key, and the answer is the page and the state of the payment."""
    server = start_server(answer(200, a_payload("pending")))
    order = an_order()

    step = a_gateway(server).start(order)

    assert server.seen[0].headers["idempotence-key"] == order.transaction_id
    assert server.seen[0].json["metadata"]["payment_id"] == order.transaction_id
    assert step.confirmation_url == f"https://yoomoney.ru/checkout/payments/v2/contract?orderId={OTHER_ID}"
    assert step.widget is None
    assert step.snapshot is not None
    assert step.snapshot.outcome is Outcome.PENDING
    assert step.snapshot.gateway_payment_id == OTHER_ID
    assert step.snapshot.test is True
    assert step.snapshot.shop == "1237378"


def test_start_of_an_order_whose_payment_is_known_creates_no_other(start_server: Start) -> None:
    """After 24 hours the key is forgotten, so a known payment is read and not created again."""
    server = start_server(answer(200, a_payload("pending")))

    step = a_gateway(server).start(an_order(gateway_payment_id=OTHER_ID))

    assert [request.method for request in server.seen] == ["GET"]
    assert step.confirmation_url is not None


def test_start_of_a_paid_order_tells_that_it_is_paid(start_server: Start) -> None:
    """A repeat after success has no page and says so."""
    step = a_gateway(start_server(answer(200, a_payload("succeeded")))).start(an_order())

    assert step.confirmation_url is None
    assert step.snapshot is not None
    assert step.snapshot.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "confirmation", (None, {}, {"confirmation_url": "https://evil.example/"}, {"confirmation_url": 1}, "text")
)
def test_nobody_is_sent_to_a_page_that_is_not_yookassas(confirmation: Any, start_server: Start) -> None:
    """A pending payment without a page of YooKassa's own is no usable answer."""
    server = start_server(answer(200, a_payload("pending") | {"confirmation": confirmation}))

    with pytest.raises(GatewayUnknown):
        a_gateway(server).start(an_order())


def test_a_declined_autopayment_is_a_failed_snapshot_not_an_error(start_server: Start) -> None:
    """HTTP 200 with status canceled carries the reason; the code of tomorrow is kept as it is."""
    told = a_payload("autopayment-declined")
    server = start_server(
        answer(200, told), answer(200, told | {"cancellation_details": {"reason": "brand_new"}})
    )
    gateway, order = a_gateway(server), an_order(billing_mode=BillingMode.RECURRING, save_method=True)

    first, second = gateway.charge_saved(order, ID), gateway.charge_saved(order, ID)

    assert (first.outcome, first.failure_code) == (Outcome.FAILED, "permission_revoked")
    assert second.failure_code == "brand_new"
    assert server.seen[0].json["payment_method_id"] == ID
    assert "confirmation" not in server.seen[0].json
    assert server.seen[0].headers["idempotence-key"] == order.transaction_id
    assert server.seen[0].body == server.seen[1].body


@pytest.mark.parametrize("text", ("../me?x=1#", "", ID + "/capture", ID.upper(), ID + "\n", "x" * 36))
def test_only_an_id_enters_a_url(text: str, start_server: Start) -> None:
    """Other text raises NotAnId, which is a ValueError and a refusal, and nothing is sent."""
    server = start_server(answer(200, a_payment()))
    gateway = a_gateway(server)

    for ask in (gateway.fetch_by_id, gateway.fetch_refund, gateway.fetch_binding):
        with pytest.raises(NotAnId):
            ask(text)
    with pytest.raises(ValueError, match=r".") as caught:
        gateway.refund("key", text, Decimal("1.00"), "RUB", "")
    assert isinstance(caught.value, GatewayRejected)
    assert server.seen == []


def test_an_unknown_payment_is_none_in_both_spellings_of_the_api(start_server: Start) -> None:
    """404 by the handbook, 400 about payment_id as it was seen; any other refusal is no answer."""
    error = {"type": "error", "code": "not_found", "description": "Payment not found or forbidden"}
    about_id = {
        "type": "error",
        "code": "invalid_request",
        "description": "Incorrect payment_id. Payment doesn't exist or access denied",
    }
    server = start_server(
        answer(404, error),
        answer(400, about_id),
        answer(400, about_id | {"parameter": "payment_id", "description": "No"}),
        answer(400, {"type": "error", "code": "invalid_request", "description": "No"}),
        answer(401, a_payload("error-credentials")),
    )
    gateway = a_gateway(server)

    assert [gateway.fetch_by_id(ID) for _ in range(3)] == [None, None, None]
    for _ in range(2):
        with pytest.raises(GatewayRejected):
            gateway.fetch_by_id(ID)


def test_a_payment_without_a_known_id_is_found_by_our_reference(start_server: Start) -> None:
    """The list around the order's creation is read page by page until the end."""
    order = an_order()
    server = start_server(
        a_page(a_payment("another"), cursor="next one"),
        a_page(a_payment("yet another"), a_payment(order.transaction_id, id=OTHER_ID)),
    )

    snapshot = a_gateway(server).fetch(order)

    assert snapshot is not None
    assert snapshot.gateway_payment_id == OTHER_ID
    first, second = (parse_qs(urlsplit(request.target).query) for request in server.seen)
    assert first["limit"] == ["100"]
    assert first["created_at.gte"] == ["2026-11-22T09:45:00.000Z"]
    assert first["created_at.lte"] == ["2026-11-23T10:15:00.000Z"]
    assert "cursor" not in first
    assert second == first | {"cursor": ["next one"]}


def test_of_several_payments_with_our_reference_the_one_with_the_money_counts(start_server: Start) -> None:
    """A refused attempt listed before or after does not hide a success."""
    order = an_order()
    mine = [
        a_payment(order.transaction_id, status=status, id=f"{n}2e18a2f-000f-5000-a000-1db6312b7767")
        for n, status in enumerate(["canceled", "succeeded", "pending"])
    ]

    snapshot = a_gateway(start_server(a_page(*mine))).fetch(order)

    assert snapshot is not None
    assert snapshot.outcome is Outcome.SUCCEEDED


def test_a_payment_that_is_nowhere_is_none(start_server: Start) -> None:
    """Only a whole list without it says that there is none."""
    assert a_gateway(start_server(a_page(a_payment("another")))).fetch(an_order()) is None


@pytest.mark.parametrize(
    "moves",
    (
        (a_page(a_payment("another"), cursor="1"), answer(500)),
        (a_page(a_payment("another"), cursor="1"), a_page(a_payment("another"), cursor="1")),
        (answer(200, {"type": "list"}),),
        (answer(200, {"items": [1]}),),
        (a_page({"id": "x"}),),
    ),
)
def test_half_a_list_does_not_say_that_there_is_none(moves: tuple[bytes, ...], start_server: Start) -> None:
    """A list that breaks off, repeats itself or cannot be read leaves the payment unknown."""
    with pytest.raises(GatewayUnknown):
        a_gateway(start_server(*moves)).fetch(an_order())


def test_a_refund_carries_its_own_key_and_a_short_reason(start_server: Start) -> None:
    """The amount is exact and the description at most what the API takes."""
    server = start_server(answer(200, a_payload("refund")))

    snapshot = a_gateway(server).refund("refund-key", ID, Decimal("2.00"), "RUB", "р" * 300)

    assert server.seen[0].headers["idempotence-key"] == "refund-key"
    assert server.seen[0].json == {
        "payment_id": ID,
        "amount": {"value": "2.00", "currency": "RUB"},
        "description": "р" * 250,
    }
    assert snapshot.gateway_refund_id == "216749f7-0016-50be-b000-078d43a63ae4"
    assert snapshot.gateway_payment_id == "21740069-000f-50be-b000-0486ffbf45b0"
    assert (snapshot.outcome, snapshot.amount) == (Outcome.SUCCEEDED, Decimal("2.00"))


@pytest.mark.parametrize(("status", "outcome"), (("pending", Outcome.PENDING), ("canceled", Outcome.FAILED)))
def test_a_refund_is_asked_about_until_it_is_final(
    status: str, outcome: Outcome, start_server: Start
) -> None:
    """A failed refund sends no event, so its state and reason are read."""
    told = a_payload("refund") | {"status": status, "cancellation_details": {"reason": "rejected_by_payee"}}

    snapshot = a_gateway(start_server(answer(200, told))).fetch_refund("216749f7-0016-50be-b000-078d43a63ae4")

    assert snapshot is not None
    assert snapshot.outcome is outcome
    assert snapshot.failure_code == ("rejected_by_payee" if outcome is Outcome.FAILED else None)


def test_refunds_made_in_the_profile_are_listed(start_server: Start) -> None:
    """Reconciliation sees refunds that we never asked for."""
    server = start_server(a_page(a_payload("refund")))

    refunds = list(a_gateway(server).list_refunds(MOMENT - timedelta(days=1), MOMENT))

    assert [refund.amount for refund in refunds] == [Decimal("2.00")]
    assert urlsplit(server.seen[0].target).path == "/v3/refunds"


def test_a_binding_takes_no_money_and_is_asked_about(start_server: Start) -> None:
    """A card is remembered after the customer confirmed it on YooKassa's page."""
    pending = a_payload("binding-pending") | {"metadata": {"binding_id": "key", "user_id": "17"}}
    active = pending | a_payload("payment_method.active")["object"] | {"metadata": pending["metadata"]}
    server = start_server(
        answer(200, pending), answer(200, active), answer(200, pending | {"status": "inactive"})
    )
    gateway = a_gateway(server)

    begun = gateway.bind(BindingOrder("key", "17", "https://shop.example/back"))
    done, dead = (gateway.fetch_binding(begun.gateway_method_id) for _ in range(2))

    assert server.seen[0].json == {
        "type": "bank_card",
        "confirmation": {"type": "redirect", "return_url": "https://shop.example/back"},
        "metadata": {"binding_id": "key", "user_id": "17"},
    }
    assert server.seen[0].headers["idempotence-key"] == "key"
    assert (begun.outcome, begun.user_id, begun.reference, begun.shop) == (
        Outcome.PENDING,
        "17",
        "key",
        "100500",
    )
    assert begun.confirmation_url is not None
    assert begun.method is None
    assert done is not None
    assert done.outcome is Outcome.SUCCEEDED
    assert done.method is not None
    assert (done.method.title, done.method.token) == ("Mastercard •• 4444", begun.gateway_method_id)
    assert dead is not None
    assert (dead.outcome, dead.method) == (Outcome.FAILED, None)


def test_the_shop_is_described_to_the_operator(start_server: Start) -> None:
    """GET /me tells whose credentials these are and whether receipts are demanded."""
    me = {
        "account_id": "100500",
        "status": "enabled",
        "test": True,
        "fiscalization": {"enabled": True, "provider": "avanpost"},
        "payment_methods": ["bank_card", "yoo_money"],
    }
    server = start_server(
        answer(200, me), answer(200, {"account_id": "1"}), answer(401, a_payload("error-credentials"))
    )
    gateway = a_gateway(server)

    info = gateway.check()
    bare = gateway.check()

    assert (info.shop, info.enabled, info.test, info.fiscalization) == ("100500", True, True, True)
    assert info.payment_methods == ("bank_card", "yoo_money")
    assert replace(bare, shop="") == replace(
        info, shop="", enabled=False, test=False, fiscalization=False, payment_methods=()
    )
    with pytest.raises(GatewayRejected):
        gateway.check()

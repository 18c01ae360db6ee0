from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.gateways.base import (
    BillingMode,
    Credentials,
    GatewayClosed,
    GatewayError,
    GatewayRejected,
    GatewayThrottled,
    GatewayUnknown,
    Outcome,
)
from portal.gateways.cloudpayments import CloudPayments
from portal.gateways.cloudpayments.transport import json_number
from tests.gateways.cloudpayments_stage import (
    ID,
    PATIENT,
    QUICK,
    Start,
    a_gateway,
    a_payload,
    an_envelope,
)
from tests.gateways.stage import an_order, answer


def test_start_asks_nobody_and_gives_the_widgets_parameters(closed_port: int) -> None:
    """The browser opens the widget; until then the gateway has not heard of the order."""
    gateway = CloudPayments(Credentials(" pk_1 ", "secret", api_url=f"http://127.0.0.1:{closed_port}"))

    step = gateway.start(an_order())

    assert step.confirmation_url is None
    assert step.snapshot is None
    assert step.widget == {
        "publicTerminalId": "pk_1",
        "amount": 990,
        "currency": "RUB",
        "culture": "ru-RU",
        "paymentSchema": "Single",
        "description": "Подписка PRO",
        "externalId": "0f0e1d2c-3b4a-4958-8776-655443322110",
        "receiptEmail": "user@example.com",
        "tokenize": False,
        "userInfo": {"accountId": "acc-8f2b", "email": "user@example.com"},
        "metadata": {
            "payment_id": "0f0e1d2c-3b4a-4958-8776-655443322110",
            "plan_code": "PRO_MONTHLY",
            "billing_mode": "ONE_TIME",
            "user_id": "17",
        },
        "autoClose": 5,
        "retryPayment": True,
        "emailBehavior": "Hidden",
        "skin": "classic",
    }
    assert json.loads(json.dumps(step.widget)) == step.widget


def test_the_card_is_tokenized_only_with_consent() -> None:
    """Tokenize follows the customer's consent."""
    gateway = CloudPayments(Credentials("pk_1", "secret"))
    modes = [(BillingMode.RECURRING, True), (BillingMode.RECURRING, False), (BillingMode.ONE_TIME, False)]

    widgets = [gateway.start(an_order(billing_mode=mode, save_method=save)).widget for mode, save in modes]

    assert [widget["tokenize"] for widget in widgets if widget] == [True, False, False]


@given(kopecks=st.integers(min_value=0, max_value=999_999_999_999))
def test_an_amount_as_a_json_number_is_exact(kopecks: int) -> None:
    """What the gateway reads from the JSON is the same sum to the kopeck."""
    amount = Decimal(kopecks) / 100

    assert json.loads(json.dumps(json_number(amount)), parse_float=Decimal) == amount


def test_a_saved_token_is_charged_as_the_merchants_own_scheduled_payment(start_server: Start) -> None:
    """TrInitiatorCode 0 and PaymentScheduled 1, under the order's own X-Request-ID and InvoiceId."""
    server = start_server(an_envelope())
    order = an_order(amount=Decimal("159.10"), billing_mode=BillingMode.RECURRING)

    snapshot = a_gateway(server).charge_saved(order, "tk_1")

    request = server.seen[0]
    body = request.json
    assert (request.method, request.target) == ("POST", "/payments/tokens/charge")
    assert request.headers["x-request-id"] == order.transaction_id
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == "pk_1:секрет".encode()
    assert b'"Amount": 159.1,' in request.body
    assert json.loads(body.pop("JsonData"))["payment_id"] == order.transaction_id
    assert body == {
        "Amount": 159.1,
        "Currency": "RUB",
        "AccountId": "acc-8f2b",
        "Token": "tk_1",
        "TrInitiatorCode": 0,
        "PaymentScheduled": 1,
        "InvoiceId": order.transaction_id,
        "Description": "Подписка PRO",
        "Email": "user@example.com",
    }
    assert snapshot.outcome is Outcome.SUCCEEDED


def test_a_transaction_is_read_whole(start_server: Start) -> None:
    """The documented model gives money, account, shop, test flag, card and token."""
    snapshot = a_gateway(start_server(an_envelope())).fetch_by_id(ID)

    assert snapshot is not None
    assert (snapshot.gateway_payment_id, snapshot.reference) == (ID, "12345")
    assert (snapshot.amount, snapshot.currency) == (Decimal("159.00"), "RUB")
    assert (snapshot.account, snapshot.shop, snapshot.test) == ("user_x", "pk_1", True)
    assert snapshot.happened_at == datetime(2021, 10, 30, 4, 0, 6, tzinfo=UTC)
    assert snapshot.method_title == "Visa •• 4242"
    assert snapshot.saved_method is not None
    assert snapshot.saved_method.token == "success_eb250528-bd9e-4de7-bb49-9e0b546351d3"
    assert (snapshot.saved_method.expiry_month, snapshot.saved_method.expiry_year) == (12, 2025)


@pytest.mark.parametrize(
    ("written", "amount"), (("10", "10.00"), ("10.0", "10.00"), ("12.34", "12.34"), ("0.1", "0.10"))
)
def test_amounts_are_read_exactly_as_written(written: str, amount: str, start_server: Start) -> None:
    """A JSON number never passes through a float."""
    raw = json.dumps(a_payload("transaction")).replace('"Amount": 159', f'"Amount": {written}', 1)

    snapshot = a_gateway(start_server(answer(200, raw))).fetch_by_id(ID)

    assert snapshot is not None
    assert snapshot.amount == Decimal(amount)


@pytest.mark.parametrize(
    ("status", "outcome"),
    (
        ("AwaitingAuthentication", Outcome.PENDING),
        ("Authorized", Outcome.AUTHORIZED),
        ("Completed", Outcome.SUCCEEDED),
        ("Cancelled", Outcome.FAILED),
        ("Declined", Outcome.FAILED),
    ),
)
@pytest.mark.parametrize("success", (True, False))
def test_the_status_counts_whatever_success_says(
    status: str, outcome: Outcome, success: bool, start_server: Start
) -> None:
    """Success is the result of the request, not of the payment."""
    snapshot = a_gateway(start_server(an_envelope(success, Status=status))).fetch_by_id(ID)

    assert snapshot is not None
    assert snapshot.outcome is outcome
    assert (snapshot.saved_method is not None) == (outcome in {Outcome.AUTHORIZED, Outcome.SUCCEEDED})


def test_the_four_outcomes_of_a_charge(start_server: Start) -> None:
    """Accepted and declined are snapshots, 3-D Secure is pending, a malformed request is refused."""
    server = start_server(
        an_envelope(),
        answer(200, a_payload("declined")),
        answer(200, a_payload("three-d-secure")),
        answer(200, a_payload("malformed")),
    )
    gateway, order = a_gateway(server), an_order()

    accepted, declined, secure = (gateway.charge_saved(order, "tk_1") for _ in range(3))

    assert accepted.outcome is Outcome.SUCCEEDED
    assert accepted.failure_code is None
    assert (declined.outcome, declined.failure_code) == (Outcome.FAILED, "5051")
    assert declined.saved_method is None
    assert (secure.outcome, secure.gateway_payment_id) == (Outcome.PENDING, "891463508")
    with pytest.raises(GatewayRejected) as caught:
        gateway.charge_saved(order, "tk_1")
    assert caught.value.detail == "Amount is required"


@pytest.mark.parametrize(
    ("move", "expected"),
    (
        (answer(401), GatewayRejected),
        (answer(400, "Bad Request"), GatewayRejected),
        (answer(403), GatewayRejected),
        (answer(404, "<html>"), GatewayRejected),
        (answer(429), GatewayThrottled),
        (answer(429, "", Retry_After="2"), GatewayThrottled),
        (answer(408), GatewayUnknown),
        (answer(409), GatewayUnknown),
        (answer(500), GatewayUnknown),
        (answer(502, "<html>"), GatewayUnknown),
        (answer(503), GatewayUnknown),
        (answer(302, "", Location="/"), GatewayUnknown),
        (answer(202, {"Success": True}), GatewayUnknown),
        (answer(200), GatewayUnknown),
        (answer(200, "<html>"), GatewayUnknown),
        (answer(200, "[]"), GatewayUnknown),
        (answer(200, "{}"), GatewayUnknown),
        (answer(200, a_payload("transaction") | {"Success": "true"}), GatewayUnknown),
        (answer(200, {"Success": True, "Model": None}), GatewayUnknown),
        (answer(200, {"Success": False, "Model": None, "Message": None}), GatewayUnknown),
        (answer(200, {"Success": False, "Model": [], "Message": 5}), GatewayUnknown),
        (an_envelope(Status="New"), GatewayUnknown),
        (an_envelope(Amount="159"), GatewayUnknown),
        (an_envelope(Amount=1.005), GatewayUnknown),
        (an_envelope(TransactionId=None), GatewayUnknown),
        (answer(200, "{" * 100_000), GatewayUnknown),
        (an_envelope()[:-30], GatewayUnknown),
        (b"", GatewayUnknown),
        (b"nonsense\r\n\r\n", GatewayUnknown),
        (None, GatewayUnknown),
    ),
)
def test_every_failure_says_what_may_have_happened_to_money(
    move: bytes | None, expected: type[GatewayError], start_server: Start
) -> None:
    """Refused, throttled or unknown: no failure is anything else, and nothing is sent a second time."""
    server = start_server(move)

    with pytest.raises(GatewayError) as caught:
        a_gateway(server, QUICK if move is None else PATIENT).charge_saved(an_order(), "tk_1")

    assert type(caught.value) is expected
    assert len(server.seen) == 1


def test_a_refused_connection_is_unknown(closed_port: int) -> None:
    """Nobody listening is told as unknown."""
    gateway = CloudPayments(Credentials("pk_1", "secret", api_url=f"http://127.0.0.1:{closed_port}"))

    with pytest.raises(GatewayUnknown):
        gateway.fetch(an_order())


def test_a_refund_carries_its_own_key(start_server: Start) -> None:
    """The refund's id comes back; the key is the X-Request-ID."""
    server = start_server(answer(200, a_payload("refund")))

    snapshot = a_gateway(server).refund("refund-key", "455", Decimal("65.98"), "RUB", "по просьбе")

    request = server.seen[0]
    assert (request.target, request.headers["x-request-id"]) == ("/payments/refund", "refund-key")
    assert request.json["TransactionId"] == 455
    assert b'"Amount": 65.98' in request.body
    assert (snapshot.gateway_refund_id, snapshot.gateway_payment_id) == ("568", "455")
    assert (snapshot.outcome, snapshot.amount) == (Outcome.PENDING, Decimal("65.98"))


@pytest.mark.parametrize(
    ("told", "expected"),
    (
        ({"Success": False, "Message": "Сумма возврата больше остатка"}, GatewayRejected),
        ({"Success": True, "Model": {}}, GatewayUnknown),
        ({"Success": True, "Model": {"TransactionId": "x"}}, GatewayUnknown),
    ),
)
def test_a_refund_that_was_not_made_is_told_by_its_error(
    told: dict[str, Any], expected: type[GatewayError], start_server: Start
) -> None:
    """A reason is a refusal; an answer without the refund's id is unknown."""
    with pytest.raises(GatewayError) as caught:
        a_gateway(start_server(answer(200, told))).refund("key", "455", Decimal("1.00"), "RUB", "")

    assert type(caught.value) is expected


def test_the_credentials_can_be_tried(start_server: Start) -> None:
    """POST /test answers a request id, or 401."""
    server = start_server(answer(200, a_payload("test")), answer(401))
    gateway = a_gateway(server)

    assert gateway.test() == "bd6353c3-0ed6-4a65-946f-083664bf8dbd"
    with pytest.raises(GatewayRejected):
        gateway.test()


@pytest.mark.parametrize(("shop", "secret"), (("", "key"), ("pk_1", ""), (" ", "\n")))
def test_a_shop_without_credentials_is_closed(shop: str, secret: str) -> None:
    """Nothing is ever sent, and no widget opened, without a shop."""
    with pytest.raises(GatewayClosed):
        CloudPayments(Credentials(shop, secret))

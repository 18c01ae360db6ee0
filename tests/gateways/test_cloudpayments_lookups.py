from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from portal.gateways.base import (
    GatewayRejected,
    GatewayUnknown,
    Outcome,
)
from portal.gateways.wire import NotAnId
from tests.gateways.cloudpayments_stage import (
    ID,
    NOT_FOUND,
    Start,
    a_gateway,
    a_list,
    an_envelope,
)
from tests.gateways.stage import MOMENT, an_order, answer


def test_a_payment_is_found_by_its_id_or_by_our_reference(start_server: Start) -> None:
    """A known id is asked for; otherwise the newer search by InvoiceId."""
    server = start_server(an_envelope())
    gateway = a_gateway(server)

    gateway.fetch(an_order(gateway_payment_id=ID))
    gateway.fetch(an_order())

    assert [request.target for request in server.seen] == ["/payments/get", "/v2/payments/find"]
    assert [request.json for request in server.seen] == [
        {"TransactionId": int(ID)},
        {"InvoiceId": an_order().transaction_id},
    ]


@pytest.mark.parametrize("message", ("Not found", "Transaction not found", "Платеж не найден"))
def test_a_payment_that_nobody_made_is_none(message: str, start_server: Start) -> None:
    """The texts differ between methods; the meaning does not."""
    server = start_server(answer(200, {"Success": False, "Message": message}))

    assert a_gateway(server).fetch(an_order()) is None
    assert a_gateway(server).fetch_by_id(ID) is None


def test_another_refusal_is_not_taken_for_absence(start_server: Start) -> None:
    """Only "not found" says that there is no payment."""
    server = start_server(answer(200, {"Success": False, "Message": "Terminal is blocked"}))

    with pytest.raises(GatewayRejected):
        a_gateway(server).fetch(an_order())


def test_a_found_refund_leads_to_its_payment(start_server: Start) -> None:
    """The search answers with the last operation, which may be a refund of what we look for."""
    server = start_server(an_envelope(Type=1, TransactionId=5, OriginalTransactionId=int(ID)), an_envelope())

    snapshot = a_gateway(server).fetch(an_order())

    assert snapshot is not None
    assert snapshot.gateway_payment_id == ID
    assert server.seen[1].json == {"TransactionId": int(ID)}


def test_a_found_payout_leads_to_the_older_search(start_server: Start) -> None:
    """A payout names no payment; the older search knows payments only."""
    server = start_server(an_envelope(Type=2), an_envelope())

    snapshot = a_gateway(server).fetch(an_order())

    assert snapshot is not None
    assert [request.target for request in server.seen] == ["/v2/payments/find", "/payments/find"]


def test_a_later_success_is_not_hidden_by_the_attempt_we_know(start_server: Start) -> None:
    """The widget lets the payer try again: the transaction that we know of failed, another one paid."""
    server = start_server(
        an_envelope(False, Status="Declined", ReasonCode=5051), an_envelope(TransactionId=2)
    )

    snapshot = a_gateway(server).fetch(an_order(gateway_payment_id=ID))

    assert snapshot is not None
    assert (snapshot.gateway_payment_id, snapshot.outcome) == ("2", Outcome.SUCCEEDED)


def test_an_earlier_success_is_not_hidden_by_a_later_refusal(start_server: Start) -> None:
    """The search tells the last transaction only, so a refused one sends us to the list."""
    order = an_order()
    mine = {"InvoiceId": order.transaction_id}
    server = start_server(
        an_envelope(False, TransactionId=3, Status="Declined", ReasonCode=5051, ConfirmDateIso=None, **mine),
        a_list(
            {"InvoiceId": "another"},
            mine | {"TransactionId": 2},
            mine | {"TransactionId": 3, "Status": "Declined"},
        ),
    )

    snapshot = a_gateway(server).fetch(order)

    assert snapshot is not None
    assert (snapshot.gateway_payment_id, snapshot.outcome) == ("2", Outcome.SUCCEEDED)
    assert server.seen[1].json["CreatedDateGte"] == "2026-11-22T09:45:00+00:00"


def test_an_earlier_success_is_not_hidden_by_a_later_try_under_way(start_server: Start) -> None:
    """A second form of the same order waits for its payer: what the first one took is told all the same."""
    order = an_order()
    mine = {"InvoiceId": order.transaction_id}
    waits = mine | {"TransactionId": 3, "Status": "AwaitingAuthentication", "ConfirmDateIso": None}
    server = start_server(an_envelope(**waits), a_list(mine | {"TransactionId": 2}))

    snapshot = a_gateway(server).fetch(order)

    assert snapshot is not None
    assert (snapshot.gateway_payment_id, snapshot.outcome) == ("2", Outcome.SUCCEEDED)


def test_a_try_under_way_that_is_the_whole_story_is_told(start_server: Start) -> None:
    """With nothing better in the list the payment is pending, as the search says."""
    order = an_order()
    waits = {"InvoiceId": order.transaction_id, "TransactionId": 3, "Status": "AwaitingAuthentication"}

    snapshot = a_gateway(start_server(an_envelope(**waits), a_list())).fetch(order)

    assert snapshot is not None
    assert (snapshot.gateway_payment_id, snapshot.outcome) == ("3", Outcome.PENDING)


def test_a_refusal_that_is_the_whole_story_is_told(start_server: Start) -> None:
    """With no better transaction in the list the refusal stands, with its code."""
    order = an_order()
    refused = {"Status": "Declined", "ReasonCode": 5051, "InvoiceId": order.transaction_id}
    server = start_server(an_envelope(False, **refused), a_list(refused))

    snapshot = a_gateway(server).fetch(order)

    assert snapshot is not None
    assert (snapshot.outcome, snapshot.failure_code) == (Outcome.FAILED, "5051")


@pytest.mark.parametrize("text", ("", "abc", "1 ", "-1", "１", "1/../2", "9" * 20, "0", "1.0"))
def test_only_a_number_is_asked_about(text: str, start_server: Start) -> None:
    """Other text raises NotAnId and nothing is sent."""
    server = start_server(an_envelope())
    gateway = a_gateway(server)

    with pytest.raises(NotAnId):
        gateway.fetch_by_id(text)
    with pytest.raises(NotAnId):
        gateway.refund("key", text, Decimal("1.00"), "RUB", "")
    assert server.seen == []


def test_a_refund_can_be_asked_about(start_server: Start) -> None:
    """A refund is a transaction of its own; a payment is not mistaken for one."""
    server = start_server(
        an_envelope(Type=1, TransactionId=568, OriginalTransactionId=455), an_envelope(), NOT_FOUND
    )
    gateway = a_gateway(server)

    snapshot = gateway.fetch_refund("568")

    assert snapshot is not None
    assert (snapshot.gateway_refund_id, snapshot.gateway_payment_id) == ("568", "455")
    assert snapshot.outcome is Outcome.SUCCEEDED
    assert gateway.fetch_refund("568") is None
    assert gateway.fetch_refund("568") is None


def test_lists_are_read_to_their_end_and_sorted_by_what_they_are(start_server: Start) -> None:
    """A full page means that there may be another; refunds and payouts are not payments."""
    full = a_list(*({"TransactionId": n} for n in range(1, 101)))
    rest = a_list(
        {"TransactionId": 101}, {"TransactionId": 102, "Type": 1, "OriginalTransactionId": 7}, {"Type": 2}
    )
    server = start_server(full, rest, full, rest)
    gateway = a_gateway(server)

    payments = list(gateway.list_payments(MOMENT - timedelta(days=1), MOMENT))
    refunds = list(gateway.list_refunds(MOMENT - timedelta(days=1), MOMENT))

    assert [payment.gateway_payment_id for payment in payments] == [str(n) for n in range(1, 102)]
    assert [(refund.gateway_refund_id, refund.gateway_payment_id) for refund in refunds] == [("102", "7")]
    assert [request.json["PageNumber"] for request in server.seen] == [1, 2, 1, 2]
    assert server.seen[0].json["TimeZone"] == "UTC"


def test_half_a_list_is_an_error(start_server: Start) -> None:
    """A list that breaks off does not say that there is nothing more."""
    full = a_list(*({"TransactionId": n} for n in range(1, 101)))

    with pytest.raises(GatewayUnknown):
        list(a_gateway(start_server(full, answer(500))).list_payments(MOMENT, MOMENT))


@pytest.mark.parametrize(
    ("said", "fee"),
    (
        ({"TotalFee": 39, "VatAboveTotalFee": 8.58}, "47.58"),
        ({"TotalFee": 3.9, "VatAboveTotalFee": None}, "3.90"),
        ({"TotalFee": 0}, "0.00"),
        ({"TotalFee": None, "VatAboveTotalFee": 8.58}, None),
        ({"TotalFee": "many"}, None),
        ({"TotalFee": 39, "Status": "Authorized"}, None),
    ),
)
def test_the_fee_is_what_does_not_reach_the_shop(
    said: dict[str, object], fee: str | None, start_server: Start
) -> None:
    """The commission with the VAT on top of it; nothing is guessed where the gateway does not say."""
    snapshot = a_gateway(start_server(an_envelope(**said))).fetch_by_id(ID)

    assert snapshot is not None
    assert snapshot.fee == (Decimal(fee) if fee else None)

"""The door of the API as any client meets it: credentials, formats, envelope, look-ups."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.sandbox.cloudpayments_shop import (
    API_SECRET,
    NO_FUNDS,
    OTHER_PUBLIC_ID,
    OTHER_SECRET,
    PUBLIC_ID,
    SUCCESS,
    CloudShop,
    packet,
)


def test_the_connection_test_answers(cp: CloudShop) -> None:
    """POST /test with the right login and password answers Success and a message."""
    answer = cp.call("/test")

    assert answer["Success"] is True
    assert len(answer["Message"]) == 36


@pytest.mark.parametrize(
    "auth", (None, ("", ""), (PUBLIC_ID, "wrong"), ("unknown", API_SECRET), (OTHER_PUBLIC_ID, API_SECRET))
)
def test_wrong_credentials_are_401(cp: CloudShop, auth: Any) -> None:
    """Missing or wrong credentials answer HTTP 401 on every method."""
    assert cp.raw("/test", auth=auth).status_code == 401
    assert cp.raw("/payments/tokens/charge", {"Amount": 1}, auth=auth).status_code == 401


def test_form_and_json_bind_alike_in_any_case(cp: CloudShop) -> None:
    """A form and a JSON body are the same request, and names of parameters have no case."""
    fields = {"amount": "12.34", "CURRENCY": "RUB", "ipaddress": "1.2.3.4", "invoiceId": "7"}
    answer = requests.post(
        f"{cp.sandbox.url}/cloudpayments/payments/cards/charge",
        data={**fields, "cardcryptogrampacket": packet(SUCCESS)},
        auth=(PUBLIC_ID, API_SECRET),
        timeout=30,
    ).json()

    assert answer["Success"] is True
    assert answer["Model"]["Amount"] == 12.34
    assert answer["Model"]["InvoiceId"] == "7"
    assert answer["Model"]["IpAddress"] == "1.2.3.4"


def test_an_accepted_payment_shows_the_documented_model(cp: CloudShop) -> None:
    """An accepted payment carries status, texts, dates and the marks of test mode."""
    model = cp.charge(InvoiceId="1", Name="IVAN", Email="u@example.com")["Model"]

    expected = {
        "Amount": 990,
        "Currency": "RUB",
        "Status": "Completed",
        "StatusCode": 3,
        "Reason": "Approved",
        "ReasonCode": 0,
        "CardHolderMessage": "Оплата успешно проведена",
        "TestMode": True,
        "GatewayName": "Test",
        "AuthCode": "A1B2C3",
        "TotalFee": 0,
        "CardFirstSix": "400000",
        "CardLastFour": "3055",
        "CardExpDate": "12/40",
        "CardType": "Visa",
        "Refunded": False,
        "Token": None,
        "PublicId": PUBLIC_ID,
        "JsonData": "",
    }
    assert {name: model[name] for name in expected} == expected
    assert model["TransactionId"] > 2**31
    assert model["CreatedDate"].startswith("/Date(")
    assert not model["CreatedDateIso"].endswith("Z")
    assert model["ConfirmDateIso"]


@pytest.mark.parametrize(
    ("change", "message"),
    (
        ({"Amount": None}, "Amount is required"),
        ({"Amount": "abc"}, "Invalid Amount value"),
        ({"Amount": 0}, "Invalid Amount value"),
        ({"Amount": -5}, "Invalid Amount value"),
        ({"Amount": 1.001}, "Invalid Amount value"),
        ({"Amount": "NaN"}, "Invalid Amount value"),
        ({"Amount": 1e60}, "Invalid Amount value"),
        ({"Currency": "R"}, "Invalid Currency value"),
        ({"IpAddress": ""}, "IpAddress is required"),
        ({"CardCryptogramPacket": ""}, "CardCryptogramPacket is required"),
        ({"CardCryptogramPacket": "AAAA"}, "Invalid CardCryptogramPacket value"),
    ),
)
def test_a_malformed_charge_says_what_is_wrong(cp: CloudShop, change: dict[str, Any], message: str) -> None:
    """A malformed request is HTTP 200 with Success false, a message, no model, and no transaction."""
    answer = cp.charge(**change)

    assert answer == {"Success": False, "Message": message}
    assert cp.payments() == []


@pytest.mark.parametrize("body", (b"{", b"[]", b'"x"'))
def test_json_that_is_no_object_is_refused(cp: CloudShop, body: bytes) -> None:
    """A body that is not a JSON object is a malformed request, not a crash."""
    answer = requests.post(
        f"{cp.sandbox.url}/cloudpayments/payments/get",
        data=body,
        headers={"Content-Type": "application/json"},
        auth=(PUBLIC_ID, API_SECRET),
        timeout=30,
    )

    assert answer.status_code == 200
    assert answer.json()["Success"] is False


def test_a_packet_can_be_used_once(cp: CloudShop) -> None:
    """The same cryptogram pays only once, as the real one does."""
    once = packet(SUCCESS)

    assert cp.charge(CardCryptogramPacket=once)["Success"] is True
    assert cp.charge(CardCryptogramPacket=once)["Message"] == "Invalid CardCryptogramPacket value"


def test_a_number_outside_every_table_pays_when_luhn_holds(cp: CloudShop) -> None:
    """Any right card number succeeds without 3-D Secure, a wrong one is 5014, a past date 5054."""
    assert cp.charge("4532015112830366")["Model"]["Status"] == "Completed"
    assert cp.charge("4532015112830367")["Model"]["ReasonCode"] == 5014
    expired = cp.charge(CardCryptogramPacket=packet(SUCCESS, "01/20"))
    assert (expired["Success"], expired["Message"], expired["Model"]["ReasonCode"]) == (False, None, 5054)


def test_json_data_comes_back_as_text(cp: CloudShop) -> None:
    """JsonData may be sent as an object or as text, and is always given back as text."""
    as_object = cp.charge(JsonData={"order": 7, "sum": 1.5})["Model"]["JsonData"]
    as_text = cp.charge(JsonData='{\n "order": 7}')["Model"]["JsonData"]

    assert as_object == '{"order": 7, "sum": 1.5}'
    assert as_text == '{\n "order": 7}'


def test_get_finds_only_the_terminals_own(cp: CloudShop) -> None:
    """payments/get answers the model, and another terminal sees nothing."""
    number = cp.charge()["Model"]["TransactionId"]

    assert cp.call("/payments/get", TransactionId=number)["Model"]["TransactionId"] == number
    cp.auth = (OTHER_PUBLIC_ID, OTHER_SECRET)
    assert cp.call("/payments/get", TransactionId=number) == {
        "Success": False,
        "Message": "Transaction not found",
    }


@pytest.mark.parametrize("path", ("/payments/find", "/v2/payments/find"))
def test_find_gives_the_last_operation(cp: CloudShop, path: str) -> None:
    """Find answers the last operation of an InvoiceId, and "Not found" when there is none."""
    cp.charge(NO_FUNDS, InvoiceId="7")
    last = cp.charge(InvoiceId="7")["Model"]["TransactionId"]

    assert cp.call(path, InvoiceId="7")["Model"]["TransactionId"] == last
    assert cp.call(path, InvoiceId="8") == {"Success": False, "Message": "Not found"}


def test_only_the_new_find_sees_refunds(cp: CloudShop) -> None:
    """After a refund v2/find answers the refund, the old find still the payment."""
    paid = cp.charge(InvoiceId="7")["Model"]["TransactionId"]
    refund = cp.call("/payments/refund", TransactionId=paid, Amount=10)["Model"]["TransactionId"]

    newest = cp.call("/v2/payments/find", InvoiceId="7")["Model"]
    assert (newest["TransactionId"], newest["OriginalTransactionId"], newest["Type"]) == (refund, paid, 1)
    assert cp.call("/payments/find", InvoiceId="7")["Model"]["TransactionId"] == paid


def test_success_of_a_declined_look_up_is_a_setting(cp: CloudShop) -> None:
    """Whether get and find of a declined payment are a Success is not documented; the model comes anyway."""
    number = cp.charge(NO_FUNDS, InvoiceId="7")["Model"]["TransactionId"]

    def seen() -> list[Any]:
        found = (cp.call("/payments/get", TransactionId=number), cp.call("/v2/payments/find", InvoiceId="7"))
        return [(answer["Success"], answer["Model"]["Status"]) for answer in found]

    assert seen() == [(False, "Declined")] * 2
    cp.settings(cloudpayments_declined_lookup_success=True)
    assert seen() == [(True, "Declined")] * 2


def test_lists(cp: CloudShop) -> None:
    """The old list gives a day, the new one a period by pages and statuses; tokens are listed with masks."""
    token = cp.token()
    cp.charge(NO_FUNDS)
    created = cp.call("/payments/list", Date=cp.charge()["Model"]["CreatedDateIso"][:10])["Model"]
    period = {"CreatedDateGte": "2020-01-01T00:00:00+03:00", "CreatedDateLte": "2099-01-01T00:00:00"}

    assert [doc["Status"] for doc in created] == ["Completed", "Declined", "Completed"]
    assert len(cp.call("/v2/payments/list", PageNumber=1, **period)["Model"]) == 3
    assert len(cp.call("/v2/payments/list", PageNumber=2, **period)["Model"]) == 0
    declined = cp.call("/v2/payments/list", PageNumber=1, Statuses=["Declined"], **period)["Model"]
    assert [doc["ReasonCode"] for doc in declined] == [5051]
    assert cp.call("/payments/tokens/list", PageNumber=1)["Model"] == [
        {
            "Token": token,
            "AccountId": "user_x",
            "CardMask": "4000 00****** 3055",
            "ExpirationDateMonth": 12,
            "ExpirationDateYear": 2040,
        }
    ]


def test_a_moscow_day_begins_at_21_utc(cp: CloudShop) -> None:
    """The day of payments/list is one of the named time zone."""
    model = cp.charge()["Model"]
    utc_day, hour = model["CreatedDateIso"][:10], int(model["CreatedDateIso"][11:13])

    listed = cp.call("/payments/list", Date=utc_day, TimeZone="MSK")["Model"]
    assert len(listed) == (1 if hour < 21 else 0)
    assert cp.call("/payments/list", Date=utc_day, TimeZone="XXX")["Message"] == "Invalid TimeZone value"


def test_an_unknown_method_is_404(cp: CloudShop) -> None:
    """A path that does not exist answers 404, a GET on a method 405."""
    assert cp.raw("/payments/nonsense").status_code == 404
    got = requests.get(f"{cp.sandbox.url}/cloudpayments/test", auth=(PUBLIC_ID, API_SECRET), timeout=30)
    assert got.status_code == 405


def test_live_mode_marks(cp: CloudShop) -> None:
    """Out of test mode a payment has a fee, an acquirer and codes of its own."""
    cp.settings(cloudpayments_test_mode=False)
    model = cp.charge(Amount=1000)["Model"]

    assert model["TestMode"] is False
    assert model["GatewayName"] == "Tbank"
    assert (model["TotalFee"], model["VatAboveTotalFee"]) == (39, 8.58)
    assert len(model["Rrn"]) == 12
    assert len(model["AuthCode"]) == 6


def test_the_ledger_shows_the_request_as_received(cp: CloudShop) -> None:
    """The ledger tells payments in both gateways' common words, with the very request."""
    cp.charge(InvoiceId="7", AccountId="u", Description="тариф")
    [entry] = cp.payments()

    assert (entry["status"], entry["amount"], entry["captured"], entry["refunded"]) == (
        "succeeded",
        "990.00",
        "990.00",
        "0.00",
    )
    assert Decimal(entry["amount"]) == 990
    assert entry["transaction_id"] == "7"
    assert entry["request"]["Description"] == "тариф"
    assert entry["test"] is True


def test_the_widgets_address_is_told(cp: CloudShop) -> None:
    """merchant/configuration tells a plugin where the widget is, without credentials."""
    url = f"{cp.sandbox.url}/cloudpayments/merchant/configuration"
    answer = requests.get(f"{url}/{PUBLIC_ID}", timeout=30).json()

    assert answer["Model"]["WidgetUrl"] == f"{cp.sandbox.url}/cloudpayments/"
    script = requests.get(f"{answer['Model']['WidgetUrl']}bundles/cloudpayments", timeout=30)
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert requests.get(f"{url}/unknown", timeout=30).json()["Success"] is False

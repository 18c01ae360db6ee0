"""What travels in a notification: encoding, signatures, order of fields, dates."""

from __future__ import annotations

import json

import pytest

from portal.sandbox.cloudpayments.dates import pair
from portal.sandbox.cloudpayments.encoding import JSON, form_body, json_body, net_urlencode, signature_headers
from portal.sandbox.cloudpayments.hooks import LAYOUT
from portal.sandbox.cloudpayments.reasons import reason, reason_named

SECRET = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
VECTOR_S = {
    "TransactionId": "1001",
    "Amount": "10.00",
    "Currency": "RUB",
    "DateTime": "2026-01-15 10:20:30",
    "Description": "Оплата счёта",
    "TestMode": "1",
    "Status": "Completed",
}


def test_vector_s_form_body() -> None:
    """The short form body is encoded and signed as in the published vector S."""
    body = form_body(VECTOR_S)

    assert len(body) == 185
    assert "DateTime=2026-01-15+10%3a20%3a30&Description=%d0%9e%d0%bf" in body
    assert signature_headers(SECRET, body) == {
        "Content-HMAC": "pUuwGrD5T+X/UZ26q5yA6J3uVt+hyMG+u+8Kk9hDBVw=",
        "X-Content-HMAC": "TwbM6sYguMxrlbz157NTBgoYWx14r67GC33hupt9j3g=",
    }


def test_vector_j_json_body() -> None:
    """The JSON body is written and signed as in the published vector J, both headers alike."""
    body = json_body(VECTOR_S)

    assert body == (
        '{"TransactionId":1001,"Amount":10.00,"Currency":"RUB","DateTime":"2026-01-15 10:20:30",'
        '"Description":"Оплата счёта","TestMode":true,"Status":"Completed"}'
    )
    signed = "/xUTnJTscvq33Dtn/gGGPef0GYYxy3joJG2iW2DaZQg="
    assert signature_headers(SECRET, body, JSON) == {"Content-HMAC": signed, "X-Content-HMAC": signed}


def test_vector_q_query_string() -> None:
    """The query of a GET notification is signed without its question mark, as in the published vector Q."""
    names = ("TransactionId", "Amount", "Currency", "Description", "Status")
    query = form_body({name: VECTOR_S[name] for name in names})

    assert signature_headers(SECRET, query) == {
        "Content-HMAC": "aXy56jXJUyVWt7Y7aFzR5JDDArcydGFNIUrIFU8XW30=",
        "X-Content-HMAC": "kstQoNn7K2UcccP90adzeIhaVRsEAC0FGDgifFrnSTs=",
    }


@pytest.mark.parametrize(
    ("text", "encoded"),
    (
        ("a b", "a+b"),
        ("user@example.com", "user%40example.com"),
        ("01/19", "01%2f19"),
        ("-_.!*()", "-_.!*()"),
        ("~'&=+", "%7e%27%26%3d%2b"),
        ("Ж", "%d0%96"),
    ),
)
def test_dot_net_encoding(text: str, encoded: str) -> None:
    """Escapes are those of .NET: lower-case hex, plus for space, seven marks left alone."""
    assert net_urlencode(text) == encoded


def test_windows_1251() -> None:
    """In the Windows1251 setting a letter is one byte, and what it lacks becomes a question mark."""
    assert net_urlencode("Ж₽", "cp1251") == "%c6%3f"


def test_pay_keeps_the_observed_order() -> None:
    """Pay lists its fields in the order seen on the wire."""
    observed = (
        "TransactionId Amount Currency PaymentAmount PaymentCurrency OperationType InvoiceId AccountId"
        " SubscriptionId Name Email DateTime IpAddress IpCountry IpCity IpRegion IpDistrict IpLatitude"
        " IpLongitude CardId CardFirstSix CardLastFour CardType CardExpDate Issuer IssuerBankCountry"
        " Description AuthCode Token TestMode Status GatewayName Data TotalFee CardProduct PaymentMethod Rrn"
        " InstallmentTerm InstallmentMonthlyPayment CustomFields VatAboveTotalFee ProcessorAndPartnerFee"
        " VatWithinProcessorFee"
    )

    assert LAYOUT["pay"] == tuple(observed.split())


def test_dates_come_twice() -> None:
    """A date is shown in Unix milliseconds and as ISO without a zone, the fraction cut off."""
    assert pair("CreatedDate", "2021-10-30T02:58:25.992Z") == {
        "CreatedDate": "/Date(1635562705992)/",
        "CreatedDateIso": "2021-10-30T02:58:25",
    }
    assert pair("AuthDate", None) == {"AuthDate": None, "AuthDateIso": None}


@pytest.mark.parametrize("outcome", ("5051", "InsufficientFunds", "insufficient_funds", "Insufficient Funds"))
def test_an_outcome_is_understood_in_many_spellings(outcome: str) -> None:
    """A tester may write the code or the name of a reason."""
    assert reason_named(outcome) == reason(5051)


def test_an_unknown_outcome_is_refused() -> None:
    """A typing error never turns into success."""
    with pytest.raises(ValueError, match="Unknown outcome 'sucess'"):
        reason_named("sucess")


def test_every_field_survives_json() -> None:
    """An empty number becomes null, so that the JSON stays readable."""
    assert json.loads(json_body({"MaxPeriods": "", "RequireConfirmation": "0"})) == {
        "MaxPeriods": None,
        "RequireConfirmation": False,
    }

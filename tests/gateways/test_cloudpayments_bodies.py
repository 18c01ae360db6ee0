from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.gateways.base import Outcome
from portal.gateways.cloudpayments import Kind, read
from portal.gateways.wire import MalformedNotification
from tests.gateways.cloudpayments_stage import FORM, KINDS, a_body, changed, read_form


@pytest.mark.parametrize(
    "amount",
    ("9.9e2", "990,00", "NaN", "-1", "+1", "９９０.00", " 990", "990.000", "", "1_0", "0x10", "Infinity"),
)
def test_an_odd_amount_is_no_amount_and_no_error(amount: str) -> None:
    """What is not written as the gateway writes money is not read as money."""
    told = read_form(changed("pay.form", Amount=amount), "pay")

    assert told.kind is Kind.PAY
    assert told.amount is None
    body = json.dumps(json.loads(a_body("pay.json")) | {"Amount": amount}).encode()
    assert read(body, "application/json", kind="pay").amount is None


def test_a_json_amount_in_scientific_notation_is_no_amount() -> None:
    """A JSON number is judged as it was written, too."""
    body = a_body("pay.json").replace(b'"Amount": 10.00', b'"Amount": 9.9e2')

    assert read(body, "application/json", kind="pay").amount is None


@pytest.mark.parametrize(
    ("field", "value", "name"),
    (
        ("DateTime", "2026-02-30 10:00:00", "happened_at"),
        ("DateTime", "вчера", "happened_at"),
        ("RetryAfter", "2026-02-26", "retry_after"),
        ("TestMode", "2", "test"),
        ("TestMode", "", "test"),
    ),
)
def test_an_unreadable_value_is_left_out(field: str, value: str, name: str) -> None:
    """Odd dates and flags are told as unknown."""
    assert getattr(read_form(changed("fail.form", **{field: value})), name) is None


@pytest.mark.parametrize(
    ("raw", "content_type"),
    (
        pytest.param(b"", FORM, id="empty"),
        pytest.param(b"TransactionId=1&Amount=1.00&Email=%ff%fe", FORM, id="broken percent UTF-8"),
        pytest.param(b"TransactionId=1&Amount=1.00&Email=\xff", FORM, id="broken raw UTF-8"),
        pytest.param(b"TransactionId=1&Amount=1.00&Amount=2.00", FORM, id="a name twice"),
        pytest.param(b"TransactionId=1&Amount=1.00&amount=2.00", FORM, id="a name twice in other letters"),
        pytest.param(b"TransactionId=1&Amount=1.00&Email=%00", FORM, id="NUL"),
        pytest.param(b"TransactionId=abc&Amount=1.00", FORM, id="an id of letters"),
        pytest.param(b"TransactionId=-1&Amount=1.00", FORM, id="a negative id"),
        pytest.param(b"TransactionId=0&Amount=1.00", FORM, id="id zero"),
        pytest.param(b"TransactionId=99999999999999999999&Amount=1.00", FORM, id="an id beyond 64 bits"),
        pytest.param("TransactionId=１&Amount=1.00".encode(), FORM, id="an id of full-width digits"),
        pytest.param(b"&".join(b"a%d=1" % n for n in range(400)), FORM, id="too many fields"),
        pytest.param(b"TransactionId=1&Amount=1.00&Data=" + b"x" * 1_048_576, FORM, id="too long"),
        pytest.param(b"{", "application/json", id="cut JSON"),
        pytest.param(b"[]", "application/json", id="a JSON list"),
        pytest.param(b"[" * 100_000, "application/json", id="deep JSON"),
        pytest.param(b'{"Data": ' + b'{"a":' * 100_000, "application/json", id="deep JSON in Data"),
        pytest.param(b'{"TransactionId": 1, "Amount": NaN}', "application/json", id="NaN"),
        pytest.param(b'{"TransactionId": 1, "Amount": 1, "Data": NaN}', "application/json", id="NaN in Data"),
        pytest.param(b'{"TransactionId": 1, "Amount": [1]}', "application/json", id="a nested amount"),
        pytest.param(
            b'{"TransactionId": 1, "Amount": 1, "Amount": 2}', "application/json", id="a JSON name twice"
        ),
        pytest.param(
            b'{"TransactionId": 1%s, "Amount": 1}' % (b"0" * 5000), "application/json", id="a huge int"
        ),
        pytest.param(
            b'{"TransactionId": 1, "Amount": 1e99999999999999999999}',
            "application/json",
            id="a huge exponent",
        ),
        pytest.param(b'{"TransactionId": 1.0, "Amount": 1}', "application/json", id="an id with a fraction"),
        pytest.param(
            b'{"TransactionId": true, "Amount": 1, "Email": "\\ud800"}', "application/json", id="half a pair"
        ),
        pytest.param(b"\xef\xbb\xbf{}", "application/json", id="a byte order mark"),
    ),
)
def test_a_malformed_body_is_told_so_and_nothing_else(raw: bytes, content_type: str) -> None:
    """Whatever a body holds, the only error is MalformedNotification."""
    for kind in (None, *KINDS):
        with pytest.raises(MalformedNotification):
            read(raw, content_type, kind=kind)


@given(
    raw=st.binary(max_size=300), content_type=st.sampled_from([FORM, "application/json", "", "text/plain"])
)
def test_no_bytes_raise_anything_else(raw: bytes, content_type: str) -> None:
    """Arbitrary bytes are a notification or malformed."""
    try:
        read(raw, content_type, kind=None)
    except MalformedNotification:
        return


@given(
    fields=st.dictionaries(
        st.sampled_from(
            [
                "TransactionId",
                "Amount",
                "Currency",
                "Status",
                "GatewayName",
                "OperationType",
                "ReasonCode",
                "Token",
                "PaymentTransactionId",
                "Id",
                "Interval",
                "Period",
                "DocumentNumber",
                "FiscalSign",
                "AuthCode",
            ]
        ),
        st.sampled_from(["", "1", "Completed", "x"]),
    ),
    hint=st.sampled_from([None, *KINDS]),
)
def test_no_mixture_of_fields_is_money_without_a_gateway(fields: dict[str, str], hint: str | None) -> None:
    """A Pay needs GatewayName and Status on every address, whatever else is there."""
    try:
        told = read_form(urlencode(fields).encode(), hint)
    except MalformedNotification:
        return
    if told.kind is Kind.PAY:
        assert fields["GatewayName"]
        assert fields["Status"]
    if told.outcome is Outcome.SUCCEEDED:
        assert told.kind in {Kind.PAY, Kind.CONFIRM}
        assert told.status == "Completed"

"""Signed bodies that cannot be read, or only with care: kept for a person, answered, no fault of ours."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stories import cloudpayments_bodies as bodies
from tests.stories.till import State, Till

Tills = Callable[..., Till]

DEEP = 20_000


def _pay(order: Till, **changes: str | None) -> bytes:
    return bodies.form(order.fields("pay", **changes))


def _json(order: Till, extra: bytes) -> bytes:
    return bodies.as_json(order.fields("pay"))[:-1] + b"," + extra + b"}"


#: Bodies that two readers could understand differently, or nobody at all: form or JSON.
UNREADABLE: dict[str, Callable[[Till], bytes]] = {
    "broken utf-8": lambda order: _pay(order) + b"&Name=%d0%9",
    "raw bytes": lambda order: _pay(order) + b"&Name=\xff\xfe",
    "windows-1251": lambda order: _pay(order) + "&Name=Мария".encode("cp1251"),
    "percent-encoded windows-1251": lambda order: _pay(order) + b"&Name=%cc%e0%f0%e8%ff",
    "a field twice": lambda order: _pay(order) + b"&Amount=990.00",
    "a field twice, differing in case": lambda order: _pay(order) + b"&amount=1.00",
    "an id twice": lambda order: b"TransactionId=1&" + _pay(order),
    "a NUL": lambda order: _pay(order, Name="a\x00b"),
    "a NUL in a name": lambda order: _pay(order) + b"&%00=1",
    "five thousand fields": lambda order: _pay(order) + b"".join(b"&f%d=1" % n for n in range(5000)),
    "no id": lambda order: _pay(order, TransactionId=None),
    "an id of full-width digits": lambda order: _pay(order, TransactionId="３３５５"),
    "no kind": lambda order: bodies.form({"TransactionId": "7", "InvoiceId": order.transaction_id}),
    "nothing": lambda _: b"",
    "ampersands": lambda _: b"&&&&",
    "plain text": lambda _: b"hello",
    "xml": lambda _: b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
}
UNREADABLE_JSON: dict[str, Callable[[Till], bytes]] = {
    "an array": lambda order: b"[" + bodies.as_json(order.fields("pay")) + b"]",
    "a number": lambda _: b"17",
    "nested without end": lambda _: b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "brackets without end": lambda _: b"[" * DEEP,
    "a nested amount": lambda order: _json(order, b'"Extra":{"Amount":1}'),
    "a list of amounts": lambda order: _json(order, b'"Extra":["990.00"]'),
    "a field twice": lambda order: _json(order, b'"Amount":990.00'),
    "a field twice, differing in case": lambda order: _json(order, b'"AMOUNT":1'),
    "a field twice, one escaped": lambda order: _json(order, b'"\\u0041mount":1'),
    "NaN": lambda order: _json(order, b'"Extra":NaN'),
    "Infinity": lambda order: _json(order, b'"Extra":-Infinity'),
    "half a surrogate pair": lambda order: _json(order, b'"Extra":"\\ud800"'),
    "a NUL": lambda order: _json(order, b'"Extra":"\\u0000"'),
    "a byte order mark": lambda order: b"\xef\xbb\xbf" + bodies.as_json(order.fields("pay")),
    "utf-16": lambda order: bodies.as_json(order.fields("pay")).decode().encode("utf-16"),
    "cut short": lambda order: bodies.as_json(order.fields("pay"))[:-5],
    "an id of ten thousand digits": lambda _: b'{"TransactionId":' + b"9" * 10_000 + b"}",
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize(
    ("bodies_of", "content_type"), ((UNREADABLE, bodies.FORM), (UNREADABLE_JSON, bodies.JSON))
)
def test_what_cannot_be_read(
    quick_till: Tills, bodies_of: dict[str, Callable[[Till], bytes]], content_type: str
) -> None:
    """A signed body that means nothing certain is a case, answered 0 (13 to Check), and moves nothing."""
    order = quick_till()
    for number, (name, make) in enumerate(bodies_of.items(), start=1):
        raw = make(order)

        answers = [order.deliver(raw, to=address, content_type=content_type) for address in ("pay", "check")]

        assert [(answer.status, answer.code) for answer in answers] == [(200, 0), (200, 13)], name
        assert order.state() == State(
            "pending", 0, "0.00", ("unreadable",) * number, ("unreadable case",) * number
        ), name
    assert order.violations() == []


def test_unsigned_it_is_not_even_kept(quick_till: Tills) -> None:
    """A stranger's unreadable body is refused before anybody tries to read it."""
    order = quick_till()
    for name, make in (UNREADABLE | UNREADABLE_JSON).items():
        for content_type in (bodies.FORM, bodies.JSON):
            answer = order.deliver(make(order), content_type=content_type, Content_HMAC=None)
            assert answer.status == 403, name
    assert order.state() == State("pending")


@pytest.mark.parametrize("signed", (True, False))
def test_ten_megabytes(till: Tills, signed: bool) -> None:
    """Ten megabytes are refused before they are read, signed or not, and the portal serves on."""
    order = till()
    raw = _pay(order) + b"&Name=" + b"x" * 10_000_000

    with suppress(ConnectionError):  # the server may hang up before it has been sent all of it
        assert order.deliver(raw, Content_HMAC=bodies.content_hmac(raw) if signed else None).status == 413

    assert order.state() == State("pending")
    assert order.tell("pay").code == 0


def test_ten_megabytes_in_pieces(quick_till: Tills) -> None:
    """A body without a length, or with a false one, is not read without bound either."""
    order = quick_till()
    assert order.deliver(b"x" * 10_000_000).status == 413
    assert order.deliver(b"x" * 10_000_000, Content_Length="5").status in {403, 413}
    assert order.state() == State("pending")


@pytest.mark.parametrize(
    "content_type",
    (
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/json; charset=nonsense",
    ),
)
def test_a_pay_as_json(quick_till: Tills, content_type: str) -> None:
    """Told to send JSON, the gateway is understood as well, and its amounts are exact."""
    order = quick_till()
    answer = order.deliver(bodies.as_json(order.fields("pay")), to="pay", content_type=content_type)
    assert (answer.status, answer.code) == (200, 0)
    assert order.state().moved == ("succeeded", 1, "0.00")


@pytest.mark.parametrize(
    ("amount", "moved"),
    (
        ("990", "succeeded"),
        ("990.0", "succeeded"),
        ('"990.00"', "succeeded"),
        ("990.0000", "pending"),
        ("9.9e2", "pending"),
        ("989.9999999999999999999", "pending"),
        ("-990", "pending"),
        ("true", "pending"),
        ("null", "pending"),
        ('""', "pending"),
    ),
)
def test_an_amount_in_json(quick_till: Tills, amount: str, moved: str) -> None:
    """JSON numbers are read as written, never through a float."""
    order = quick_till()
    raw = bodies.as_json(order.fields("pay", Amount="990.00")).replace(b":990.00,", f":{amount},".encode(), 1)
    assert order.deliver(raw, content_type=bodies.JSON).code == 0
    assert order.state().status == moved


def test_the_merchants_own_data_may_nest(quick_till: Tills) -> None:
    """Data is free: an object, an array, a string, in JSON as it comes."""
    order = quick_till()
    raw = bodies.as_json(order.fields("pay", Data=None, CustomFields=None))
    raw = raw[:-1] + b',"Data":{"a":{"b":[1,2.5,null,true]}},"CustomFields":[{"ID":"x"}]}'
    assert order.deliver(raw, content_type=bodies.JSON).code == 0
    assert order.state().moved == ("succeeded", 1, "0.00")


@pytest.mark.parametrize(
    "content_type", (None, "", "text/xml", "multipart/form-data; boundary=x", "x" * 500, ";;;")
)
def test_another_media_type_is_read_as_a_form(quick_till: Tills, content_type: str | None) -> None:
    """Only application/json is JSON; whatever else the header says, the signed bytes are a form."""
    order = quick_till()
    headers = {"Content_Type": content_type} if content_type is None else {}
    answer = order.deliver(_pay(order), content_type=content_type or "", **headers)
    assert (answer.status, answer.code) == (200, 0)
    assert order.state().moved == ("succeeded", 1, "0.00")


@given(
    raw=st.one_of(
        st.binary(max_size=300), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))
    ),
    content_type=st.sampled_from((bodies.FORM, bodies.JSON, "text/plain")),
    address=st.sampled_from(("", *bodies.KINDS)),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_signed_bytes_are_answered(
    quick_till: Tills, raw: bytes, content_type: str, address: str
) -> None:
    """Whatever bytes the gateway may ever sign: 200 with a code, and nothing is activated."""
    order = quick_till()
    answer = order.deliver(raw, to=address, content_type=content_type)
    assert answer.status == 200
    assert isinstance(answer.code, int)
    assert order.state().moved == ("pending", 0, "0.00")


@given(
    name=st.sampled_from(sorted(bodies.fields("pay"))),
    value=st.text(st.characters(exclude_categories=()), max_size=40),
    kind=st.sampled_from(bodies.KINDS),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_one_field_may_be_anything(quick_till: Tills, name: str, value: str, kind: str) -> None:
    """With one field of a true notification replaced by any text: an answer with a code, no law broken."""
    order = quick_till()
    told = order.fields(kind) | {name: value.encode("utf-8", "replace").decode()}
    answer = order.deliver(bodies.form(told), to=kind)
    assert answer.status == 200
    assert isinstance(answer.code, int)
    assert order.state().periods in {0, 1}

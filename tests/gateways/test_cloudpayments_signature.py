from __future__ import annotations

import hashlib
import hmac

import pytest

from portal.gateways.cloudpayments import content_hmac, is_authentic, verify_signature

SECRET = "a1b2c3d4e5f60718293a4b5c6d7e8f90"

# Vectors S (form), J (JSON) and Q (query string) of the protocol reference; S was cross-checked with OpenSSL.
FORM = (
    b"TransactionId=1001&Amount=10.00&Currency=RUB&DateTime=2026-01-15+10%3a20%3a30&Description=%d0%9e%d0%bf%d0%bb"
    b"%d0%b0%d1%82%d0%b0+%d1%81%d1%87%d1%91%d1%82%d0%b0&TestMode=1&Status=Completed"
)
JSON = (
    '{"TransactionId":1001,"Amount":10.00,"Currency":"RUB","DateTime":"2026-01-15 10:20:30",'
    '"Description":"Оплата счёта","TestMode":true,"Status":"Completed"}'
).encode()
QUERY = (
    b"TransactionId=1001&Amount=10.00&Currency=RUB&Description=%d0%9e%d0%bf%d0%bb%d0%b0%d1%82%d0%b0+"
    b"%d1%81%d1%87%d1%91%d1%82%d0%b0&Status=Completed"
)
VECTORS = [
    pytest.param(FORM, 185, "pUuwGrD5T+X/UZ26q5yA6J3uVt+hyMG+u+8Kk9hDBVw=", id="S"),
    pytest.param(JSON, 164, "/xUTnJTscvq33Dtn/gGGPef0GYYxy3joJG2iW2DaZQg=", id="J"),
    pytest.param(QUERY, 141, "aXy56jXJUyVWt7Y7aFzR5JDDArcydGFNIUrIFU8XW30=", id="Q"),
]


@pytest.mark.parametrize(("message", "length", "expected"), VECTORS)
def test_the_vectors_of_the_reference_verify(message: bytes, length: int, expected: str) -> None:
    """Content-HMAC is base64 of HMAC-SHA256 over exactly the bytes received."""
    assert len(message) == length
    assert content_hmac(SECRET, message) == expected
    assert is_authentic(SECRET, message, expected)


@pytest.mark.parametrize(("message", "length", "expected"), VECTORS)
def test_one_changed_bit_of_a_body_is_not_authentic(message: bytes, length: int, expected: str) -> None:
    """Any other bytes, even the same fields encoded anew, do not verify."""
    for position in range(0, length, 17):
        forged = bytearray(message)
        forged[position] ^= 1
        assert not is_authentic(SECRET, bytes(forged), expected)
    assert not is_authentic(SECRET, message + b"\n", expected)
    assert not is_authentic(SECRET, message.replace(b"%3a", b"%3A") + b" ", expected)


@pytest.mark.parametrize(
    "header", (None, "", "нет", "\udcff", "pUuwGrD5T+X/UZ26q5yA6J3uVt+hyMG+u+8Kk9hDBVw", " ", "=" * 44)
)
def test_a_wrong_header_is_refused_and_never_an_error(header: str | None) -> None:
    """A missing, cut or non-ASCII signature is simply not authentic."""
    assert not is_authentic(SECRET, FORM, header)


def test_an_empty_secret_authenticates_nobody() -> None:
    """A shop without a secret must not accept what anybody can sign with an empty key."""
    assert not is_authentic("", FORM, content_hmac("", FORM))
    assert not verify_signature({"a": "1"}, hmac.new(b"", b"1;", hashlib.sha256).hexdigest(), "")


def test_the_relay_signature_is_the_seeds() -> None:
    """Hex HMAC-SHA256 over the values in the order of the field names, each followed by a semicolon."""
    fields = {
        "TransactionId": "1001",
        "Amount": "10.00",
        "Description": "Оплата",
        "Empty": "",
        "Signature": "x",
    }
    expected = hmac.new(SECRET.encode(), "10.00;Оплата;;1001;".encode(), hashlib.sha256).hexdigest()

    assert verify_signature(fields, expected, SECRET)
    assert verify_signature(dict(reversed(fields.items())), expected, SECRET)
    assert not verify_signature(fields | {"Amount": "10.01"}, expected, SECRET)
    assert not verify_signature(fields | {"Extra": "1"}, expected, SECRET)
    assert not verify_signature(fields, expected, SECRET + "0")


@pytest.mark.parametrize("signature", ("", "нет", "0" * 64))
def test_a_wrong_relay_signature_is_refused(signature: str) -> None:
    """Nothing but the exact hex text verifies, and no text is an error."""
    assert not verify_signature({"Amount": "10.00"}, signature, SECRET)

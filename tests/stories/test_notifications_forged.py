"""Authentic or nothing: what CloudPayments did not sign is refused with 403 and leaves no trace."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest

from portal import clock
from portal.billing import settings
from tests.stories import cloudpayments_bodies as bodies
from tests.stories.till import CLOUDPAYMENTS, State, Till

Tills = Callable[..., Till]

PENDING = State("pending")


def _hex(raw: bytes) -> str:
    return hmac.new(bodies.SECRET.encode(), raw, hashlib.sha256).hexdigest()


#: Signatures that are none, made of the true body.
FORGERIES: dict[str, Callable[[bytes], str | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: "",
    "space": lambda _: " ",
    "non-ascii": lambda _: "подпись".encode().decode("latin-1"),
    "nonsense": lambda _: "bm90IHRoZSBzaWduYXR1cmU=",
    "of another secret": lambda raw: bodies.content_hmac(raw, "another-secret"),
    "of an empty secret": lambda raw: bodies.content_hmac(raw, ""),
    "of the public id": lambda raw: bodies.content_hmac(raw, "test_api_00000000000000000000002"),
    "hexadecimal": _hex,
    "lower case": lambda raw: bodies.content_hmac(raw).lower(),
    "without its padding": lambda raw: bodies.content_hmac(raw).rstrip("="),
    "with more behind": lambda raw: bodies.content_hmac(raw) + "=",
    "twice": lambda raw: f"{bodies.content_hmac(raw)}, {bodies.content_hmac(raw)}",
    "a plain hash": lambda raw: base64.b64encode(hashlib.sha256(raw).digest()).decode(),
    "of an empty body": lambda _: bodies.content_hmac(b""),
    "of 100 KB": lambda _: "A" * 60_000,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_notification_leaves_no_trace(till: Tills, forgery: str) -> None:
    """A Pay with such a signature is refused and changes nothing; the same bytes signed are taken."""
    order = till()
    raw = bodies.form(order.fields("pay"))

    answer = order.deliver(raw, to="pay", Content_HMAC=FORGERIES[forgery](raw))

    assert (answer.status, answer.code) in {(403, None), (400, None)}  # 400: the server refuses such a header
    assert order.state() == PENDING
    assert order.deliver(raw, to="pay").code == 0


@pytest.mark.parametrize("kind", bodies.KINDS)
def test_no_kind_is_taken_unsigned(till: Tills, kind: str) -> None:
    """No kind, on no address, is believed without a signature; not even Check is answered."""
    order = till()
    raw = bodies.form(order.fields(kind))
    for address in ("", kind):
        answer = order.deliver(raw, to=address, Content_HMAC=None)
        assert (answer.status, answer.code) == (403, None)
    assert order.state() == PENDING


def test_every_byte_is_covered(quick_till: Tills) -> None:
    """Change any byte of a signed body, or add or take one, and the signature is not its own any more."""
    order = quick_till()
    raw = bodies.form(order.fields("pay"))
    signature = bodies.content_hmac(raw)
    tampered = [raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :] for place in range(0, len(raw), 23)]
    tampered += [
        raw + b"\n",
        raw[:-1],
        b" " + raw,
        raw + b"&Amount=990.00",
        b"",
        raw.replace(b"%d0", b"%D0", 1),
    ]

    answers = [order.deliver(body, to="pay", Content_HMAC=signature) for body in tampered]

    assert {answer.status for answer in answers} == {403}
    assert order.state() == PENDING


def test_the_decoded_signature_alone_is_not_enough(till: Tills) -> None:
    """X-Content-HMAC covers an ambiguous text (a=1%26b=2 is a=1&b=2), so it proves nothing here."""
    order = till()
    raw = bodies.form(order.fields("pay"))
    answer = order.deliver(raw, Content_HMAC=None, X_Content_HMAC=bodies.content_hmac(raw))
    assert answer.status == 403
    assert order.state() == PENDING


def test_a_signature_of_the_body_does_not_cover_the_query(till: Tills) -> None:
    """What stands in the address is not signed and not read: only the body speaks."""
    order = till()
    raw = bodies.form(order.fields("pay", Amount="1.00"))
    address = f"{CLOUDPAYMENTS}pay/?Amount=990.00&InvoiceId={order.transaction_id}"
    answer = order.post("POST", address, raw, _signed(raw))
    assert answer.code == 0
    assert order.state().cases == ("amount_mismatch",)


def test_a_notification_by_get(till: Tills) -> None:
    """CloudPayments may be told to notify by GET: then the query is what is signed."""
    order = till()
    query = bodies.form(order.fields("pay"))
    address = f"{CLOUDPAYMENTS}pay/?{query.decode()}"

    refused = order.post("GET", address, b"", _signed(query, "another-secret"))
    assert (refused.status, order.state()) == (403, PENDING)
    taken = order.post("GET", address, b"", _signed(query))

    assert (taken.status, taken.code) == (200, 0)
    assert order.state().moved == ("succeeded", 1, "0.00")


def test_the_secret_of_now_is_the_one_that_counts(till: Tills) -> None:
    """After the operator changed the API secret the old one signs nothing."""
    order = till()
    with order.app.app_context():
        settings.put("cloudpayments_api_secret", "the-new-secret", clock.now())
    raw = bodies.form(order.fields("pay"))

    assert order.deliver(raw).status == 403
    assert order.deliver(raw, Content_HMAC=bodies.content_hmac(raw, "the-new-secret")).code == 0


def test_without_a_secret_nobody_is_believed(till: Tills) -> None:
    """A shop without a secret (CloudPayments closed) takes nothing, not even what is signed with nothing."""
    order = till()
    with order.app.app_context():
        settings.put("cloudpayments_api_secret", "", clock.now())
        settings.put("cloudpayments_relay_signature", "true", clock.now())
    told = order.fields("pay")
    raw = bodies.form(told)

    forged = [
        order.deliver(raw),
        order.deliver(raw, Content_HMAC=bodies.content_hmac(raw, "")),
        order.deliver(raw, Content_HMAC=None, X_Signature=bodies.relay_signature(told, "")),
    ]

    assert {answer.status for answer in forged} == {403}
    assert order.state() == PENDING


def test_the_relay_signature_is_off_by_default(till: Tills) -> None:
    """The seed's X-Signature, though right, opens nothing while its setting is off."""
    order = till()
    told = order.fields("pay")
    answer = order.deliver(bodies.form(told), Content_HMAC=None, X_Signature=bodies.relay_signature(told))
    assert answer.status == 403
    assert order.state() == PENDING


def test_the_relay_signature_where_it_is_on(till: Tills) -> None:
    """Switched on, a right X-Signature is taken; a wrong, foreign, non-ASCII or tampered one is not."""
    order = till()
    with order.app.app_context():
        settings.put("cloudpayments_relay_signature", "true", clock.now())
    told = order.fields("pay")
    raw, right = bodies.form(told), bodies.relay_signature(told)

    refused = [
        order.deliver(raw, Content_HMAC=None, X_Signature=signature)
        for signature in (
            "",
            "x",
            right.upper(),
            right[:-1],
            bodies.relay_signature(told, "other"),
            "\xff\xfe",
        )
    ]
    refused += [
        order.deliver(bodies.form(told | changes), Content_HMAC=None, X_Signature=right)
        for changes in ({"Amount": "991.00"}, {"InvoiceId": "x"}, {"Extra": "1"})
    ]
    refused += [
        order.deliver(broken, Content_HMAC=None, X_Signature=right)
        for broken in (b"\xff\xfe=1", raw + b"&Amount=1.00", b"")
    ]
    assert {answer.status for answer in refused} == {403}
    assert order.state() == PENDING

    relayed = bodies.form(told | {"Signature": "is not signed itself"})
    assert order.deliver(relayed, Content_HMAC=None, X_Signature=right).code == 0
    assert order.state().moved == ("succeeded", 1, "0.00")


def test_the_gateways_own_signature_goes_on_while_relaying(till: Tills) -> None:
    """The relay scheme is a second door, not another lock for the first one."""
    order = till()
    with order.app.app_context():
        settings.put("cloudpayments_relay_signature", "true", clock.now())
    assert order.tell("pay").code == 0


def _signed(raw: bytes, secret: str = bodies.SECRET) -> dict[str, str]:
    return {"Content-HMAC": bodies.content_hmac(raw, secret), "Content-Type": bodies.FORM}

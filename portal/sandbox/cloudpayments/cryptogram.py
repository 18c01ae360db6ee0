"""The sandbox's card cryptogram: base64 of JSON, made by its own ``checkout.js``.

The real one is encrypted with RSA and opaque; this one holds a test card and is readable, which is why no
real card belongs into it. Like the real one it can be used once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from portal.sandbox.cloudpayments.binding import BadRequest
from portal.sandbox.cloudpayments.cards import EnteredCard, digits_of
from portal.sandbox.store import Store

KIND = "cloudpayments_cryptogram"
_INVALID = "Invalid CardCryptogramPacket value"


def make_cryptogram(number: str, month: int, year: int, nonce: str = "") -> str:
    """Return a packet for a card; different nonces make packets that can each be used once."""
    card = {"cardNumber": number, "expDateMonth": month, "expDateYear": year, "nonce": nonce}
    return base64.b64encode(json.dumps(card).encode()).decode()


def read_cryptogram(store: Store, packet: str) -> EnteredCard:
    """Return the card inside and use the packet up; raises ``BadRequest`` for one that is spoilt or used."""
    try:
        inside: Any = json.loads(base64.b64decode(packet, validate=True))
        number = digits_of(str(inside["cardNumber"]))
        month, year = int(inside["expDateMonth"]), int(inside["expDateYear"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise BadRequest(_INVALID) from error
    if not 12 <= len(number) <= 19 or not 1 <= month <= 12:
        raise BadRequest(_INVALID)
    key = hashlib.sha256(packet.encode()).hexdigest()
    with store.transaction():
        if store.get(KIND, key) is not None:
            raise BadRequest(_INVALID)
        store.put(KIND, key, {})
    return EnteredCard(number, month, year % 100 + 2000)

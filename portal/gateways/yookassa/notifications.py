"""YooKassa's notifications: a bell without a signature. Only ids are taken from them; what is true is read
from the API.

The body is never given to the SDK, whose models set an attribute for every key that a stranger cares to send.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from portal.gateways.wire import MalformedNotification, Unreadable, json_object
from portal.gateways.yookassa.reading import is_id

# https://yookassa.ru/developers/using-api/webhooks#ip
DEFAULT_NETWORKS: tuple[str, ...] = (
    "185.71.76.0/27",
    "185.71.77.0/27",
    "77.75.153.0/25",
    "77.75.154.128/25",
    "77.75.156.11",
    "77.75.156.35",
    "2a02:5180::/32",
)

LARGEST_BODY = 1024 * 1024

_EVENT = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}", re.ASCII)
# Payouts and deals, to which this portal does not subscribe, have ids of other forms ("po-…", "dl-…").
_FOREIGN_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_OUR_OBJECTS = ("payment", "refund", "payment_method")


@dataclass(frozen=True, slots=True)
class YooKassaNotification:
    """Which object to read back. For a refund ``object_id`` is the refund's id and ``payment_id`` its
    payment's.
    """

    event: str
    object_id: str
    payment_id: str | None


def read(raw: bytes) -> YooKassaNotification:
    """Take the event and the ids out of a body that anybody may have sent. Raises MalformedNotification for
    anything odd.
    """
    if len(raw) > LARGEST_BODY:
        raise MalformedNotification
    try:
        body = json_object(raw, unique=True)
    except Unreadable as error:
        raise MalformedNotification from error
    event, told = body.get("event"), body.get("object")
    if body.get("type", "notification") != "notification":
        raise MalformedNotification
    if not isinstance(event, str) or not _EVENT.fullmatch(event) or not isinstance(told, dict):
        raise MalformedNotification
    subject = event.partition(".")[0]
    object_id = told.get("id")
    if not isinstance(object_id, str) or not _is_id_of(subject, object_id):
        raise MalformedNotification
    if subject == "payment":
        return YooKassaNotification(event, object_id, object_id)
    if subject == "refund":
        payment_id = told.get("payment_id")
        if not is_id(payment_id):
            raise MalformedNotification
        return YooKassaNotification(event, object_id, payment_id)
    return YooKassaNotification(event, object_id, None)


def _is_id_of(subject: str, text: str) -> bool:
    return is_id(text) if subject in _OUR_OBJECTS else _FOREIGN_ID.fullmatch(text) is not None


def is_from_yookassa(
    address: str, networks: Iterable[str | IPv4Network | IPv6Network] = DEFAULT_NETWORKS
) -> bool:
    """Tell whether *address* lies in one of *networks*.

    IPv4 in IPv6's clothes (``::ffff:185.71.76.1``, what a dual-stack socket reports) counts as IPv4. An
    address that cannot be read is nobody's; a network that cannot be read raises ValueError, since that is
    the operator's mistake.
    """
    known = [ip_network(network) if isinstance(network, str) else network for network in networks]
    try:
        found: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in known)

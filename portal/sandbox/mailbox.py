"""The mailbox: letters that a program under test sent here instead of to people."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses
from typing import Any

from portal.sandbox.clock import iso
from portal.sandbox.errors import ControlError
from portal.sandbox.store import Document
from portal.sandbox.world import World

_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")


def receive(world: World, raw: bytes) -> Document:
    """Keep one raw RFC 5322 message and return it as it will be shown; an empty one is a ControlError 400."""
    message = message_from_bytes(raw, EmailMessage, policy=default)
    if not raw.strip() or not message.keys():
        raise ControlError(400, "NO_LETTER", "Send one raw RFC 5322 message as the request body.")
    text = _part(message, "plain")
    html = _part(message, "html")
    with world.store.transaction():
        key = f"m-{world.store.number('letter', 1):06d}"
        letter: Document = {
            "id": key,
            "from": str(message.get("From", "")),
            "to": [address for _, address in getaddresses([str(v) for v in message.get_all("To", [])])],
            "subject": str(message.get("Subject", "")),
            "date": str(message.get("Date", "")),
            "text": text,
            "html": html,
            "links": list(dict.fromkeys(_LINK.findall(text) or _LINK.findall(html))),
            "received_at": iso(world.clock.now()),
        }
        world.store.put("letter", key, letter)
    return letter


def letters(world: World, to: str | None = None) -> list[Document]:
    """Return the letters, oldest first; ``to`` keeps those addressed to one person."""
    found = world.store.all("letter")
    return [letter for letter in found if to is None or to.lower() in [a.lower() for a in letter["to"]]]


def pieces(text: str) -> list[tuple[str, bool]]:
    """Cut a text into plain pieces and links (True), for a page that makes the links clickable."""
    cut: list[tuple[str, bool]] = []
    end = 0
    for match in _LINK.finditer(text):
        cut += [(text[end : match.start()], False), (match.group(), True)]
        end = match.end()
    return [piece for piece in [*cut, (text[end:], False)] if piece[0]]


def _part(message: EmailMessage, subtype: str) -> str:
    body: Any = message.get_body(preferencelist=(subtype,))
    if body is None:
        return ""
    try:
        return str(body.get_content()).replace("\r\n", "\n")
    except (LookupError, UnicodeError):  # an unknown charset; show what can be shown
        return bytes(body.get_payload(decode=True) or b"").decode("utf-8", "replace")

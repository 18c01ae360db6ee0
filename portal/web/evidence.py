"""What of a notification's headers is kept for the day on which somebody disputes it.

Who called, with what, and which signature was right. A signature is a key to this very body, so no more than
its beginning is kept: enough to compare, too little to send.
"""

from __future__ import annotations

from werkzeug.datastructures import Headers

from portal.models.webhook_event import PROVED_BY

#: The names as they are written; anything else, cookies and credentials among it, is never kept.
KEPT = ("Content-Type", "User-Agent", "X-Request-ID", "Content-HMAC", "X-Content-HMAC", "X-Signature")
_SECRET = frozenset({"Content-HMAC", "X-Content-HMAC", "X-Signature"})
_LONGEST = 200
_BEGINNING = 8


def of(headers: Headers, proved_by: str = "") -> dict[str, str]:
    """The headers worth keeping of a request that was proved authentic by one of them, or by its network."""
    found = {name: _shown(name, value) for name in KEPT if (value := headers.get(name))}
    return {**found, PROVED_BY: proved_by} if proved_by else found


def _shown(name: str, value: str) -> str:
    """Printable, and of a signature the beginning only."""
    text = "".join(sign if sign.isprintable() else "?" for sign in value[:_LONGEST])
    return f"{text[:_BEGINNING]}…" if name in _SECRET else text

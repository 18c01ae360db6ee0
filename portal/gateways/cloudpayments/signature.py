"""Who speaks: the two signatures under which CloudPayments' words may arrive.

`Content-HMAC` is the gateway's own and is always demanded. The relay scheme of the seed exists for shops that
forward notifications in that form; billing uses it only where the setting allows it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping


def content_hmac(secret: str, message: bytes) -> str:
    """Base64 of HMAC-SHA256 over *message*: the raw body, or the query string of a GET (CloudPayments,
    "Проверка HMAC").
    """
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode("ascii")


def is_authentic(secret: str, message: bytes, header: str | None) -> bool:
    """Tell whether *header* is the Content-HMAC of exactly these bytes. An empty secret
    authenticates nobody.
    """
    return _same(content_hmac(secret, message), header) if secret else False


def verify_signature(fields: Mapping[str, str], signature: str, secret: str) -> bool:
    """Tell whether *signature* is the seed's relay signature of *fields*.

    Hex HMAC-SHA256 over the values of all fields but ``Signature``, in the order of the field names, each
    followed by ``;``. The names themselves are not covered, so this is weaker than Content-HMAC and never a
    substitute for it.
    """
    if not secret:
        return False
    message = "".join(f"{fields[name]};" for name in sorted(fields) if name != "Signature")
    return _same(hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest(), signature)


def _same(expected: str, given: str | None) -> bool:
    """Compare in constant time, as bytes: a header may hold anything, and compare_digest refuses non-ASCII
    text.
    """
    return hmac.compare_digest(expected.encode(), (given or "").encode("utf-8", "replace"))

"""The two terminals of the sandbox, named like those of the documentation's own examples."""

from __future__ import annotations

import hmac

PUBLIC_ID = "test_api_00000000000000000000002"
API_SECRET = "sandbox-api-secret"
OTHER_PUBLIC_ID = "test_api_00000000000000000000001"
OTHER_API_SECRET = "sandbox-api-secret-1"

_SECRETS = {PUBLIC_ID: API_SECRET, OTHER_PUBLIC_ID: OTHER_API_SECRET}


def known(public_id: str) -> bool:
    """Tell whether there is such a terminal."""
    return public_id in _SECRETS


def secret(public_id: str) -> str:
    """Return the terminal's API Secret; raises ``KeyError`` for an unknown terminal."""
    return _SECRETS[public_id]


def admits(public_id: str, api_secret: str) -> bool:
    """Tell whether login and password of HTTP Basic belong together."""
    return known(public_id) and hmac.compare_digest(secret(public_id).encode(), api_secret.encode())

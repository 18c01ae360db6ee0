"""Where a customer may be sent to pay: YooKassa's own hosts and nothing that merely looks like them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from portal.gateways.yookassa.transport import PRODUCTION

_OWN = ("yookassa.ru", "yoomoney.ru")

# Browsers and urlsplit disagree about backslashes, control characters and blanks, so an address that has any
# is refused.
_PLAIN = re.compile(r"https?://[!-~]+", re.ASCII | re.IGNORECASE)


def is_payment_page(url: str, api_url: str) -> bool:
    """Tell whether *url* is on YooKassa's hosts over https, or on the host of *api_url* when that is a
    simulator's.
    """
    if not _PLAIN.fullmatch(url) or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc:
        return False
    if parts.scheme == "https" and any(host == own or host.endswith(f".{own}") for own in _OWN):
        return True
    simulator = urlsplit(api_url).hostname
    return simulator != urlsplit(PRODUCTION).hostname and host == simulator

"""Who may drive the sandbox: this machine, and no foreign web page on it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import request

from portal.sandbox.errors import ControlError


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def require_this_machine() -> None:
    """Refuse (403) a request that comes from elsewhere, or from another site's page in a browser here.

    The Host header is checked too, because a foreign name may be made to resolve to 127.0.0.1.
    """
    if not _is_loopback(request.remote_addr) or not _is_loopback(urlsplit(f"//{request.host}").hostname):
        raise ControlError(403, "LOOPBACK_ONLY", "The sandbox takes orders from its own machine only.")
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    foreign = origin is not None and origin != request.host_url.rstrip("/")
    if request.method not in ("GET", "HEAD") and (foreign or site not in ("none", "same-origin")):
        raise ControlError(403, "FOREIGN_ORIGIN", "Another site's page may not drive the sandbox.")

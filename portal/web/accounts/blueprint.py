"""Where the account pages hang, and what all of them ask."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal import running
from portal.accounts import throttle
from portal.web.accounts.devices import device
from portal.web.guards import own_path

bp = Blueprint("accounts", __name__)
bp.add_app_template_filter(device)

#: What one address may ask for in an hour: new accounts, letters with a link.
OFTEN = "20 per hour"

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def address() -> str:
    """Where the request comes from, by the trusted proxies' word only (ProxyFix)."""
    return request.remote_addr or ""


def take_turn(what: str, who: str | None = None, often: str = OFTEN) -> None:
    """Count one request for *what* by this address, or by *who*. Raises TooOften.

    The sandbox makes customers by the hundred from loopback.
    """
    if not (running.config().sandbox and address() in _LOOPBACK):
        throttle.take(throttle.requests_of(what, who or address(), often))


def next_path() -> str | None:
    """Where the person was going, if that is a page of ours; the form's word before the address line's."""
    return own_path(request.form.get("next")) or own_path(request.args.get("next"))


def go_on() -> ResponseReturnValue:
    """On to where the person was going, or to the dashboard."""
    return redirect(next_path() or url_for("dashboard.show"), 303)

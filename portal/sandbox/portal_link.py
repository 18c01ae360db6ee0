"""The two questions the sandbox asks the portal that it was started beside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

from portal.sandbox.clock import parse_iso
from portal.sandbox.settings import Settings

_WORK_LIMIT = 600
"""Seconds the portal may need for all that fell due at one moment."""


class PortalUnreachableError(Exception):
    """The portal did not answer, or not as agreed."""


class Portal:
    """The portal named by the setting ``portal_url``; without one it is simply not asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def url(self) -> str | None:
        """Base URL without a trailing slash, or None."""
        url = self._settings["portal_url"]
        return url.rstrip("/") if url else None

    def widget_parameters(self, reference: str) -> dict[str, Any] | None:
        """What the portal's page would hand to CloudPayments' ``start()`` for one payment, or None."""
        if self.url is None:
            return None
        try:
            answer = self._call("GET", f"/billing/sandbox/widget/{quote(reference, safe='')}", timeout=10)
        except PortalUnreachableError:
            return None
        return answer or None

    def move_clock(self, now: datetime) -> datetime | None:
        """Tell the portal the time, wait until it has done what fell due, and return when it is due next."""
        # To the microsecond: a portal that is told a moment rounded down would find nothing due yet.
        told = now.astimezone(UTC).isoformat().replace("+00:00", "Z")
        answer = self._call("POST", "/billing/sandbox/clock", json={"now": told}, timeout=_WORK_LIMIT)
        due = answer.get("next_due")
        try:
            return parse_iso(due) if due else None
        except (TypeError, ValueError) as error:
            raise PortalUnreachableError(f"the portal's next_due is {due!r}") from error

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        with requests.Session() as session:
            session.trust_env = False
            try:
                response = session.request(method, f"{self.url}{path}", allow_redirects=False, **kwargs)
            except requests.RequestException as error:
                raise PortalUnreachableError(str(error)) from error
        if response.status_code != 200:
            raise PortalUnreachableError(f"{method} {path} answered HTTP {response.status_code}")
        try:
            answer = response.json()
        except ValueError as error:
            raise PortalUnreachableError(f"{method} {path} answered no JSON") from error
        if not isinstance(answer, dict):
            raise PortalUnreachableError(f"{method} {path} answered no JSON object")
        return answer

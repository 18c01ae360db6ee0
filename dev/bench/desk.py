"""Pages of the operator's desk over HTTP, timed by whoever waits for them."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import requests

from dev.bench.calls import Timing

EMAIL = "bench@example.com"
#: What an operator looks at while nobody knows yet what is wrong: the shop in numbers, and its payments.
PAGES = {
    "a day": "/admin/statistics/?kind=live&period=today",
    "30 days": "/admin/statistics/?kind=live&period=days30",
    "half a year": "/admin/statistics/?kind=live&since={half}",
    "a year": "/admin/statistics/?kind=live&period=year",
    "two years": "/admin/statistics/?kind=live&since={two}",
    "a month ago": "/admin/statistics/?kind=live&period=last-month&gateway=yookassa",
    "register": "/admin/register/?period=year",
    "payments": "/admin/payments/",
    "refused": "/admin/payments/?flt0_status=failed&flt0_gateway=yookassa",
    "a card": "/admin/payments/?flt0_last4=0007",
    "undecided": "/admin/payments/?flt0_status=unknown",
    "long ago": "/admin/payments/?flt0_paid-since={half}&flt0_paid-until={half}&flt0_fee=0",
}
#: Those that count.
NUMBERS = tuple(name for name, address in PAGES.items() if "statistics" in address or "register" in address)
_TOKEN = re.compile(r'<meta name="csrf-token" content="([^"]+)"')


@dataclass(slots=True)
class Operator:
    """Who looks at the desk with one browser."""

    base: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    _session: requests.Session = field(default_factory=requests.Session)

    def sign_in(self) -> None:
        """Open the desk by the form that a person fills."""
        token = _TOKEN.search(self._page("/login"))
        form = {"csrf_token": token[1] if token else "", "email": EMAIL, "password": self.password}
        answer = self._session.post(f"{self.base}/login", data=form, timeout=60)
        if not answer.ok:
            raise RuntimeError(f"POST /login answered {answer.status_code}: {answer.text[:300]!r}")

    def look(self, name: str, times: int) -> Timing:
        """The same page again and again, each time as soon as the last one has come."""
        waited, today = [], datetime.now(UTC).date()
        ago = {"half": today - timedelta(days=182), "two": today - timedelta(days=730)}
        address = PAGES[name].format(**ago)
        for _ in range(times):
            begun = time.perf_counter()
            self._page(address)
            waited.append(time.perf_counter() - begun)
        return Timing(name, tuple(waited))

    def _page(self, path: str) -> str:
        """The page itself: anything else, the door of the desk included, ends the run."""
        answer = self._session.get(f"{self.base}{path}", timeout=60, allow_redirects=False)
        if answer.status_code != 200:
            raise RuntimeError(f"GET {path} answered {answer.status_code}: {answer.text[:300]!r}")
        return answer.text

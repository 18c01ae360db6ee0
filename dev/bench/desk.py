"""Pages of the operator's desk over HTTP, timed by whoever waits for them."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field

import requests

from dev.bench.calls import Timing

EMAIL = "bench@example.com"
#: What an operator looks at while nobody knows yet what is wrong: the shop in numbers, and its payments.
PAGES = {
    "30 days": "/admin/statistics/?period=days30&kind=test",
    "a year": "/admin/statistics/?period=year&kind=test",
    "payments": "/admin/payments/",
    "refused": "/admin/payments/?flt0_status=failed&flt0_gateway=yookassa",
}
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
        waited = []
        for _ in range(times):
            begun = time.perf_counter()
            self._page(PAGES[name])
            waited.append(time.perf_counter() - begun)
        return Timing(name, tuple(waited))

    def _page(self, path: str) -> str:
        """The page itself: anything else, the door of the desk included, ends the run."""
        answer = self._session.get(f"{self.base}{path}", timeout=60, allow_redirects=False)
        if answer.status_code != 200:
            raise RuntimeError(f"GET {path} answered {answer.status_code}: {answer.text[:300]!r}")
        return answer.text

"""The pages on which customers decide, over HTTP as a signed-in customer with a history, timed."""

from __future__ import annotations

import http.client
import re
import secrets
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import psycopg
from flask import Flask
from sqlalchemy import event

from dev.bench.calls import Timing
from portal.database import db

#: Somebody of whom dev/bench/payments.py has written two years.
EMAIL = "payer-30@example.com"
PAGES = ("/", "/plans", "/checkout/PRO_MONTHLY", "/dashboard/")
_TOKEN = re.compile(r'<meta name="csrf-token" content="([^"]+)"')
# What was sent in the present period, some times a day.
_USES = """
    INSERT INTO usage_records (user_id, purchased_plan_id, quantity, idempotency_key, emails_left, created_at)
    SELECT p.user_id, p.id, 7, 'bench-' || n, p.email_quota - 7 * n,
    greatest(p.starts_at, now() - interval '30 days') + n * interval '1 minute'
    FROM purchased_plans p JOIN users u ON u.id = p.user_id, generate_series(1, 300) n
    WHERE u.email = %(email)s AND p.starts_at <= now() AND p.ends_at > now()"""
_USED = """
    UPDATE purchased_plans p SET emails_used = 2100 FROM users u
    WHERE u.id = p.user_id AND u.email = %(email)s AND p.starts_at <= now() AND p.ends_at > now()"""


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Let this customer have sent something, and be nobody's operator any more."""
    for statement in (_USES, _USED, "UPDATE users SET role = NULL WHERE email = %(email)s"):
        connection.execute(statement, {"email": EMAIL})
    connection.execute("VACUUM ANALYZE")


@dataclass(slots=True)
class Customer:
    """One browser of that customer, which keeps its connection open."""

    port: int
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    cookies: dict[str, str] = field(default_factory=dict)

    def sign_in(self) -> None:
        """Enter by the form that a person fills."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            token = _TOKEN.search(self._get(connection, "/login"))
            form = {"csrf_token": token[1] if token else "", "email": EMAIL, "password": self.password}
            headers = {**self._headers(), "Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/login", urlencode(form), headers)
            self._read(connection, {302, 303})

    def look(self, path: str, times: int) -> Timing:
        """The same page again and again, each time as soon as the last one has come."""
        waited = []
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            for _ in range(times):
                begun = time.perf_counter()
                self._get(connection, path)
                waited.append(time.perf_counter() - begun)
        return Timing(path, tuple(waited))

    def statements(self, app: Flask) -> dict[str, int]:
        """How many statements each page sends to the database, when it is not the first of its process."""
        counted: dict[str, int] = {}
        sent: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            sent.append(statement)

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
        client = app.test_client()
        for name, value in self.cookies.items():
            client.set_cookie(name, value)
        for path in PAGES:
            client.get(path)
            sent.clear()
            client.get(path)
            counted[path] = len(sent)
        with app.app_context():
            event.remove(db.engine, "before_cursor_execute", note)
        return counted

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _get(self, connection: http.client.HTTPConnection, path: str) -> str:
        """The page itself: anything else ends the run."""
        connection.request("GET", path, headers=self._headers())
        return self._read(connection, {200})

    def _read(self, connection: http.client.HTTPConnection, wanted: set[int]) -> str:
        answer = connection.getresponse()
        said = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        if answer.status not in wanted:
            raise RuntimeError(f"answered {answer.status}: {said[:300]!r}")
        return said

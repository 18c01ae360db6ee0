"""A person at a browser, for tests of pages: keeps cookies, reads the token out of the page, sends forms."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

PASSWORD = "three calm herons"


class Browser:
    """One browser of one person at one address."""

    def __init__(
        self, app: Flask, address: str = "198.51.100.7", agent: str = "Mozilla/5.0 (X11; Linux) Firefox/140.0"
    ) -> None:
        """Open an empty browser."""
        self.client = app.test_client()
        self._surroundings = {"REMOTE_ADDR": address, "HTTP_USER_AGENT": agent}

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, environ_overrides=self._surroundings, **options)

    def post(self, path: str, *, page: str | None = None, **fields: str) -> TestResponse:
        """Send a form as its *page* (the same path where none is given) would."""
        form = fields | {"csrf_token": self.token(page or path)}
        return self.client.post(path, data=form, environ_overrides=self._surroundings)

    def send(self, path: str, **options: Any) -> TestResponse:
        """POST without any token but what *options* say."""
        return self.client.post(path, environ_overrides=self._surroundings, **options)

    def token(self, page: str = "/login") -> str:
        """The session's CSRF token as a page carries it."""
        found = re.search(r'name="csrf-token" content="([^"]+)"', self.get(page).text)
        assert found, f"{page} carries no token"
        return found[1]

    def register(
        self, email: str = "ira@example.com", password: str = PASSWORD, **fields: str
    ) -> TestResponse:
        return self.post("/register", email=email, password=password, accept_privacy="y", **fields)

    def sign_in(
        self, email: str = "ira@example.com", password: str = PASSWORD, **fields: str
    ) -> TestResponse:
        return self.post("/login", email=email, password=password, **fields)

    def is_in(self) -> bool:
        """Whether the account page opens."""
        return self.get("/account/").status_code == 200


def bare(page: str, email: str) -> str:
    """A page without what is different on every request."""
    page = page.replace(email, "EMAIL")
    page = re.sub(r'(name="next" value=)"[^"]*"', r"\1", page)
    return re.sub(r'(csrf[-_]token" (?:content|value)=)"[^"]+"', r"\1", page)

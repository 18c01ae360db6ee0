"""What the tests of accounts stand on: a context, a moment, a customer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask

from portal.accounts import registration
from portal.models import User

PASSWORD = "three calm herons"
HOME = "198.51.100.7"


@pytest.fixture(autouse=True)
def limits(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count tries as in production: the suite's portal does not."""
    monkeypatch.setitem(app.config, "RATELIMIT_ENABLED", True)


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture
def ira(context: Flask, now: datetime) -> User:
    """A customer who has registered and confirmed nothing yet."""
    return registration.register("ira@example.com", PASSWORD, HOME, now)

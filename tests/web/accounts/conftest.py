"""What the tests of the account pages stand on."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.web.accounts import recovery
from tests.web.browser import Browser


@pytest.fixture(autouse=True)
def limits(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count tries as in production: the suite's portal does not."""
    monkeypatch.setitem(app.config, "RATELIMIT_ENABLED", True)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers to "I forgot" take no longer than they must."""
    monkeypatch.setattr(recovery, "ANSWER_SECONDS", 0.0)

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask

from tests.billing.shelf import Shelf

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def now(context: Flask) -> datetime:
    """The moment of a test, inside the application: verbs are told the time."""
    return NOW


@pytest.fixture
def shelf(now: datetime) -> Shelf:
    """A customer who has bought nothing yet."""
    return Shelf(now)

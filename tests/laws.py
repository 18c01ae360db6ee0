"""Whether the data breaks a law, asked thousands of times in a run and therefore in one question.

Only when something is broken the operator's own command is asked what. ``tests/billing/test_invariants.py``
shows that both see the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from portal.billing import invariants
from portal.billing.invariants import INVARIANTS, Violation
from portal.database import glance

_IS_ANY_BROKEN = text("SELECT " + " OR ".join(f"EXISTS ({law.query})" for law in INVARIANTS))


def are_broken(now: datetime) -> bool:
    """Whether any row breaks any law."""
    with glance() as connection:
        return bool(connection.execute(_IS_ANY_BROKEN, {"day_ago": now - timedelta(days=1)}).scalar_one())


def violations(now: datetime) -> list[Violation]:
    """All rows that break a law; mostly none."""
    return invariants.violations(now) if are_broken(now) else []

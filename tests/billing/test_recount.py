"""Counters counted anew, and the command that does it."""

from __future__ import annotations

from datetime import datetime

import pytest
from flask import Flask
from sqlalchemy import insert, update

from portal.billing import quota, recount
from portal.billing.recount import Drift
from portal.database import db, transaction
from portal.models import PurchasedPlan, UsageRecord
from tests.billing.test_commands import flask
from tests.billing.test_quota import broken, someone, used_of


def spoil(user_id: int, emails_used: int) -> None:
    """Write a counter behind billing's back."""
    with transaction() as session:
        mine = PurchasedPlan.user_id == user_id
        session.execute(update(PurchasedPlan).where(mine).values(emails_used=emails_used))


def test_in_order(now: datetime) -> None:
    """Where counters and records agree nothing is reported and nothing written."""
    user = someone(now, 100, plans=2)
    quota.use(user.email, 7, "a", now)
    assert recount.recount() == recount.Recount(periods=2, recorded=7, drifts=())


def test_drift_is_reported_and_mended(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters that are too low, too high or of a period without records become the sums, in any batch."""
    monkeypatch.setattr(recount, "AT_ONCE", 2)
    low, high, unused, right = (someone(now, 100) for _ in range(4))
    for user in (low, high, right):
        quota.use(user.email, 20, "a", now)
        quota.use(user.email, 3, "b", now)
    for user, wrong in ((low, 0), (high, 100), (unused, 5)):
        spoil(user.id, wrong)

    found = recount.recount()

    assert [(one.user_id, one.counted, one.recorded, one.mended) for one in found.drifts] == [
        (low.id, 0, 23, 23),
        (high.id, 100, 23, 23),
        (unused.id, 5, 0, 0),
    ]
    assert (found.periods, found.recorded) == (4, 69)
    assert [used_of(user) for user in (low, high, unused, right)] == [[23], [23], [0], [23]]
    assert recount.recount().drifts == ()
    assert broken() == []


def test_more_records_than_quota(now: datetime) -> None:
    """Records that hold more than the period had make it full; it stays reported, for a person to look at."""
    user = someone(now, 100)
    quota.use(user.email, 90, "a", now)
    period = db.session.query(PurchasedPlan).filter_by(user_id=user.id).one()
    record = {"user_id": user.id, "purchased_plan_id": period.id, "emails_left": 0, "created_at": now}
    with transaction() as session:
        session.execute(insert(UsageRecord).values(**record, quantity=30, idempotency_key="behind our back"))

    assert recount.recount().drifts == (Drift(period.id, user.id, counted=90, recorded=120, mended=100),)
    assert recount.recount().drifts == (Drift(period.id, user.id, counted=100, recorded=120, mended=100),)


def test_update_email_counts(context: Flask, now: datetime) -> None:
    """The command names each drift and the totals and ends with 0; a second run finds nothing."""
    user = someone(now, 100)
    quota.use(user.email, 20, "a", now)
    spoil(user.id, 0)
    period = db.session.query(PurchasedPlan).filter_by(user_id=user.id).one().id

    first, second = (flask(context, "update-email-counts") for _ in range(2))

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.output == (
        f"Period {period} of customer {user.id}: counted 0, should be 20; set to 20.\n"
        "Periods: 1, e-mails used: 20, drifts: 1, mended: 1.\n"
    )
    assert second.output == "Periods: 1, e-mails used: 20, drifts: 0, mended: 0.\n"

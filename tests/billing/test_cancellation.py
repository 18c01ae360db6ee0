from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from portal.billing import cancellation, refunds
from portal.database import db, transaction
from portal.models import (
    Consent,
    Notification,
    PaymentMethod,
    PurchasedPlan,
    Refund,
    RefundSource,
    RefundStatus,
    Revocation,
    Subscription,
    SubscriptionStatus,
)
from tests import laws
from tests.billing.shelf import DAY, Shelf, a_saved_card, rule


@pytest.mark.parametrize(
    ("policy", "after", "expected"),
    (
        ("full", 13 * DAY, [("990.00", "full", False)]),
        ("full", 14 * DAY - timedelta(microseconds=1), [("990.00", "full", False)]),
        ("full", 14 * DAY, [("0.00", "too_late", False)]),
        ("unused_days", 13 * DAY, [("561.00", "unused_days", False)]),
        ("unused_quota", 13 * DAY, [("727.65", "unused_quota", False)]),
        ("unused_quota", 15 * DAY, [("0.00", "too_late", False)]),
    ),
)
def test_one_period(shelf: Shelf, now: datetime, policy: str, after: timedelta, expected: list[Any]) -> None:
    """Inside the window by the operator's rule, after it nothing; the click does what the page said."""
    rule(policy, now)
    shelf.pay("990.00", now, used=13_250)
    assert shelf.lines(now + after) == expected
    wanted = [("0", expected[0][0])] if expected[0][0] != "0.00" else []
    assert shelf.cancel(now + after) == wanted
    assert laws.violations(now + after) == []


def test_a_window_of_no_days(shelf: Shelf, now: datetime) -> None:
    """An operator who gives nothing back gives nothing back, but what has not begun."""
    rule("full", now, "0")
    shelf.pay("990.00", now)
    shelf.pay("2990.00", now, now + 30 * DAY)
    assert shelf.lines(now) == [("0.00", "too_late", False), ("2990.00", "not_begun", False)]


def test_what_has_not_begun_goes_back_in_full(shelf: Shelf, now: datetime) -> None:
    """Long after the window, whatever the rule: the present period gives nothing, the next two everything."""
    rule("unused_days", now)
    shelf.pay("990.00", now, days=365)
    shelf.pay("390.00", now, now + 365 * DAY)
    shelf.pay("2990.00", now + DAY, now + 395 * DAY)
    assert shelf.cancel(now + 200 * DAY) == [("1", "390.00"), ("2", "2990.00")]
    assert laws.violations(now + 200 * DAY) == []


def test_what_went_back_before_does_not_go_again(shelf: Shelf, now: datetime) -> None:
    """The rule gives no more than is left; a refund that is on its way counts, one that failed does not."""
    rule("full", now)
    payment = shelf.pay("990.00", now)
    for amount in ("100.00", "200.00"):
        refunds.give_back(payment.id, Decimal(amount), RefundSource.OPERATOR, "", now)
    with transaction() as session:
        failed = update(Refund).where(Refund.amount == Decimal("100.00"))
        session.execute(failed.values(status=RefundStatus.FAILED, next_check_at=None))
    assert shelf.lines(now) == [("790.00", "full", False)]
    rule("unused_days", now)
    assert shelf.lines(now + 3 * DAY) == [("790.00", "unused_days", False)]
    assert shelf.lines(now + 10 * DAY) == [("660.00", "unused_days", False)]


def test_ending_ends_everything(shelf: Shelf, now: datetime) -> None:
    """Periods are revoked as canceled, the subscription is canceled, charging has stopped, the agreement is
    withdrawn, and the customer is told once with the sums; the saved card stays.
    """
    rule("full", now)
    payment = shelf.pay("990.00", now)
    shelf.pay("390.00", now, now + 30 * DAY)
    method, consent = a_saved_card(shelf, payment, now)
    at = now + 3 * DAY

    assert shelf.cancel(at) == [("0", "990.00"), ("1", "390.00")]

    row = db.session.get_one(Subscription, shelf.subscription.id, populate_existing=True)
    assert (row.status, row.ended_at, row.auto_renew) == (SubscriptionStatus.CANCELED, at, False)
    assert (row.charge_due_at, row.charge_look_at, row.grace_until) == (None, None, None)
    agreed = db.session.get_one(Consent, consent.id, populate_existing=True)
    assert (agreed.withdrawn_at, agreed.withdrawn_because) == (at, "canceled")
    assert db.session.get_one(PaymentMethod, method.id, populate_existing=True).detached_at is None
    revoked = db.session.scalars(select(PurchasedPlan.revoked_because)).all()
    assert revoked == [Revocation.CANCELED, Revocation.CANCELED]
    facts = db.session.scalars(
        select(Notification.facts).where(
            Notification.kind == "plan_canceled", Notification.channel == "email"
        )
    ).one()
    assert facts["sums"] == [{"amount": "1380.00", "currency": "RUB"}]
    assert [one["amount"] for one in facts["refunds"]] == ["990.00", "390.00"]
    assert laws.violations(at) == []


def test_a_second_click_ends_nothing(shelf: Shelf, now: datetime) -> None:
    """Two clicks are one cancel; and without a plan there is nothing to end."""
    assert cancellation.preview(shelf.user.id, now) is None
    assert cancellation.cancel(shelf.user.id, now) is None
    shelf.pay("990.00", now)
    assert cancellation.cancel(shelf.user.id, now) is not None
    assert cancellation.cancel(shelf.user.id, now) is None
    assert cancellation.preview(shelf.user.id, now) is None
    assert shelf.ordered() == [("0", "990.00")]
    told_times = select(func.count()).where(Notification.kind == "plan_canceled")
    assert db.session.scalar(told_times) == 2  # in the portal and by letter


def test_in_the_days_of_grace(shelf: Shelf, now: datetime) -> None:
    """While a renewal is being tried there is nothing to give back; ending stops the trying."""
    payment = shelf.pay("990.00", now)
    a_saved_card(shelf, payment, now)
    end = now + 30 * DAY
    with transaction() as session:
        row = session.get_one(Subscription, shelf.subscription.id)
        row.status, row.grace_until, row.charge_due_at = SubscriptionStatus.PAST_DUE, end + 7 * DAY, end
    seen = cancellation.preview(shelf.user.id, end + DAY)
    assert seen is not None
    assert (seen.lines, seen.sums, seen.ends_at, seen.auto_renew) == ((), [], None, True)
    assert shelf.cancel(end + DAY) == []
    row = db.session.get_one(Subscription, shelf.subscription.id, populate_existing=True)
    assert (row.status, row.auto_renew, row.charge_due_at) == (SubscriptionStatus.CANCELED, False, None)
    assert cancellation.preview(shelf.user.id, end + DAY) is None

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from portal.billing import cancellation, settlement
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.gateways.base import Outcome
from portal.models import (
    Payment,
    PaymentPurpose,
    PaymentStatus,
    PurchasedPlan,
    Revocation,
    Subscription,
)
from tests import laws
from tests.billing.rows import a_payment, again, locked, told
from tests.billing.shelf import DAY, Shelf, a_saved_card, rule


def a_renewal_under_way(shelf: Shelf, now: datetime) -> Payment:
    """A charge whose outcome is not known yet."""
    method, consent = a_saved_card(shelf, shelf.payments[0], now)
    row = db.session.get_one(Subscription, shelf.subscription.id, populate_existing=True)
    renewal = a_payment(
        shelf.user,
        now,
        purpose=PaymentPurpose.RENEWAL,
        status=PaymentStatus.UNKNOWN,
        billing_mode=BillingMode.RECURRING,
        subscription_id=row.id,
        period_start=row.current_period_end,
        attempt=1,
        payment_method_id=method.id,
        consent_id=consent.id,
    )
    shelf.payments.append(renewal)
    return renewal


def test_a_renewal_paid_after_the_end_goes_back(shelf: Shelf, now: datetime) -> None:
    """The page warns of a charge that is being decided and ends the plan all the same; the money, when it
    comes, writes its period, gives nothing, and goes back in full at once.
    """
    rule("full", now)
    shelf.pay("990.00", now)
    at = now + 27 * DAY
    renewal = a_renewal_under_way(shelf, at)
    seen = cancellation.preview(shelf.user.id, at)
    assert seen is not None
    assert seen.charge_is_open
    shelf.cancel(at)

    with transaction() as session:
        what = told(renewal, shelf.user, Outcome.SUCCEEDED, "77", shop=None)
        settlement.settle(session, locked(renewal), what, at + timedelta(minutes=3))

    assert again(renewal).status is PaymentStatus.SUCCEEDED
    period = db.session.scalars(select(PurchasedPlan).where(PurchasedPlan.payment_id == renewal.id)).one()
    assert (period.revoked_because, period.starts_at) == (Revocation.CANCELED, now + 30 * DAY)
    assert shelf.ordered() == [("1", "990.00")]
    assert cancellation.preview(shelf.user.id, at + DAY) is None
    live = select(func.count()).where(Subscription.status.in_(("active", "past_due")))
    assert db.session.scalar(live) == 0
    assert laws.violations(at) == []


def test_a_renewal_paid_before_the_end_goes_back_with_it(shelf: Shelf, now: datetime) -> None:
    """The same money in the other order: the next period has not begun, so it goes back in full."""
    rule("full", now)
    shelf.pay("990.00", now)
    at = now + 27 * DAY
    renewal = a_renewal_under_way(shelf, at)
    with transaction() as session:
        what = told(renewal, shelf.user, Outcome.SUCCEEDED, "77", shop=None)
        settlement.settle(session, locked(renewal), what, at)
    assert shelf.cancel(at + timedelta(minutes=3)) == [("1", "990.00")]
    assert laws.violations(at) == []

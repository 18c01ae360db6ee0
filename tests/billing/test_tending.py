"""What a subscription's letters say, and that it is so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from portal import mail
from portal.billing import tending
from portal.database import db, transaction
from portal.models import Channel, Notification, Plan
from tests.billing.subscribers import DAY, Subscriber, a_subscriber


def facts(ira: Subscriber, kind: str) -> dict[str, Any]:
    """Of the only letter of this kind."""
    wanted = select(Notification).where(
        Notification.user_id == ira.user.id, Notification.kind == kind, Notification.channel == Channel.EMAIL
    )
    return db.session.scalars(wanted).one().facts


def letter(ira: Subscriber, kind: str) -> str:
    """Its text."""
    return mail.compose(kind, facts(ira, kind) | {"base_url": "https://shop.example"}).text


@pytest.mark.parametrize(("month", "in_time"), ((11, False), (12, True)))
def test_a_card_that_outlives_the_next_charge(now: datetime, month: int, in_time: bool) -> None:
    """The charge of 19 December is said to need another card only where this one is over by then."""
    ira = a_subscriber(now)
    with transaction():
        ira.method.expiry_month, ira.method.expiry_year = month, 2026
    tending.tend(ira.subscription.id, datetime(2026, 12, 3, tzinfo=now.tzinfo))
    said = letter(ira, "card_expires")
    assert ("Чтобы оно прошло" in said) is not in_time
    assert ("Чтобы тариф продлевался и дальше" in said) is in_time


@pytest.mark.parametrize(
    ("on_sale", "leads_to"),
    ((True, "https://shop.example/checkout/PRO_MONTHLY"), (False, "https://shop.example/plans")),
)
def test_the_letter_about_an_end_leads_to_what_can_be_bought(
    now: datetime, on_sale: bool, leads_to: str
) -> None:
    """A plan that is not sold any more has no page to be bought on: the others are shown."""
    ira = a_subscriber(now, agreed=False)
    with transaction() as session:
        session.execute(update(Plan).where(Plan.code == "PRO_MONTHLY").values(on_sale=on_sale))
    tending.tend(ira.subscription.id, ira.subscription.current_period_end - timedelta(hours=70))
    said = letter(ira, "plan_ends")
    assert leads_to in said.splitlines()
    assert ("больше не продаётся" in said) is not on_sale


def test_a_card_past_its_month_is_left_to_its_bank(now: datetime) -> None:
    """Its charge is announced like any other: banks prolong cards, and only they know."""
    ira = a_subscriber(now)
    with transaction():
        ira.method.expiry_month, ira.method.expiry_year = 10, 2026
    due = ira.subscription.charge_due_at
    assert due is not None
    tending.tend(ira.subscription.id, due - 2 * DAY)
    assert facts(ira, "renewal_coming")["amount"] == "990.00"

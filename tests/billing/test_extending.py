"""Days given to a customer: the period, what follows it, the charge, the words, and no law broken."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal.billing import audit, extending, on_behalf
from portal.billing.audit import Actor, Subject
from portal.billing.extending import BeingCharged, NothingToExtend
from portal.billing.giving_back import NoReason
from portal.database import db
from portal.errors import InvalidRequest
from portal.gateways.base import Outcome
from portal.models import (
    Channel,
    Notification,
    PeriodExtension,
    PurchasedPlan,
    SubscriptionStatus,
)
from tests import laws
from tests.billing.rows import a_customer, a_payment, settled, told
from tests.billing.subscribers import DAY, a_subscriber
from tests.billing.threads import at_the_same_time

CLERK = Actor(None, "clerk@example.com", "198.51.100.9")


def give(user_id: int, days: int, now: datetime, key: str | None = None, reason: str = "Сбой") -> datetime:
    return extending.extend(user_id, days, CLERK, reason, key or str(uuid.uuid4()), now)


def ends(user_id: int) -> list[tuple[datetime, datetime]]:
    paid = select(PurchasedPlan).where(PurchasedPlan.user_id == user_id).order_by(PurchasedPlan.starts_at)
    found = db.session.scalars(paid.execution_options(populate_existing=True))
    return [(period.starts_at, period.ends_at) for period in found]


def told_kinds(user_id: int, channel: Channel) -> list[str]:
    said = select(Notification.kind).where(Notification.user_id == user_id, Notification.channel == channel)
    return list(db.session.scalars(said.order_by(Notification.id)))


def broken(now: datetime) -> list[str]:
    return [one.invariant.name for one in laws.violations(now)]


def test_the_end_and_the_charge_move(now: datetime) -> None:
    """Seven days more: the period ends and is charged seven days later, and the customer reads it."""
    ira = a_subscriber(now)
    before = ira.subscription
    end, charge = before.current_period_end, before.charge_due_at
    assert charge is not None

    assert give(ira.user.id, 7, now + DAY) == end + 7 * DAY

    after = ira.subscription
    assert (after.current_period_end, after.charge_due_at) == (end + 7 * DAY, charge + 7 * DAY)
    assert ends(ira.user.id) == [(now, end + 7 * DAY)]
    for channel in Channel:
        assert "plan_extended" in told_kinds(ira.user.id, channel)
    (entry,) = audit.of(Subject("user", ira.user.id))
    assert (entry.act, entry.reason, entry.after["days"]) == ("extend", "Сбой", 7)
    assert broken(now + DAY) == []


def test_what_is_paid_after_it_moves_along(now: datetime) -> None:
    """A period bought ahead begins where the extended one ends, as long as it was."""
    user = a_customer(now)
    for number in ("1", "2"):
        payment = a_payment(user, now)
        settled(payment, told(payment, user, Outcome.SUCCEEDED, number), now)
    give(user.id, 3, now + DAY)
    assert ends(user.id) == [(now, now + 33 * DAY), (now + 33 * DAY, now + 63 * DAY)]
    give(user.id, 2, now + 2 * DAY)
    assert ends(user.id) == [(now, now + 35 * DAY), (now + 35 * DAY, now + 65 * DAY)]
    assert broken(now + 2 * DAY) == []


def test_a_refused_renewal_begins_anew(now: datetime) -> None:
    """Whoever is not renewed gets a week: the plan is active again and charged before its new end."""
    ira = a_subscriber(now)
    ira.past_due(now + 27 * DAY)
    give(ira.user.id, 7, now + 28 * DAY)
    live = ira.subscription
    assert (live.status, live.charge_due_at) == (SubscriptionStatus.ACTIVE, now + 34 * DAY)
    assert broken(now + 28 * DAY) == []


def test_in_the_days_of_grace(now: datetime) -> None:
    """After the end the last period goes on, if the days reach beyond this moment."""
    ira = a_subscriber(now)
    ira.past_due(now + 27 * DAY)
    late = now + 32 * DAY
    with pytest.raises(InvalidRequest):
        give(ira.user.id, 2, late)
    assert give(ira.user.id, 5, late) == now + 35 * DAY
    assert broken(late) == []


@pytest.mark.parametrize("days", (0, -1, 367))
def test_days_have_their_bounds(now: datetime, days: int) -> None:
    """Never backwards, and never beyond a year."""
    ira = a_subscriber(now)
    with pytest.raises(InvalidRequest):
        give(ira.user.id, days, now)
    assert not db.session.scalars(select(PeriodExtension)).all()


def test_nothing_without_a_plan_a_reason_or_a_decided_charge(now: datetime) -> None:
    """No plan, no reason, or a charge whose outcome is open: nothing is given."""
    with pytest.raises(NothingToExtend):
        give(a_customer(now).id, 7, now)
    ira = a_subscriber(now)
    with pytest.raises(NoReason):
        give(ira.user.id, 7, now, reason="  ")
    ira.charge(now + 27 * DAY)
    with pytest.raises(BeingCharged):
        give(ira.user.id, 7, now + 27 * DAY)
    with pytest.raises(NothingToExtend):
        give(ira.user.id, 7, now + 60 * DAY)
    assert not db.session.scalars(select(PeriodExtension)).all()


def test_one_form_gives_once(app: Flask, now: datetime) -> None:
    """A double click, at the same moment and later, is seven days and not twenty-one."""
    ira = a_subscriber(now)
    user_id, key = ira.user.id, str(uuid.uuid4())
    at_the_same_time(
        app, lambda: give(user_id, 7, now, key) and None, lambda: give(user_id, 7, now, key) and None
    )
    give(user_id, 7, now + timedelta(hours=1), key)
    assert ends(user_id) == [(now, now + 37 * DAY)]
    assert told_kinds(user_id, Channel.EMAIL).count("plan_extended") == 1


def test_renewal_stopped_for_a_customer(now: datetime) -> None:
    """It is off, the agreement says who ended it, the customer is told, once."""
    ira = a_subscriber(now)
    assert on_behalf.stop_renewal(ira.user.id, CLERK, "Просил по почте", now)
    assert not on_behalf.stop_renewal(ira.user.id, CLERK, "Просил по почте", now)
    assert not ira.subscription.auto_renew
    assert ira.agreements[-1].withdrawn_because == "operator"
    assert told_kinds(ira.user.id, Channel.PORTAL).count("renewal_stopped") == 1
    assert [entry.act for entry in audit.of(Subject("user", ira.user.id))] == ["stop-renewal"]
    assert broken(now) == []


def test_a_letter_once_more(now: datetime) -> None:
    """A new row that says whose copy it is; the old one stays as it was; one form sends once."""
    ira = a_subscriber(now)
    mine = select(Notification).where(
        Notification.user_id == ira.user.id, Notification.channel == Channel.EMAIL
    )
    letter = db.session.scalars(mine).one()
    before, key = (letter.sent_at, letter.attempts, letter.dedupe_key), str(uuid.uuid4())
    made = on_behalf.send_again(letter.id, CLERK, "Не дошло", key, now + DAY)
    assert on_behalf.send_again(letter.id, CLERK, "Не дошло", key, now + DAY) == made
    copy = db.session.get_one(Notification, made)
    assert (copy.copy_of_id, copy.kind, copy.facts) == (letter.id, letter.kind, letter.facts)
    db.session.refresh(letter)
    assert (letter.sent_at, letter.attempts, letter.dedupe_key) == before
    assert len(db.session.scalars(mine).all()) == 2


@pytest.mark.parametrize("kind", sorted(on_behalf.OF_ACCOUNTS))
def test_links_of_accounts_are_not_sent_again(now: datetime, kind: str) -> None:
    """What opens an account goes only to whoever asked for it."""
    ira = a_subscriber(now)
    letter = db.session.scalars(
        select(Notification).where(Notification.user_id == ira.user.id, Notification.channel == Channel.EMAIL)
    ).one()
    letter.kind = kind
    assert not on_behalf.may_be_sent_again(letter)
    db.session.rollback()

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from portal.billing import agreements, checkout, methods, notices, retries, subscriptions, tending
from portal.database import db, transaction
from portal.errors import InvalidRequest
from portal.gateways.base import Outcome, SavedMethod
from portal.models import PaymentMethod, Plan, SubscriptionStatus
from tests.billing.rows import CLOUDPAYMENTS, a_customer, a_payment, numbers, settled, told
from tests.billing.subscribers import DAY, a_subscriber


def test_unlinking_erases_the_token_and_ends_charging_once(now: datetime) -> None:
    """One click: no token, no renewal, the agreement withdrawn with its reason and moment; a second click
    changes nothing, and what is paid stays.
    """
    ira = a_subscriber(now)
    card = ira.method
    for later in (0, 5):
        methods.unlink(ira.user.id, card.id, now + later * DAY)

    card = db.session.get_one(PaymentMethod, card.id, populate_existing=True)
    assert (card.token, card.detached_at) == (None, now)
    subscription, agreement = ira.subscription, ira.agreements[0]
    assert (subscription.auto_renew, subscription.charge_due_at) == (False, None)
    assert (agreement.withdrawn_at, agreement.withdrawn_because) == (now, "unlinked")
    assert subscription.status is SubscriptionStatus.ACTIVE
    assert methods.of(ira.user.id) == []
    assert subscriptions.standing(ira.user.id, now).days_left == 30


def test_unlinking_a_card_that_nothing_charges_leaves_renewal_on(now: datetime) -> None:
    """Only the method that is charged takes the agreement along."""
    ira = a_subscriber(now)
    spare = ira.another_card(now)
    methods.unlink(ira.user.id, spare.id, now)
    assert ira.subscription.auto_renew
    assert ira.agreements[0].withdrawn_at is None


def test_somebody_elses_method_is_told_like_one_that_does_not_exist(now: datetime) -> None:
    """Neither unlinked nor chosen, and no telling which ids exist."""
    ira, eve = a_subscriber(now), a_customer(now)
    for strange in (ira.method.id, 0, -1, 2**40, 2**70):
        for verb in (methods.unlink, agreements.make_default):
            with pytest.raises(methods.MethodNotFound):
                verb(eve.id, strange, now)
    assert ira.method.detached_at is None


def test_the_list_begins_with_the_one_that_is_charged(now: datetime) -> None:
    """A card that renewal charges stands first, whatever was saved later; unlinked ones are not listed."""
    ira = a_subscriber(now)
    first = ira.method
    second, third = ira.another_card(now + DAY), ira.another_card(now + 2 * DAY)
    assert [one.id for one in methods.of(ira.user.id)] == [first.id, third.id, second.id]
    agreements.stop(ira.user.id, now)
    assert [one.id for one in methods.of(ira.user.id)] == [third.id, second.id, first.id]


def test_a_chosen_card_is_charged_from_now_on(now: datetime) -> None:
    """The day of the charge stays; nothing is charged before it."""
    ira = a_subscriber(now)
    due, card = ira.subscription.charge_due_at, ira.another_card(now + DAY)
    assert agreements.make_default(ira.user.id, card.id, now + DAY) is False
    assert ira.method.id == card.id
    assert ira.subscription.charge_due_at == due


@pytest.mark.parametrize(
    ("code", "again"),
    (("5051", True), ("5082", False), ("5041", None)),
    ids=("no money: may be tried again", "only the customer can help", "refused for good"),
)
def test_after_a_refusal_another_card_is_tried_at_once(now: datetime, code: str, again: bool | None) -> None:
    """Choosing another card is enough; the refused one is tried again only where its refusal allows that."""
    ira = a_subscriber(now)
    refused, day = ira.method, now + 27 * DAY
    ira.past_due(day, code)
    if again is None:
        with pytest.raises(InvalidRequest):
            agreements.make_default(ira.user.id, refused.id, day)
    else:
        assert agreements.make_default(ira.user.id, refused.id, day) is again

    card = ira.another_card(day)
    assert agreements.make_default(ira.user.id, card.id, day) is True
    assert (ira.subscription.charge_due_at, ira.subscription.charge_look_at) == (day, day)
    assert ira.method.id == card.id


def test_nobody_pays_now_beyond_the_networks_cap_or_before_retry_after(now: datetime) -> None:
    """Four tries of one card a period, and the gateway's own RetryAfter stands above the customer's wish."""
    ira = a_subscriber(now)
    day = now + 27 * DAY
    ira.past_due(day)

    def may(at: datetime) -> bool:
        with transaction() as session:
            return retries.may_try_now(session, ira.subscription, ira.method, at)

    assert may(day)
    with transaction():
        ira.subscription.charge_due_at = day + timedelta(days=1, hours=9)  # a RetryAfter, not the schedule
    assert not may(day + DAY)
    assert may(day + 2 * DAY)
    for _ in range(3):
        ira.ends(ira.charge(day + DAY), day + DAY, "5051")
    assert not may(day + 3 * DAY)


def test_a_card_that_its_owner_confirmed_anew_may_be_charged_again(now: datetime) -> None:
    """The same token kept once more is the same row, new date and all, and no longer stopped."""
    ira = a_subscriber(now)
    ira.past_due(now + 27 * DAY, "5041")
    card = ira.method
    assert card.stopped_at
    assert card.token
    with transaction() as session:
        anew = SavedMethod(card.token.decode(), card.kind, card.title, expiry_month=1, expiry_year=2034)
        assert methods.keep(session, ira.user.id, CLOUDPAYMENTS, anew, now + 28 * DAY) == card.id
    assert (ira.method.stopped_at, ira.method.expiry_year) == (None, 2034)


def test_a_refusal_of_the_old_card_does_not_hold_the_new_one_back(now: datetime) -> None:
    """The customer chose another card while the old one was being charged: after its refusal, whatever it
    says, the new one is tried at once.
    """
    ira = a_subscriber(now)
    day = now + 27 * DAY
    under_way = ira.charge(day)
    agreements.make_default(ira.user.id, ira.another_card(day).id, day)
    ira.ends(under_way, day, "5082")
    assert ira.subscription.status is SubscriptionStatus.PAST_DUE
    assert ira.subscription.charge_due_at == day


def test_a_charge_refused_after_the_customer_said_stop_moves_nothing(now: datetime) -> None:
    """It was under way already; nothing is due any more, and no letter speaks of it."""
    ira = a_subscriber(now)
    day = now + 27 * DAY
    under_way = ira.charge(day)
    methods.unlink(ira.user.id, ira.method.id, day)
    ira.ends(under_way, day, "5051")
    subscription = ira.subscription
    assert (subscription.status, subscription.charge_due_at) == (SubscriptionStatus.ACTIVE, None)
    assert "renewal_failed" not in {one.kind for one in notices.recent(ira.user.id)}


def test_a_plan_whose_card_was_refused_for_good_is_said_to_end(now: datetime) -> None:
    """Paid once with another card, it runs on; where nobody saves another, no letter promises a charge that
    cannot be, and the end is announced.
    """
    ira = a_subscriber(now)
    ira.past_due(now + 27 * DAY, "5041")
    once = a_payment(ira.user, now + 28 * DAY)
    settled(once, told(once, ira.user, Outcome.SUCCEEDED, str(next(numbers))), now + 28 * DAY)
    assert (ira.subscription.status, ira.subscription.auto_renew) == (SubscriptionStatus.ACTIVE, True)

    tending.tend(ira.subscription.id, now + 59 * DAY)
    said = {one.kind for one in notices.recent(ira.user.id, 20)}
    assert "plan_ends" in said
    assert "renewal_coming" not in said


def test_whoever_stops_before_the_end_is_overdue_no_more(now: datetime) -> None:
    """The plan is simply active until its end; in the days after it, it is over."""
    for day, left in ((27, "active"), (31, "expired")):
        ira = a_subscriber(now)
        ira.past_due(now + 27 * DAY)
        agreements.stop(ira.user.id, now + day * DAY)
        assert subscriptions.standing(ira.user.id, now + day * DAY).status == left
        tending.tend(ira.subscription.id, now + day * DAY)
        assert ira.subscription.status.value == left


def test_a_plan_bought_in_the_days_of_grace_is_shown_to_begin_in_the_past(now: datetime) -> None:
    """The checkout names the day at which the new period will really begin, and the first charge after it."""
    ira = a_subscriber(now)
    ira.past_due(now + 27 * DAY)
    plan = db.session.query(Plan).filter_by(code="PRO_MONTHLY").one()
    late = checkout.preview(ira.user.id, plan, now + 32 * DAY)
    assert (late.starts_at, late.ends_at, late.in_grace) == (now + 30 * DAY, now + 60 * DAY, True)
    bought = a_payment(ira.user, now + 32 * DAY)
    settled(bought, told(bought, ira.user, Outcome.SUCCEEDED, str(next(numbers))), now + 32 * DAY)
    assert ira.subscription.current_period_end == late.ends_at
    early = checkout.preview(ira.user.id, plan, now + 33 * DAY)
    assert (early.starts_at, early.in_grace) == (now + 60 * DAY, False)


def test_the_agreement_names_the_day_of_the_first_charge(now: datetime, recurring: None) -> None:
    """Not the plan's end, but the day on which the card will really be charged."""
    plan = db.session.query(Plan).filter_by(code="PRO_MONTHLY").one()
    offered = checkout.preview(None, plan, now).agreement
    assert offered
    assert "первое списание — 19 декабря 2026" in offered.text.replace("\N{NO-BREAK SPACE}", " ")
    assert a_subscriber(now).subscription.charge_due_at == now + 27 * DAY

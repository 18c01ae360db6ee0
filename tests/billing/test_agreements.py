from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from portal.billing import agreements, consents, methods, notices, tending
from portal.database import transaction
from portal.errors import InvalidRequest
from portal.models import Plan, SubscriptionStatus
from tests.billing.rows import a_customer
from tests.billing.subscribers import CLIENT, DAY, Subscriber, a_subscriber


def test_stopping_withdraws_the_agreement_and_resuming_makes_a_new_one(now: datetime) -> None:
    """The plan stays till its end; the way back leaves its own evidence, on the terms of before, however the
    price has changed; a second click makes no second agreement.
    """
    ira = a_subscriber(now)
    assert agreements.stop(ira.user.id, now + DAY) is True
    assert agreements.stop(ira.user.id, now + 2 * DAY) is False
    stopped = ira.subscription
    assert (stopped.auto_renew, stopped.charge_due_at, stopped.grace_until) == (False, None, None)
    assert stopped.current_period_end == now + 30 * DAY
    with transaction() as session:
        session.query(Plan).filter_by(code="PRO_MONTHLY").one().price = Decimal("1990.00")

    for _ in range(2):
        agreements.resume(ira.user.id, CLIENT, now + 3 * DAY)

    first, second = ira.agreements
    assert (first.withdrawn_at, first.withdrawn_because) == (now + DAY, "stopped")
    assert (second.amount, second.period_days, second.plan_code) == (Decimal("990.00"), 30, "PRO_MONTHLY")
    assert (second.payment_id, second.address, second.user_agent) == (None, *_of_client())
    assert second.given_at == now + 3 * DAY
    assert "990" in second.text
    assert "19\N{NO-BREAK SPACE}декабря 2026" in second.text
    resumed = ira.subscription
    assert (resumed.auto_renew, resumed.consent_id) == (True, second.id)
    assert resumed.charge_due_at == now + 27 * DAY


def _of_client() -> tuple[str, str]:
    return CLIENT.address, CLIENT.user_agent


def test_without_an_earlier_agreement_the_plan_is_renewed_at_its_present_price(now: datetime) -> None:
    """Somebody who bought once and saved a card afterwards is offered today's price, not yesterday's."""
    ira = a_subscriber(now, agreed=False)
    with pytest.raises(agreements.NoMethod):
        agreements.offer(ira.user.id, now)
    card = ira.another_card(now)
    with transaction() as session:
        plan = session.query(Plan).filter_by(code="PRO_MONTHLY").one()
        plan.price = Decimal("1190.00")
    found = agreements.offer(ira.user.id, now)
    assert (found.agreement.amount, found.method.id, found.at_once) == (Decimal("1190.00"), card.id, False)
    agreements.resume(ira.user.id, CLIENT, now)
    assert ira.agreements[0].amount == Decimal("1190.00")
    agreements.stop(ira.user.id, now)
    with transaction():
        plan.on_sale = False
    assert agreements.offer(ira.user.id, now).agreement.amount == Decimal("1190.00")


@pytest.mark.parametrize(
    ("spoil", "error"),
    (
        (lambda ira, now: methods.unlink(ira.user.id, ira.method.id, now), agreements.NoMethod),
        (lambda ira, _: setattr(ira.method, "stopped_at", ira.bought.created_at), agreements.NoMethod),
        (lambda ira, _: setattr(ira.method, "expiry_year", 2026), agreements.NoMethod),
    ),
    ids=("unlinked", "refused for good", "past its month"),
)
def test_renewal_needs_a_card_that_can_be_charged(
    now: datetime, spoil: Callable[[Subscriber, datetime], None], error: type[InvalidRequest]
) -> None:
    """Without one nothing is switched on, and the sentence says what to do."""
    ira, later = a_subscriber(now), now + 45 * DAY
    with transaction() as session:
        ira.subscription.current_period_end = later + DAY
        spoil(ira, now)
        session.flush()
    agreements.stop(ira.user.id, now)
    for verb in (lambda: agreements.offer(ira.user.id, later), lambda: _resume(ira, later)):
        with pytest.raises(error):
            verb()
    assert not ira.subscription.auto_renew


def _resume(ira: Subscriber, now: datetime) -> None:
    agreements.resume(ira.user.id, CLIENT, now)


def test_what_is_over_is_not_resumed(now: datetime) -> None:
    """Neither for whoever never bought, nor after the end, whether or not a job has said so."""
    ira = a_subscriber(now)
    agreements.stop(ira.user.id, now)
    for user in (a_customer(now), ira.user):
        with pytest.raises(agreements.NothingToRenew):
            agreements.resume(user.id, CLIENT, now + 31 * DAY)
    assert len(ira.agreements) == 1


@pytest.mark.parametrize(
    ("resumed_on", "first_charge_on"), ((20, 27), (26, 27), (28, 29), (29.5, 30.5)), ids=str
)
def test_whoever_resumes_late_is_told_before_the_charge(
    now: datetime, resumed_on: float, first_charge_on: float
) -> None:
    """The agreement, the row and the letter name one day, and between letter and charge there is a day."""
    ira = a_subscriber(now)
    agreements.stop(ira.user.id, now)
    moment = now + resumed_on * DAY
    assert agreements.offer(ira.user.id, moment).first_charge_at == now + first_charge_on * DAY
    agreements.resume(ira.user.id, CLIENT, moment)

    charge_at = ira.subscription.charge_due_at
    assert charge_at == now + first_charge_on * DAY
    tending.tend(ira.subscription.id, moment)
    coming = [one.facts for one in notices.recent(ira.user.id) if one.kind == "renewal_coming"]
    assert {one["charge_at"] for one in coming} <= {charge_at.isoformat()}
    assert len(coming) == (charge_at - moment <= 3 * DAY)


def test_a_card_that_was_refused_rests_before_it_is_tried_again(now: datetime) -> None:
    """Switching renewal off and on is no way to try a card many times in a minute; another card may be tried
    at once, and the page says so.
    """
    ira = a_subscriber(now)
    day = now + 27 * DAY
    ira.past_due(day)
    agreements.stop(ira.user.id, day)
    assert ira.subscription.status is SubscriptionStatus.ACTIVE
    found = agreements.offer(ira.user.id, day)
    assert (found.first_charge_at, found.at_once) == (day + DAY, False)
    ira.another_card(day)
    assert agreements.offer(ira.user.id, day).at_once
    agreements.resume(ira.user.id, CLIENT, day)
    assert ira.subscription.charge_due_at == day


def test_the_link_of_a_letter_stops_its_own_subscription_only(now: datetime) -> None:
    """A link about a plan that is over must not stop the one that follows."""
    ira = a_subscriber(now)
    with transaction():
        ira.subscription.status = SubscriptionStatus.EXPIRED
    assert agreements.stop_one(ira.subscription.id, now) is False
    with transaction():
        ira.subscription.status = SubscriptionStatus.ACTIVE
    assert agreements.stop_one(ira.subscription.id, now) is True
    with pytest.raises(agreements.NothingToRenew):
        agreements.stop_one(10**9, now)


def test_all_agreements_can_be_exported(now: datetime) -> None:
    """Words, terms, moments and place of each, and how it ended; nobody else's."""
    ira, _ = a_subscriber(now), a_subscriber(now)
    agreements.stop(ira.user.id, now + DAY)
    agreements.resume(ira.user.id, CLIENT, now + 2 * DAY)
    second, first = consents.export(ira.user.id)
    assert first["withdrawn_because"] == "stopped"
    assert first["withdrawn_at"] == (now + DAY).isoformat()
    assert (first["in_force"], second["in_force"]) == (False, True)
    assert (second["withdrawn_at"], second["amount"], second["address"]) == (None, "990.00", CLIENT.address)
    assert second["text"] == ira.agreements[1].text
    assert second["text_version"] == consents.VERSION

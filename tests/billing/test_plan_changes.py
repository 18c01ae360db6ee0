from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from portal.billing import (
    agreements,
    cancellation,
    changing,
    plan_changes,
    plans,
    quota,
    subscriptions,
    tending,
)
from portal.billing.plan_changes import Means
from portal.database import db, transaction
from portal.models import Consent, Payment, PaymentStatus, Refund, RefundStatus, SubscriptionStatus
from tests import laws
from tests.billing.changes import (
    BROWSER,
    DAY,
    at,
    buy,
    in_force,
    later,
    look,
    order,
    pay,
    period,
    plan,
    row,
    send_back,
    subscription,
    upgrade,
    use,
)
from tests.billing.rows import a_customer, again

#: Bought, and when; then the plan wanted, when, after how many e-mails: the credit, and what is to be paid.
SUMS = (
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-11-22T12:00", 0, "990.00", "2000.00"),
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-11-22T12:00:01", 0, "989.99", "2000.01"),
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-11-23T12:00", 0, "957.00", "2033.00"),
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-12-07T12:00", 0, "495.00", "2495.00"),
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-12-21T12:00", 0, "33.00", "2957.00"),
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-12-22T11:59:59", 0, "0.00", "2990.00"),
    ("START_MONTHLY", "2026-12-31T23:59:59", "PRO_MONTHLY", "2027-01-10T23:59:59", 0, "260.00", "730.00"),
    ("START_MONTHLY", "2027-02-27T00:00", "PRO_YEARLY", "2027-03-06T00:00", 0, "299.00", "9601.00"),
    # Over 29 February: thirty days are thirty days, a year is 365 of them.
    ("PRO_MONTHLY", "2028-02-15T00:00", "BUSINESS_MONTHLY", "2028-03-01T00:00", 0, "495.00", "2495.00"),
    ("PRO_YEARLY", "2028-02-01T00:00", "PRO_MONTHLY", "2029-01-01T00:00", 0, "813.69", "176.31"),
    ("PRO_YEARLY", "2027-03-01T00:00", "BUSINESS_YEARLY", "2027-06-09T00:00", 0, "7187.67", "22712.33"),
    # E-mails that are used count as time does; whichever is further.
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-11-22T12:00", 1, "989.98", "2000.02"),
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-11-23T12:00", 40_000, "198.00", "2792.00"),
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-12-07T12:00", 10_000, "495.00", "2495.00"),
    ("PRO_MONTHLY", "2026-11-22T12:00", "BUSINESS_MONTHLY", "2026-11-23T12:00", 50_000, "0.00", "2990.00"),
)  # fmt: skip


def test_the_sums_to_the_kopeck(context: Flask) -> None:
    """What is credited and what is to be paid, by the table above."""
    for bought, paid, wanted, moment, used, credit, to_pay in SUMS:
        user, now = a_customer(at(paid)), at(moment)
        buy(user, at(paid), bought)
        if used:
            use(user, used, at(paid))
        seen, line = look(user, wanted, now), (bought, wanted, moment, used)
        assert (seen.means, str(seen.credit), str(seen.to_pay)) == (Means.NOW, credit, to_pay), line


def test_what_was_shown_is_ordered_and_given(context: Flask) -> None:
    """The order freezes the sums of that moment, and once it is paid the new plan runs from then on."""
    for bought, paid, wanted, moment, used, credit, to_pay in (SUMS[1], SUMS[9], SUMS[12], SUMS[14]):
        user, now = a_customer(at(paid)), at(moment)
        buy(user, at(paid), bought)
        if used:
            use(user, used, at(paid))
        payment = upgrade(user, wanted, now)
        assert (str(payment.credit), str(payment.amount)) == (credit, to_pay)
        assert row(user) == [(wanted, now, now + plan(wanted).period_days * DAY)]
        assert laws.violations(now) == []


#: The plan that runs, for how many days, the plan wanted; what that means without renewal and with it.
MEANINGS = (
    ("PRO_MONTHLY", 1, "BUSINESS_MONTHLY", Means.NOW, Means.NOW),
    ("BUSINESS_MONTHLY", 1, "PRO_YEARLY", Means.NOW, Means.NOW),
    ("PRO_MONTHLY", 1, "START_MONTHLY", Means.BUY, Means.AT_THE_END),
    ("PRO_MONTHLY", 29, "START_MONTHLY", Means.BUY, Means.AT_THE_END),
    # More by the day, but what is left is worth more than it costs.
    ("PRO_YEARLY", 10, "PRO_MONTHLY", Means.BUY, Means.AT_THE_END),
    ("PRO_YEARLY", 350, "PRO_MONTHLY", Means.NOW, Means.NOW),
    ("BUSINESS_YEARLY", 350, "PRO_MONTHLY", Means.BUY, Means.AT_THE_END),
    ("PRO_MONTHLY", 1, "PRO_MONTHLY", Means.NOTHING, Means.NOTHING),
    ("PRO_MONTHLY", 30, "BUSINESS_MONTHLY", Means.BUY, Means.BUY),
)


def test_now_or_at_the_end(now: datetime) -> None:
    """An upgrade is now, anything less waits for the end of what is paid, the same plan is no change."""
    for running, days, wanted, without, with_renewal in MEANINGS:
        for renews, means in ((False, without), (True, with_renewal)):
            user = a_customer(now)
            buy(user, now, running, renews=renews)
            assert look(user, wanted, now + days * DAY).means is means, (running, days, wanted, renews)


def test_a_discount_is_what_was_paid(now: datetime) -> None:
    """What was bought for less is worth what it cost, whatever the plan costs by now."""
    user = a_customer(now)
    buy(user, now, price="790.00")
    assert look(user, "BUSINESS_MONTHLY", now + 15 * DAY).to_pay == Decimal("2595.00")


def test_what_went_back_is_not_credited(now: datetime) -> None:
    """A partial refund makes the period worth less by so much."""
    user = a_customer(now)
    send_back(buy(user, now), now + DAY, "100.00")
    assert look(user, "BUSINESS_MONTHLY", now + 15 * DAY).credit == Decimal("445.00")


def test_what_is_paid_for_later_stays_and_moves_behind(now: datetime) -> None:
    """Only the running period is credited; those that follow keep their length behind the new one."""
    user = a_customer(now)
    buy(user, now), buy(user, now), buy(user, now, "PRO_YEARLY")
    start = now + 15 * DAY

    assert upgrade(user, "BUSINESS_MONTHLY", start).credit == Decimal("495.00")

    assert row(user) == [
        ("BUSINESS_MONTHLY", start, start + 30 * DAY),
        ("PRO_MONTHLY", start + 30 * DAY, start + 60 * DAY),
        ("PRO_YEARLY", start + 60 * DAY, start + 425 * DAY),
    ]
    assert subscription(user).current_period_end == start + 425 * DAY
    assert laws.violations(start) == []


def test_what_is_paid_for_later_moves_up_where_the_new_period_is_shorter(now: datetime) -> None:
    """From the rest of a year to a month: what follows comes sooner."""
    user = a_customer(now)
    buy(user, now, "PRO_YEARLY"), buy(user, now, "START_MONTHLY")
    start = now + 350 * DAY - timedelta(days=20)

    upgrade(user, "BUSINESS_MONTHLY", start)

    assert row(user) == [
        ("BUSINESS_MONTHLY", start, start + 30 * DAY),
        ("START_MONTHLY", start + 30 * DAY, start + 60 * DAY),
    ]


def test_paying_late_earns_nothing(now: datetime) -> None:
    """The new period begins when the change was ordered, and what was used since counts against it, once."""
    user = a_customer(now)
    old = buy(user, now)
    use(user, 1_000, now)
    ordered_at = now + 15 * DAY
    waiting = order(user, "BUSINESS_MONTHLY", ordered_at)
    use(user, 2_000, ordered_at + timedelta(minutes=10))

    new = pay(user, waiting, ordered_at + timedelta(minutes=50))

    assert row(user) == [("BUSINESS_MONTHLY", ordered_at, ordered_at + 30 * DAY)]
    assert (period(old).emails_used, period(new).emails_used) == (3_000, 2_000)
    assert laws.violations(ordered_at + timedelta(hours=1)) == []
    use(user, 248_000, ordered_at + DAY)
    with pytest.raises(quota.QuotaExceeded):
        use(user, 1, ordered_at + DAY)


def test_no_more_is_carried_than_the_new_plan_has(now: datetime) -> None:
    """A plan that costs more by the day and has fewer e-mails is used up, and no further."""
    user = a_customer(now)
    buy(user, now, "PRO_YEARLY")
    ordered_at = now + 350 * DAY
    waiting = order(user, "PRO_MONTHLY", ordered_at)
    use(user, 70_000, ordered_at + timedelta(minutes=1))
    assert period(pay(user, waiting, ordered_at + timedelta(minutes=2))).emails_left == 0
    assert laws.violations(ordered_at) == []


def test_a_plan_that_ended_between_the_order_and_its_money_is_still_changed(now: datetime) -> None:
    """It ran when the change was ordered: the customer is not left without a plan."""
    user = a_customer(now)
    buy(user, now)
    ordered_at, ended = now + 30 * DAY - timedelta(minutes=10), now + 30 * DAY
    waiting = order(user, "BUSINESS_MONTHLY", ordered_at)
    expired = subscription(user).id
    assert tending.expire(ended) == 1

    pay(user, waiting, ended + timedelta(minutes=5))

    assert row(user) == [("BUSINESS_MONTHLY", ordered_at, ordered_at + 30 * DAY)]
    assert subscription(user).id != expired
    standing = subscriptions.standing(user.id, ended + timedelta(minutes=5))
    assert (standing.status, standing.current and standing.current.plan_code) == (
        "active",
        "BUSINESS_MONTHLY",
    )
    assert laws.violations(ended) == []


def test_the_same_click_goes_on_with_the_same_order_for_half_an_hour(now: datetime) -> None:
    """Its credit is frozen; later, or once money went back, an order on the credit of that moment follows."""
    for gateway in ("cloudpayments", "yookassa"):
        user, start = a_customer(now), now + 15 * DAY
        old = buy(user, now)
        first = order(user, "BUSINESS_MONTHLY", start, gateway=gateway)
        assert first.expires_at <= start + timedelta(hours=1)
        soon, late = start + timedelta(minutes=29, seconds=59), start + timedelta(minutes=30)
        assert order(user, "BUSINESS_MONTHLY", soon, gateway=gateway).id == first.id

        second = order(user, "BUSINESS_MONTHLY", late, gateway=gateway)
        assert (second.id != first.id, again(first).superseded_at) == (True, late)
        assert second.credit == look(user, "BUSINESS_MONTHLY", late).credit < first.credit

        send_back(old, late, "0.50")
        third = order(user, "BUSINESS_MONTHLY", late, gateway=gateway)
        assert (third.id != second.id, third.credit) == (True, second.credit - Decimal("0.25"))


def test_a_second_change_that_was_paid_too_goes_back(now: datetime) -> None:
    """Two changes in two tabs, both paid: the first one counts, the money of the second goes back whole."""
    user = a_customer(now)
    buy(user, now)
    start = now + 15 * DAY
    first, second = order(user, "BUSINESS_MONTHLY", start), order(user, "PRO_YEARLY", start)
    pay(user, second, start)

    paid_too = pay(user, first, start)

    assert row(user) == [("PRO_YEARLY", start, start + 365 * DAY)]
    assert period(paid_too).revoked_because == "refunded"
    ordered = db.session.scalars(select(Refund).where(Refund.payment_id == paid_too.id)).one()
    assert (ordered.status, ordered.amount) == (RefundStatus.PENDING, paid_too.amount)
    assert laws.violations(start) == []


def test_the_replaced_plan_comes_back_with_its_money(now: datetime) -> None:
    """An upgrade that is refunded in full gives the old plan back for the rest of its own time."""
    user = a_customer(now)
    old = buy(user, now)
    buy(user, now, "START_MONTHLY")
    use(user, 1_000, now)
    start = now + 10 * DAY
    new = upgrade(user, "BUSINESS_MONTHLY", start)
    use(user, 5_000, start + DAY)

    send_back(new, start + 5 * DAY)

    assert row(user) == [
        ("PRO_MONTHLY", now, now + 30 * DAY),
        ("START_MONTHLY", now + 30 * DAY, now + 60 * DAY),
    ]
    assert period(old).emails_used == 6_000
    assert subscription(user).current_period_end == now + 60 * DAY
    assert laws.violations(start + 5 * DAY) == []


def test_renewal_at_the_new_price_is_agreed_to_with_the_order(now: datetime) -> None:
    """Where renewal is on, the new agreement is in force once the change is paid, and not before."""
    user = a_customer(now)
    buy(user, now, renews=True)
    waiting = order(user, "BUSINESS_MONTHLY", now + 15 * DAY)
    assert in_force(user).amount == Decimal("990.00")

    pay(user, waiting, now + 15 * DAY)

    agreed = in_force(user)
    assert (agreed.plan_code, agreed.amount, agreed.payment_id) == ("BUSINESS_MONTHLY", 2990, waiting.id)
    live = subscription(user)
    assert live.auto_renew
    assert live.charge_due_at == now + 42 * DAY
    assert laws.violations(now + 15 * DAY) == []


def test_a_smaller_plan_follows_and_may_be_taken_back(now: datetime) -> None:
    """The next renewal charges what was chosen last; the present plan can be chosen again until then."""
    user = a_customer(now)
    buy(user, now, renews=True, price="890.00")
    assert later(user, "START_MONTHLY", now + DAY).means is Means.AT_THE_END
    assert (in_force(user).plan_code, in_force(user).amount) == ("START_MONTHLY", 390)
    assert later(user, "START_MONTHLY", now + DAY).means is Means.NOTHING

    assert later(user, "PRO_MONTHLY", now + 2 * DAY).means is Means.STAY

    assert (in_force(user).plan_code, in_force(user).amount) == ("PRO_MONTHLY", 890)
    assert later(user, "PRO_MONTHLY", now + 2 * DAY).means is Means.NOTHING
    assert laws.violations(now + 2 * DAY) == []


def test_what_comes_back_when_a_change_is_refunded(now: datetime) -> None:
    """Nothing of a plan whose money went back as well, nor once either period is over, nor after a cancel; of
    two changes that are both refunded, the plan before them, with all that was sent since.
    """
    for case in ("refunded too", "change over", "plan over", "canceled", "a chain"):
        user = a_customer(now)
        old = buy(user, now, "PRO_YEARLY" if case == "change over" else "PRO_MONTHLY")
        start = now + (350 if case == "change over" else 10) * DAY
        use(user, 1_000, start)
        new = upgrade(user, "BUSINESS_MONTHLY", start)
        use(user, 2_000, start + DAY)
        end = start + 2 * DAY
        if case == "refunded too":
            send_back(old, end)
        if case == "change over":
            end = start + 31 * DAY
        if case == "plan over":
            end = now + 30 * DAY
        if case == "canceled":
            cancellation.cancel(user.id, end)
        if case == "a chain":
            last = upgrade(user, "BUSINESS_YEARLY", end)
            use(user, 3_000, end)
            send_back(new, end)
            new = last
        else:
            left = again(new).amount - sum(refunded(new), Decimal(0))
            if left:
                send_back(new, end, left)
        if case == "a chain":
            send_back(last, end + DAY)
            assert row(user) == [("PRO_MONTHLY", now, now + 30 * DAY)], case
            assert period(old).emails_used == 6_000, case
            assert upgrade(user, "BUSINESS_MONTHLY", end + DAY).amount > 0, case
        else:
            kept = [("BUSINESS_MONTHLY", start, start + 30 * DAY)] if case == "change over" else []
            assert [one for one in row(user) if one not in kept] == [], case
        assert laws.violations(end + DAY) == [], case


def refunded(payment: Payment) -> list[Decimal]:
    """What of a payment went back or is on its way."""
    found = select(Refund.amount).where(Refund.payment_id == payment.id, Refund.status != RefundStatus.FAILED)
    return list(db.session.scalars(found))


def test_renewal_after_a_change_that_is_undone(now: datetime) -> None:
    """The agreement to the new price ends with it, nothing is charged by itself, and what would be offered
    again are the terms of the plan that came back.
    """
    user = a_customer(now)
    buy(user, now, renews=True, price="890.00")
    new = upgrade(user, "BUSINESS_MONTHLY", now + 10 * DAY)
    send_back(new, now + 12 * DAY)

    live = subscription(user)
    assert (live.auto_renew, live.charge_due_at) == (False, None)
    offer = agreements.offer(user.id, now + 12 * DAY).agreement
    assert (offer.plan.code, offer.amount) == ("PRO_MONTHLY", Decimal("890.00"))


@pytest.mark.parametrize("since", ("stopped", "smaller plan"))
def test_what_the_customer_agreed_to_last_stands(now: datetime, since: str) -> None:
    """A stop, or a smaller plan, after the order is not undone when the order's money comes."""
    user = a_customer(now)
    buy(user, now, renews=True)
    waiting = order(user, "BUSINESS_MONTHLY", now + DAY)
    if since == "stopped":
        agreements.stop(user.id, now + DAY)
    else:
        later(user, "START_MONTHLY", now + DAY)

    pay(user, waiting, now + DAY + timedelta(minutes=5))

    assert [one[0] for one in row(user)] == ["BUSINESS_MONTHLY"]
    live = subscription(user)
    assert live.auto_renew is (since == "smaller plan")
    if live.auto_renew:
        assert in_force(user).plan_code == "START_MONTHLY"
    given = db.session.scalars(select(Consent).where(Consent.payment_id == waiting.id)).one()
    assert given.withdrawn_at is not None
    assert laws.violations(now + DAY) == []


def test_a_plan_off_sale_can_be_stayed_with(now: datetime) -> None:
    """Whoever put another plan off and thinks again keeps the terms, though the plan is not sold any more."""
    user = a_customer(now)
    buy(user, now, renews=True)
    later(user, "START_MONTHLY", now + DAY)
    with transaction():
        plan("PRO_MONTHLY").on_sale = False
    codes = [
        choice.plan.code
        for choice in plan_changes.choices(
            plan_changes.situation(db.session(), user.id, now + DAY), now + DAY
        )
    ]
    assert codes[0] == "PRO_MONTHLY"
    assert later(user, "PRO_MONTHLY", now + DAY).means is Means.STAY
    assert (in_force(user).plan_code, in_force(user).amount) == ("PRO_MONTHLY", 990)
    with pytest.raises(plans.PlanNotFound):
        later(user, "NO_SUCH_PLAN", now + DAY)


def test_nothing_is_changed_in_the_days_of_grace(now: datetime) -> None:
    """What may be used then was not paid for: there is nothing to credit, and any plan is simply bought."""
    user = a_customer(now)
    buy(user, now, renews=True)
    with transaction():
        live = subscription(user)
        live.status = SubscriptionStatus.PAST_DUE
    assert subscriptions.standing(user.id, now + 31 * DAY).current is not None
    for code in ("BUSINESS_MONTHLY", "START_MONTHLY", "PRO_MONTHLY"):
        assert look(user, code, now + 31 * DAY).means is Means.BUY


def test_an_undecided_payment_makes_a_change_wait(now: datetime) -> None:
    """While nobody knows whether a payment took the money, neither kind of change is made; the same click
    goes on with the same order.
    """
    user = a_customer(now)
    buy(user, now, renews=True)
    waiting = order(user, "BUSINESS_MONTHLY", now + DAY)
    with transaction() as session:
        session.get_one(Payment, waiting.id).status = PaymentStatus.UNKNOWN
    for code in ("START_MONTHLY", "PRO_YEARLY"):
        with pytest.raises(changing.ChangeMustWait):
            changing.change(user, code, None, accept_recurring=False, client=BROWSER, now=now + DAY)
    assert order(user, "BUSINESS_MONTHLY", now + DAY).id == waiting.id

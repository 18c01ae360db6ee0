"""An account closed by its owner: what ends, what goes back, and what never comes again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import closing, disabling, operators, sessions
from portal.billing import audit, bindings, entitlement, locks, methods, orders
from portal.billing.audit import COMMAND_LINE, Actor, Subject
from portal.database import db, transaction
from portal.gateways.base import BindingSnapshot, Outcome, SavedMethod
from portal.models import (
    BindingStatus,
    Consent,
    GatewayName,
    MethodBinding,
    Notification,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    PurchasedPlan,
    Role,
    Subscription,
    SubscriptionStatus,
    User,
)
from tests import laws
from tests.billing.rows import a_customer, a_payment, again, settled, told
from tests.billing.shelf import DAY, Shelf, a_saved_card, rule
from tests.desk import PASSWORD

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOME = "198.51.100.7"


@pytest.fixture
def shelf(context: Flask) -> Shelf:
    return Shelf(NOW)


def close(shelf: Shelf, at: datetime) -> bool:
    return closing.close(shelf.user.id, HOME, at)


def reread(shelf: Shelf) -> User:
    return db.session.get_one(User, shelf.user.id, populate_existing=True)


def a_renewing_plan(shelf: Shelf) -> tuple[PaymentMethod, Consent]:
    rule("full", NOW)
    return a_saved_card(shelf, shelf.pay("990.00", NOW), NOW)


def test_everything_ends_at_once(shelf: Shelf) -> None:
    """Money inside the window goes back, the token is erased, agreements and sessions end, one letter says
    so; a second click does nothing.
    """
    method, consent = a_renewing_plan(shelf)
    key = sessions.begin(shelf.user, address="", user_agent="", now=NOW)
    at = NOW + DAY

    assert close(shelf, at)
    assert not close(shelf, at + DAY)

    assert (reread(shelf).disabled_at, reread(shelf).closed_at) == (at, at)
    assert shelf.ordered() == [("0", "990.00")]
    card = db.session.get_one(PaymentMethod, method.id, populate_existing=True)
    assert (card.token, card.detached_at) == (None, at)
    assert db.session.get_one(Consent, consent.id, populate_existing=True).withdrawn_at == at
    plan = db.session.get_one(Subscription, shelf.subscription.id, populate_existing=True)
    assert (plan.status, plan.auto_renew, plan.charge_due_at) == (SubscriptionStatus.CANCELED, False, None)
    assert sessions.find(key, at) is None
    assert sessions.of(shelf.user.id, at) == []
    assert entitlement.of(shelf.user.email, at).status == "disabled"
    (letter,) = db.session.scalars(select(Notification))
    assert letter.kind == "account_closed"
    assert [refund["amount"] for refund in letter.facts["refunds"]] == ["990.00"]
    (entry,) = audit.of(Subject("user", shelf.user.id))
    assert (entry.act, entry.actor, entry.address) == ("close-account", shelf.user.email, HOME)
    assert laws.violations(at) == []


def test_outside_the_window_nothing_goes_back(shelf: Shelf) -> None:
    """The plan ends all the same, and the letter says that."""
    rule("full", NOW)
    shelf.pay("990.00", NOW)

    assert close(shelf, NOW + 20 * DAY)

    assert shelf.ordered() == []
    (letter,) = db.session.scalars(select(Notification))
    assert (letter.facts["refunds"], bool(letter.facts["plan_titles"])) == ([], True)


def test_without_a_plan_there_is_only_an_account_to_close(shelf: Shelf) -> None:
    """Nothing is ordered and nothing fails."""
    assert close(shelf, NOW)
    assert shelf.ordered() == []
    assert reread(shelf).disabled_at == NOW


@pytest.mark.parametrize("opened_again", (False, True))
def test_an_order_paid_after_the_end_goes_back(shelf: Shelf, opened_again: bool) -> None:
    """The money of an order that was under way gives nothing, keeps no card, and goes back in full."""
    order = a_payment(shelf.user, NOW, status=PaymentStatus.UNKNOWN)
    shelf.payments.append(order)
    assert close(shelf, NOW + timedelta(minutes=1))
    if opened_again:
        clerk = Actor(None, "clerk@example.com")
        assert disabling.enable(shelf.user.id, clerk, "Передумал", NOW + timedelta(minutes=2))
    at = NOW + timedelta(minutes=3)

    settled(order, told(order, shelf.user, Outcome.SUCCEEDED, "77"), at)
    settled(order, told(order, shelf.user, Outcome.SUCCEEDED, "77"), at)

    assert again(order).status is PaymentStatus.SUCCEEDED
    assert shelf.ordered() == [("0", "990.00")]
    (period,) = db.session.scalars(select(PurchasedPlan).where(PurchasedPlan.user_id == shelf.user.id))
    assert period.revoked_at == at
    assert laws.violations(at) == []


def test_an_order_that_was_sent_in_the_moment_of_closing_goes_back(shelf: Shelf) -> None:
    """It came past the guards before the end and was written after it; whoever left cannot use a plan."""
    assert close(shelf, NOW)
    at = NOW + timedelta(seconds=1)
    order = a_payment(shelf.user, at)
    shelf.payments.append(order)

    settled(order, told(order, shelf.user, Outcome.SUCCEEDED, "77"), at)

    assert shelf.ordered() == [("0", "990.00")]
    assert laws.violations(at) == []


def test_nobody_goes_on_with_an_order_of_before(shelf: Shelf) -> None:
    """Whoever comes back orders anew: what could still be paid is set aside, and nothing else is touched."""
    waits = a_payment(shelf.user, NOW)
    refused = a_payment(shelf.user, NOW, status=PaymentStatus.FAILED)
    binding = a_payment(shelf.user, NOW, purpose=PaymentPurpose.BINDING, amount=Decimal("1.00"))
    over = a_payment(shelf.user, NOW - 2 * DAY, status=PaymentStatus.FAILED)
    another = a_payment(a_customer(NOW), NOW)
    at = NOW + timedelta(minutes=1)
    assert close(shelf, at)

    assert [again(one).superseded_at for one in (waits, refused, binding)] == [at, at, at]
    assert [again(one).superseded_at for one in (over, another)] == [None, None]
    assert waits.plan_id is not None
    assert db.session.scalars(orders.open_order(shelf.user.id, waits.plan_id)).all() == []


def test_an_order_whose_money_is_held_is_not_set_aside(shelf: Shelf) -> None:
    """A bank said yes already: what comes of it is dealt with as money."""
    order = a_payment(shelf.user, NOW, status=PaymentStatus.AUTHORIZED, gateway_payment_id="9001")
    assert close(shelf, NOW + timedelta(minutes=1))
    assert again(order).superseded_at is None


def test_what_is_ordered_after_it_is_opened_again_counts(shelf: Shelf) -> None:
    """Closing reaches back, not forward."""
    assert close(shelf, NOW)
    assert disabling.enable(shelf.user.id, Actor(None, "clerk"), "Передумал", NOW)
    order = a_payment(shelf.user, NOW + DAY)

    settled(order, told(order, shelf.user, Outcome.SUCCEEDED, "78"), NOW + DAY)

    assert shelf.ordered() == []
    assert entitlement.of(shelf.user.email, NOW + DAY).status == "active"


def test_a_renewal_between_two_periods_goes_back(shelf: Shelf) -> None:
    """The period is over, its renewal is being decided: there is no plan to end, and nothing is kept."""
    method, consent = a_renewing_plan(shelf)
    at = NOW + 30 * DAY + timedelta(seconds=1)
    renewal = a_payment(
        shelf.user,
        at,
        purpose=PaymentPurpose.RENEWAL,
        status=PaymentStatus.UNKNOWN,
        subscription_id=shelf.subscription.id,
        period_start=NOW + 30 * DAY,
        attempt=1,
        payment_method_id=method.id,
        consent_id=consent.id,
    )
    shelf.payments.append(renewal)
    assert close(shelf, at)

    settled(renewal, told(renewal, shelf.user, Outcome.SUCCEEDED, "79", shop=None), at + DAY)

    assert shelf.ordered() == [("1", "990.00")]
    assert laws.violations(at + DAY) == []


def test_a_card_saved_too_late_is_not_kept(shelf: Shelf) -> None:
    """The rouble that saves a card comes back, and the card is not there."""
    binding = a_payment(
        shelf.user, NOW, purpose=PaymentPurpose.BINDING, status=PaymentStatus.PENDING, amount=Decimal("1.00")
    )
    shelf.payments.append(binding)
    assert close(shelf, NOW + timedelta(minutes=1))
    card = SavedMethod(token="tk", kind="bank_card", title="Visa •• 4242", last4="4242")

    settled(
        binding,
        told(binding, shelf.user, Outcome.SUCCEEDED, "80", saved_method=card),
        NOW + timedelta(minutes=2),
    )

    assert shelf.ordered() == [("0", "1.00")]
    assert methods.of(shelf.user.id) == []


def test_staff_are_not_closed_by_that(context: Flask) -> None:
    """The desk loses nobody by a click in the shop."""
    operators.create("boss@example.com", PASSWORD, Role.OWNER, COMMAND_LINE, NOW)
    boss = db.session.scalars(select(User).where(User.email == "boss@example.com")).one()
    with pytest.raises(closing.OfStaff):
        closing.close(boss.id, HOME, NOW)
    assert db.session.get_one(User, boss.id, populate_existing=True).disabled_at is None


def test_the_locked_row_tells_when(shelf: Shelf) -> None:
    """What late money is judged by is read under the customer's lock, with the payment."""
    order = a_payment(shelf.user, NOW)
    for closed_at in (None, NOW):
        with transaction() as session:
            session.get_one(User, shelf.user.id).closed_at = closed_at
            session.flush()
            found = locks.locked(session, payment_id=order.id)
            assert found is not None
            assert found.payer_closed_at == closed_at


@pytest.mark.parametrize("begun", (NOW, NOW + timedelta(seconds=61)), ids=("before", "in that moment"))
def test_a_card_bound_too_late_is_not_kept(shelf: Shelf, begun: datetime) -> None:
    """The same where a card is saved for nothing."""
    binding = MethodBinding(
        key="a-key",
        user_id=shelf.user.id,
        gateway=GatewayName.YOOKASSA,
        gateway_method_id="m",
        status=BindingStatus.PENDING,
        created_at=begun,
    )
    with transaction() as session:
        session.add(binding)
    assert close(shelf, NOW + timedelta(minutes=1))
    card = SavedMethod(token="m", kind="bank_card", title="Visa •• 4242", last4="4242")

    bindings.heard(BindingSnapshot("m", Outcome.SUCCEEDED, method=card), NOW + timedelta(minutes=2))

    assert methods.of(shelf.user.id) == []
    assert (
        db.session.get_one(MethodBinding, binding.id, populate_existing=True).status is BindingStatus.FAILED
    )


@pytest.mark.parametrize("plan_is_over", (False, True))
def test_a_change_paid_after_the_end_goes_back(shelf: Shelf, plan_is_over: bool) -> None:
    """Whether the plan that it was to replace ended by the closing or had run out before."""
    rule("full", NOW, window="1")
    old = shelf.pay("990.00", NOW)
    ordered_at = NOW + 30 * DAY - timedelta(minutes=5)
    change = a_payment(
        shelf.user,
        ordered_at,
        purpose=PaymentPurpose.CHANGE,
        status=PaymentStatus.UNKNOWN,
        credit=Decimal("0.10"),
        replaces_payment_id=old.id,
    )
    shelf.payments.append(change)
    closed_at = ordered_at + timedelta(minutes=10 if plan_is_over else 1)
    assert close(shelf, closed_at)
    at = closed_at + timedelta(minutes=1)

    settled(change, told(change, shelf.user, Outcome.SUCCEEDED, "81"), at)

    assert shelf.ordered() == [("1", "990.00")]
    assert laws.violations(at) == []

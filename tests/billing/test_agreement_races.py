"""What a customer clicks at one moment, in two tabs or against a worker: one order of things comes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import pytest
from flask import Flask

from portal import clock
from portal.billing import agreements, consents, doors, methods, overdue, renewals, tending
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.gateways.base import Outcome, PaymentOrder, PaymentSnapshot, SavedMethod
from portal.models import Payment, PaymentPurpose, SubscriptionStatus
from tests import laws
from tests.billing.rows import CLOUDPAYMENTS, a_payment, numbers, settled, told
from tests.billing.subscribers import CLIENT, DAY, Subscriber, a_subscriber
from tests.billing.threads import at_the_same_time

ROUNDS = 6


class Taken:
    """A gateway that takes every charge."""

    def charge_saved(self, order: PaymentOrder, _token: str) -> PaymentSnapshot:
        return PaymentSnapshot(
            str(next(numbers)), Outcome.SUCCEEDED, order.amount, "RUB", order.transaction_id, True
        )


@pytest.fixture
def moment(context: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[datetime]:
    """Now; whoever is charged was told long ago, and the laws hold in the end."""
    monkeypatch.setattr(doors, "gateway", lambda _name: Taken())
    monkeypatch.setattr(tending, "announced_at", lambda _session, one: one.current_period_start)
    yield clock.now()
    db.session.remove()
    assert not (broken := laws.violations(clock.now())), broken


def refused(moment: datetime) -> Subscriber:
    """Somebody whose renewal the bank refused."""
    ira = a_subscriber(moment - 28 * DAY)
    ira.past_due(moment - DAY / 4)
    return ira


def renewals_of(ira: Subscriber) -> list[Payment]:
    """The charges that were frozen, but for the refused one of before."""
    mine = db.session.query(Payment).filter_by(user_id=ira.user.id, purpose=PaymentPurpose.RENEWAL)
    return list(mine.order_by(Payment.id).populate_existing())[1:]


def test_paying_now_in_three_tabs_is_one_charge(app: Flask, moment: datetime) -> None:
    """Clicks, the jobs that they queue and the scheduler's own: one attempt, one period."""
    for _ in range(ROUNDS):
        ira = refused(moment)
        one = ira.subscription.id

        def click(one: int = one) -> None:
            overdue.try_now(one, clock.now())

        def work(one: int = one) -> None:
            renewals.renew(one)

        at_the_same_time(app, click, click, click, work)
        at_the_same_time(app, work, work, work)
        assert [charge.status.value for charge in renewals_of(ira)] == ["succeeded"]
        assert ira.subscription.status is SubscriptionStatus.ACTIVE


def test_switching_on_in_two_tabs_is_one_agreement(app: Flask, moment: datetime) -> None:
    """And switching off beside it leaves either nothing in force or one agreement."""
    for number in range(ROUNDS):
        ira = a_subscriber(moment)
        agreements.stop(ira.user.id, moment)
        user_id = ira.user.id

        def on(user_id: int = user_id) -> None:
            agreements.resume(user_id, CLIENT, moment)

        def off(user_id: int = user_id) -> None:
            agreements.stop(user_id, moment)

        at_the_same_time(app, on, on, *([off] if number % 2 else []))
        in_force = [one for one in ira.agreements if one.withdrawn_at is None]
        assert len(in_force) == int(ira.subscription.auto_renew)
        assert number % 2 or len(ira.agreements) == 2


def test_a_card_that_is_unlinked_while_it_is_chosen_is_charged_no_more(app: Flask, moment: datetime) -> None:
    """Whatever comes first: in the end it is unlinked, and no renewal goes by it."""
    for _ in range(ROUNDS):
        ira = refused(moment)
        card, user_id = ira.another_card(moment).id, ira.user.id

        def choose(user_id: int = user_id, card: int = card) -> None:
            with suppress(methods.MethodNotFound):
                agreements.make_default(user_id, card, clock.now())

        def unlink(user_id: int = user_id, card: int = card) -> None:
            methods.unlink(user_id, card, clock.now())

        at_the_same_time(app, choose, unlink)
        renewals.renew(ira.subscription.id)
        assert methods.owned(user_id, card).token is None
        assert all(charge.payment_method_id != card for charge in renewals_of(ira))


def test_news_of_a_payment_and_its_unlinking_end_without_the_card(app: Flask, moment: datetime) -> None:
    """A method that the payment saves in the very moment at which its owner lets the same one go."""
    for number in range(ROUNDS):
        ira = a_subscriber(moment)
        card = ira.method
        saved = SavedMethod((card.token or b"").decode(), card.kind, card.title)
        order = _agreed_order(ira, moment)
        paid = told(order, ira.user, Outcome.SUCCEEDED, str(next(numbers)), saved_method=saved)
        user_id, card_id = ira.user.id, card.id

        def unlink(user_id: int = user_id, card_id: int = card_id) -> None:
            methods.unlink(user_id, card_id, clock.now())

        def news(order: Payment = order, paid: PaymentSnapshot = paid) -> None:
            settled(order, paid, clock.now())

        at_the_same_time(app, *((unlink, news) if number % 2 else (news, unlink)))
        assert methods.of(user_id) == []
        assert not ira.subscription.auto_renew
        assert all(one.withdrawn_at for one in ira.agreements)


def _agreed_order(ira: Subscriber, moment: datetime) -> Payment:
    """Another order of the same plan, with an agreement, that waits for its money."""
    order = a_payment(ira.user, moment, gateway=CLOUDPAYMENTS, billing_mode=BillingMode.RECURRING)
    last = ira.agreements[-1]
    with transaction() as session:
        words = consents.agreement(consents.plan_agreed_to(last), last.amount, moment + 27 * DAY)
        consents.record(session, ira.user.id, order.id, words, CLIENT, moment)
    return order

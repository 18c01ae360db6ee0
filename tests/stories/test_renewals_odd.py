"""What is rare and dear about renewals: each was a way to charge twice, or to wait for ever."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.billing import settlement, subscriptions
from portal.database import db, transaction
from portal.gateways.base import Outcome, PaymentSnapshot
from portal.models import Payment, PaymentMethod, Subscription, User
from tests import laws
from tests.desk import LiveSandbox
from tests.stories import books
from tests.stories.cycle import GATEWAYS, Cycle, begin

DAY = timedelta(days=1)


@pytest.fixture
def eve(app: Flask, sandbox: LiveSandbox, recurring: None) -> Cycle:
    """A subscription at CloudPayments, announced, at the moment of its charge."""
    cycle = begin(app, sandbox, "cloudpayments")
    cycle.announce()
    return cycle


def broken(cycle: Cycle) -> list[str]:
    """Names of the laws that the data breaks."""
    with cycle.app.app_context():
        return [found.invariant.name for found in laws.violations(clock.now())]


@pytest.mark.parametrize("heard", ("at once", "by asking"))
def test_a_bank_that_wants_to_see_the_customer(eve: Cycle, heard: str) -> None:
    """3-D Secure for a saved card ends as "another card": nobody is there to pass it, so nothing waits for
    that, whether the answer came or was lost.
    """
    eve.refuse("3ds")
    if heard == "by asking":
        eve.spoil("tokens_charge", "drop_after_commit")
    eve.charge()
    if heard == "by asking":
        eve.until(lambda: eve.charges[0].status.value == "failed")

    assert eve.outcomes == ["failed needs_payer"]
    row = eve.row
    assert (row.status.value, row.charge_due_at, row.charge_look_at) == ("past_due", None, None)
    with eve.app.app_context():
        assert db.session.scalars(select(PaymentMethod)).one().stopped_at is None
    (notice,) = eve.ask(
        "SELECT facts FROM notifications WHERE kind = 'renewal_failed' AND channel = 'portal'"
    )
    assert (notice.facts["failure_code"], notice.facts["next_try_at"]) == ("needs_payer", None)
    assert eve.charges[0].next_check_at is None


def test_a_token_that_is_gone(eve: Cycle) -> None:
    """A token that the gateway does not know any more is dropped; the shop's settings are not to blame."""
    with eve.app.app_context(), transaction() as session:
        session.scalars(select(PaymentMethod)).one().token = b"tk_forgotten"
    eve.charge()
    assert eve.outcomes == ["failed method_gone"]
    (method,) = eve.ask("SELECT stopped_at, stop_code FROM payment_methods")
    assert method.stop_code == "method_gone"
    assert books.count(eve.app, "cases") == 0


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_closed_gateway_proves_nothing(
    app: Flask, sandbox: LiveSandbox, recurring: None, monkeypatch: pytest.MonkeyPatch, gateway: str
) -> None:
    """A worker died with the charge on its way, and then the gateway's credentials were away for two days:
    nobody may conclude from that silence that nothing was taken.
    """
    cycle = begin(app, sandbox, gateway)
    cycle.announce()
    with monkeypatch.context() as dying:
        dying.setattr(settlement, "settle", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cycle.charge()
    secret = {"cloudpayments": "cloudpayments_api_secret", "yookassa": "yookassa_secret_key"}[gateway]
    kept = {"cloudpayments": "sandbox-api-secret", "yookassa": "test_sandbox-secret-key"}[gateway]
    cycle.put(secret, "")
    for _ in range(4):
        cycle.later(timedelta(hours=12))
    assert cycle.outcomes == ["pending"]

    cycle.put(secret, kept)
    cycle.until(lambda: cycle.outcomes != ["pending"])

    assert (cycle.outcomes, cycle.captured) == (["succeeded"], 1)
    cycle.agree()
    assert broken(cycle) == []


def captured(charge: Payment, user: User, theirs: str) -> PaymentSnapshot:
    """The gateway's word that a charge went through."""
    return PaymentSnapshot(
        theirs, Outcome.SUCCEEDED, charge.amount, charge.currency, charge.transaction_id, test=True
    )


def told(cycle: Cycle, charge: Payment, theirs: str) -> str:
    """What comes of that word."""
    with cycle.app.app_context():
        user = db.session.get_one(User, cycle.user_id)
        with transaction() as session:
            row = settlement.locked(session, payment_id=charge.id)
            assert row is not None
            return settlement.settle(session, row, captured(charge, user, theirs), clock.now()).verdict.value


def test_two_charges_of_one_period_end_both(eve: Cycle) -> None:
    """A charge that was given up for lost succeeds while another is on its way: one makes the period, the
    other is a case, and neither keeps the next renewal waiting.
    """
    eve.spoil("tokens_charge", "drop_before_commit", times=2)
    eve.charge()
    eve.until(lambda: eve.outcomes[0] == "failed not_created")
    eve.until(lambda: len(eve.charges) == 2)
    first, second = eve.charges
    assert second.is_open

    assert told(eve, first, "7001") == "moved"
    assert told(eve, second, "7002") == "case"

    assert eve.outcomes == ["succeeded", "failed second_capture"]
    assert [kind.value for kind in books.case_kinds(eve.app)] == ["second_capture"]
    assert broken(eve) == []
    eve.announce()
    assert eve.charge()
    assert eve.outcomes[2:] == ["succeeded"]


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_money_that_went_back_is_not_taken_again(
    app: Flask, sandbox: LiveSandbox, recurring: None, gateway: str
) -> None:
    """A renewal that is refunded in full ends automatic charging: its period is due again, and all the same
    nobody is charged on the day of the refund. Switched on again, the same period is paid for once more.
    """
    cycle = begin(app, sandbox, gateway)
    cycle.announce()
    cycle.charge()
    (charge,) = cycle.charges
    sandbox.world.simulators[gateway].refund(charge.transaction_id, {})
    cycle.later(timedelta(minutes=1))
    cycle.compare()
    cycle.later(timedelta(hours=2))
    assert cycle.charges[0].refunded_amount == Decimal("990.00")
    assert (cycle.row.auto_renew, cycle.outcomes, cycle.captured) == (False, ["succeeded"], 1)
    (consent,) = cycle.ask("SELECT withdrawn_because FROM consents")
    assert consent.withdrawn_because == "refunded"

    switched_on(cycle)
    cycle.sweep()
    cycle.charge()
    assert (cycle.outcomes, cycle.captured) == (["succeeded", "succeeded"], 2)
    assert books.count(app, "cases") == 0
    cycle.agree()
    assert broken(cycle) == []


def switched_on(cycle: Cycle) -> None:
    """What the customer's click does: the agreement is in force again."""
    cycle.run("UPDATE consents SET withdrawn_at = NULL, withdrawn_because = NULL")
    cycle.run("UPDATE subscriptions SET auto_renew = true")
    with cycle.app.app_context(), transaction() as session:
        subscriptions.replan(
            session, session.get_one(Subscription, cycle.subscription_id, populate_existing=True), clock.now()
        )

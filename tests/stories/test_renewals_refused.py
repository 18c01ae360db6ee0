"""A refused renewal: what its reason leads to, when it is tried again, and until when the plan works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from portal import clock
from portal.billing import settlement, subscriptions, sweep
from portal.database import transaction
from portal.gateways import declines
from portal.gateways.base import Outcome, PaymentSnapshot
from portal.gateways.cloudpayments import CloudPayments
from portal.gateways.declines import Action
from portal.gateways.yookassa import YooKassa
from portal.models import CaseKind, Payment
from tests.desk import LiveSandbox
from tests.stories import books
from tests.stories.cycle import GATEWAYS, Cycle, begin

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
POOR = {"cloudpayments": "5051", "yookassa": "insufficient_funds"}


BOTH = pytest.mark.parametrize("eve", GATEWAYS, indirect=True)


@pytest.fixture
def eve(app: Flask, sandbox: LiveSandbox, recurring: None, request: pytest.FixtureRequest) -> Cycle:
    """An announced renewal, at the moment of its charge."""
    cycle = begin(app, sandbox, getattr(request, "param", "cloudpayments"))
    cycle.announce()
    return cycle


@pytest.fixture
def refused(eve: Cycle) -> Cycle:
    """The same, refused for want of money, for good unless something else is programmed."""
    eve.refuse(POOR[eve.gateway], None)
    eve.charge()
    return eve


def access(cycle: Cycle) -> bool:
    """Whether the customer may use the plan at the present moment, jobs or no jobs."""
    with cycle.app.app_context():
        return subscriptions.standing(cycle.user_id, clock.now()).current is not None


def days_after_the_first(cycle: Cycle) -> list[float]:
    """When each attempt was made, in days after the first, to the hundredth."""
    made = [charge.created_at for charge in cycle.charges]
    return [round((moment - made[0]) / DAY, 2) for moment in made]


def to_the_end(cycle: Cycle) -> None:
    """All that the schedule holds, and the end of the plan."""
    cycle.until(lambda: cycle.row.status.value == "expired")


AS_IT_WAS = """
DELETE FROM cases;
DELETE FROM notifications WHERE kind = 'renewal_failed';
DELETE FROM payment_moves WHERE payment_id IN (SELECT id FROM payments WHERE purpose = 'renewal');
DELETE FROM gateway_calls WHERE payment_id IN (SELECT id FROM payments WHERE purpose = 'renewal');
DELETE FROM payments WHERE purpose = 'renewal';
UPDATE payment_methods SET stopped_at = NULL, stop_code = NULL;
UPDATE subscriptions SET status = 'active', charge_due_at = '{0}', charge_look_at = '{0}',
    grace_until = current_period_end + interval '5 days'"""
WHAT_CAME = """
SELECT s.status, s.charge_due_at AS due, s.charge_look_at AS look, m.stopped_at, m.stop_code,
    (SELECT count(*) FROM cases WHERE kind = 'renewal_refused') AS cases, n.facts
FROM subscriptions s JOIN payment_methods m ON m.id = s.payment_method_id
JOIN notifications n ON n.kind = 'renewal_failed' AND n.channel = 'email'"""


def on_a_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two minutes pass after a sweep that found nothing, before anybody asks what is due next."""
    quick = sweep.sweep_until_quiet

    def slow(now: datetime, **more: Any) -> int:
        done = quick(now, **more)
        if not done:
            clock.set_to(clock.now() + timedelta(minutes=2))
        return done

    monkeypatch.setattr(sweep, "sweep_until_quiet", slow)


def answering(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let both gateways refuse every charge with this code."""

    def charge_saved(_self: Any, order: Any, _token: str) -> PaymentSnapshot:
        theirs = str(abs(hash(order.transaction_id)))
        return PaymentSnapshot(
            theirs,
            Outcome.FAILED,
            order.amount,
            order.currency,
            order.transaction_id,
            test=True,
            failure_code=code,
        )

    for gateway in (CloudPayments, YooKassa):
        monkeypatch.setattr(gateway, "charge_saved", charge_saved)


@BOTH
def test_every_reason_leads_to_its_action(eve: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each code of the table: tried again tomorrow, another card asked for, the method dropped, or a case for
    the operator and a try tomorrow; the customer is told which.
    """
    tomorrow = clock.now() + DAY
    expected = {
        Action.RETRY_LATER: (True, False, 0),
        Action.ANOTHER_CARD: (False, False, 0),
        Action.STOP: (False, True, 0),
        Action.OPERATOR: (True, False, 1),
    }
    codes = [*sorted(declines._KNOWN[eve.gateway].keys() - {"not_created"}), "a code of tomorrow"]
    wrong = {}
    for code in codes:
        eve.run(AS_IT_WAS.format(clock.now().isoformat()))
        answering(monkeypatch, code)
        assert eve.charge()
        (came,) = eve.ask(WHAT_CAME)
        assert came.due is None or abs(came.due - tomorrow) < HOUR, code
        assert (came.look, came.status) == (came.due, "past_due"), code
        assert came.stop_code == (code if came.stopped_at else None), code
        told = came.due and came.due.astimezone(UTC).isoformat()
        assert (came.facts["failure_code"], came.facts["next_try_at"]) == (code, told)
        led_to = (came.due is not None, came.stopped_at is not None, came.cases)
        if led_to != expected[declines.explain(eve.gateway, code).action]:
            wrong[code] = led_to
    assert len(codes) > 25
    assert wrong == {}


@BOTH
def test_the_schedule_by_the_clock(refused: Cycle) -> None:
    """The day, +1, +3, +7 and no more; then the plan works to the last second of the grace and not longer."""
    to_the_end(refused)
    assert days_after_the_first(refused) == [0, 1, 3, 7]
    assert set(refused.outcomes) == {f"failed {POOR[refused.gateway]}"}
    letters = refused.ask("SELECT kind FROM notifications WHERE channel = 'email' ORDER BY id")
    assert [letter.kind for letter in letters].count("renewal_failed") == 4
    assert letters[-1].kind == "plan_ended"
    refused.agree()


def test_an_edited_schedule(refused: Cycle) -> None:
    """What the operator sets holds from the next refusal on; days that are over are not made up for."""
    refused.put("retry_schedule", "0,2,5")
    assert days_after_the_first(refused) == [0]
    refused.until(lambda: len(refused.charges) == 2)
    assert days_after_the_first(refused) == [0, 1]  # planned before
    refused.until(lambda: len(refused.charges) == 3)
    assert days_after_the_first(refused) == [0, 1, 5]
    to_the_end(refused)
    assert len(refused.charges) == 3


def test_no_two_tries_in_a_row(refused: Cycle) -> None:
    """After an outage of three days the missed try is made once; the one after it keeps its own day."""
    refused.go_to(clock.now() + timedelta(days=3, hours=6))
    refused.sweep()
    refused.sweep()
    assert days_after_the_first(refused) == [0, 3.25]
    refused.until(lambda: len(refused.charges) == 3)
    assert days_after_the_first(refused) == [0, 3.25, 7]


def test_four_tries_of_one_method_at_most(refused: Cycle) -> None:
    """However often somebody asks for it, one method is charged four times a period at most."""
    for _ in range(6):
        refused.run("UPDATE subscriptions SET charge_due_at = :now, charge_look_at = :now", now=clock.now())
        refused.sweep()
    assert len(refused.charges) == 4
    assert (refused.row.charge_due_at, refused.row.charge_look_at) == (None, None)


def test_the_shops_fault_is_capped_too(eve: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that is the shop's fault is tried daily, four times in all, under one case.

    The fourth falls due moments after the end of what is paid, which is told of by a sweep of its own.
    """
    answering(monkeypatch, "GATEWAY_REJECTED")
    on_a_slow_machine(monkeypatch)
    eve.charge()
    to_the_end(eve)
    assert days_after_the_first(eve) == [0, 1, 2, 3]
    assert books.case_kinds(eve.app) == [CaseKind.RENEWAL_REFUSED]


@BOTH
def test_none_after_a_stop(eve: Cycle) -> None:
    """A refusal that forbids another try is the last one, though somebody asks for one at once."""
    eve.refuse({"cloudpayments": "5036", "yookassa": "permission_revoked"}[eve.gateway], None)
    eve.charge()
    eve.run("UPDATE subscriptions SET charge_due_at = :now, charge_look_at = :now", now=clock.now())
    eve.sweep()
    assert len(eve.charges) == len(eve.held) - 1 == 1
    to_the_end(eve)
    assert len(eve.held) == 2


def test_the_grace_to_the_second(refused: Cycle) -> None:
    """Access lasts through the grace exactly, whether or not a job has said anything."""
    end, grace = refused.row.current_period_end, refused.row.grace_until
    assert grace == end + 5 * DAY
    for moment, works in ((end - SECOND, True), (end, True), (grace - SECOND, True), (grace, False)):
        refused.go_to(moment)
        assert access(refused) is works, moment
    refused.sweep()
    assert (refused.row.status.value, refused.row.auto_renew) == ("expired", False)
    assert len(refused.charges) == 1  # what was due in the grace is not charged after it


@BOTH
def test_recovered_within_the_grace(refused: Cycle) -> None:
    """Money in the grace renews from where the old period ended: what was used unpaid is paid for now."""
    end: datetime = refused.row.current_period_end
    refused.refuse(POOR[refused.gateway], 2)
    refused.until(lambda: "succeeded" in refused.outcomes)
    assert days_after_the_first(refused) == [0, 1, 3, 7]
    assert clock.now() > end
    periods = refused.ask("SELECT starts_at, ends_at FROM purchased_plans ORDER BY id")
    assert (periods[1].starts_at, periods[1].ends_at) == (end, end + 30 * DAY)
    row = refused.row
    assert (row.status.value, row.charge_due_at) == ("active", end + 27 * DAY)
    refused.agree()


def test_a_charge_left_lying_beyond_the_grace(refused: Cycle) -> None:
    """A worker that comes back after the grace, before anybody said that it is over, charges nothing."""
    refused.go_to(refused.row.grace_until + HOUR)
    assert not refused.charge()
    refused.sweep()
    assert (len(refused.charges), refused.row.status.value) == (1, "expired")


def fail_with_retry_after(cycle: Cycle, charge: Payment, moment: datetime) -> None:
    """The Fail notification of a charge, which comes after the answer and knows more."""
    told = PaymentSnapshot(
        charge.gateway_payment_id or "",
        Outcome.FAILED,
        charge.amount,
        charge.currency,
        charge.transaction_id,
        test=True,
        failure_code="5051",
        retry_after=moment,
    )
    with cycle.app.app_context(), transaction() as session:
        row = settlement.locked(session, payment_id=charge.id)
        assert row is not None
        settlement.settle(session, row, told, clock.now())


def test_a_retry_after_that_comes_late(app: Flask, sandbox: LiveSandbox, recurring: None) -> None:
    """CloudPayments says in its Fail, after its answer, when a card may be tried again: that is obeyed, told
    to the customer, and never brings a try forward.
    """
    cycle = begin(app, sandbox, "cloudpayments")
    cycle.announce()
    cycle.refuse("5051", None)
    cycle.charge()
    (charge,) = cycle.charges
    planned = cycle.row.charge_due_at
    for wished, due in ((planned - HOUR, planned), (planned + HOUR, planned + HOUR)):
        fail_with_retry_after(cycle, charge, wished)
        assert cycle.row.charge_due_at == due
        (told,) = cycle.ask(
            "SELECT facts FROM notifications WHERE kind = 'renewal_failed' AND channel = 'portal'"
        )
        assert told.facts["next_try_at"] == due.isoformat()
    fail_with_retry_after(cycle, charge, cycle.row.grace_until + HOUR)
    assert (cycle.row.charge_due_at, cycle.row.charge_look_at) == (None, None)

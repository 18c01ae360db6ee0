"""Charges that are held back: nobody was told, renewing is switched off, the gateway is closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from portal import clock
from portal.billing import entitlement, stopping, subscriptions
from portal.billing.stopping import Because
from portal.database import db, transaction
from portal.models import CaseKind
from tests.desk import LiveSandbox
from tests.stories import books
from tests.stories.cycle import Cycle, begin

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def cycle(app: Flask, sandbox: LiveSandbox, recurring: None) -> Cycle:
    """A subscription at CloudPayments, long before its charge."""
    return begin(app, sandbox, "cloudpayments")


@contextmanager
def no_mail(cycle: Cycle) -> Iterator[None]:
    """The mail server lets nobody in."""
    kept = cycle.app.extensions["portal_mailer"]
    cycle.app.extensions["portal_mailer"] = replace(kept, sandbox_url="http://127.0.0.1:9/")
    try:
        yield
    finally:
        cycle.app.extensions["portal_mailer"] = kept


def due_of(cycle: Cycle) -> datetime:
    """The moment for which the charge is planned."""
    moment = cycle.row.charge_due_at
    assert moment is not None
    return moment


def letters(cycle: Cycle, kind: str = "renewal_coming") -> list[Any]:
    """The letters of a kind, oldest first."""
    return cycle.ask(
        f"SELECT * FROM notifications WHERE kind = '{kind}' AND channel = 'email' ORDER BY id"  # noqa: S608 - a test's own word
    )


def in_the_mailbox(cycle: Cycle) -> list[str]:
    """What the announcements that arrived say."""
    found = cycle.sandbox.world.store.all("letter")
    return [f"{letter['subject']} {letter['text']}" for letter in found if "спишем" in letter["subject"]]


def open_cases(cycle: Cycle) -> int:
    """How many cases an operator has on the desk."""
    return len(cycle.ask("SELECT id FROM cases WHERE resolved_at IS NULL"))


def test_a_letter_that_cannot_leave_holds_the_charge_back(cycle: Cycle) -> None:
    """While the mailbox refuses, for six days, nothing is charged, and the operator is shown it. Once the
    letter has left it names the true moment, which leaves a day to say no, and the case is closed.
    """
    planned = due_of(cycle)
    with no_mail(cycle):
        cycle.walk(planned + MINUTE)
        assert (cycle.charges, books.case_kinds(cycle.app)) == ([], [CaseKind.NOTICE_UNSENT])
        assert cycle.row.held_since is not None
        cycle.walk(planned + 6 * DAY)
        assert (cycle.charges, in_the_mailbox(cycle), open_cases(cycle)) == ([], [], 1)

    cycle.until(lambda: in_the_mailbox(cycle))
    left_at = clock.now()
    assert left_at < planned + 6 * DAY + 13 * HOUR
    cycle.until(lambda: cycle.charges)

    (charge,) = cycle.charges
    assert abs(charge.created_at - left_at - DAY) < MINUTE
    day = charge.created_at.astimezone(ZoneInfo("Europe/Moscow")).day
    assert all(text.startswith(f"{day}\xa0") for text in in_the_mailbox(cycle)), in_the_mailbox(cycle)
    assert (cycle.outcomes, open_cases(cycle), cycle.row.held_since) == (["succeeded"], 0, None)
    assert cycle.row.status.value == "active"


def test_a_letter_that_left_in_time_holds_nothing(cycle: Cycle) -> None:
    """Two letters go out, three days and a day before; the charge comes at its moment, and no case."""
    planned = due_of(cycle)
    cycle.walk(planned)
    assert [abs(letter.sent_at - planned + before) < HOUR for letter, before in told(cycle)] == [True, True]
    assert (cycle.outcomes, books.case_kinds(cycle.app)) == (["succeeded"], [])


def told(cycle: Cycle) -> list[tuple[Any, timedelta]]:
    """The announcements, with how long before the charge each is to leave."""
    return list(zip(letters(cycle), (72 * HOUR, 24 * HOUR), strict=True))


def test_mail_that_never_comes_back_ends_without_a_charge(cycle: Cycle) -> None:
    """Nobody is charged who was never told: the plan ends with its grace, the case stays on the desk."""
    with no_mail(cycle):
        cycle.walk(cycle.row.grace_until + HOUR)
    assert (cycle.charges, cycle.row.status.value, open_cases(cycle)) == ([], "expired", 1)


def test_a_letter_about_a_charge_that_will_not_be(cycle: Cycle) -> None:
    """Whoever stops the renewal while its letter waits gets no letter that announces a charge; switched on
    again, the charge is announced anew.
    """
    planned = due_of(cycle)
    with no_mail(cycle):
        cycle.walk(planned - 71 * HOUR)
    with cycle.app.app_context(), transaction() as session:
        stopping.stop_charging(session, cycle.subscription_id, Because.STOPPED, clock.now())
    cycle.walk(planned - 48 * HOUR)
    assert (in_the_mailbox(cycle), letters(cycle)) == ([], [])

    cycle.run("UPDATE consents SET withdrawn_at = NULL, withdrawn_because = NULL")
    cycle.run(
        "UPDATE subscriptions SET auto_renew = true, charge_due_at = :due, charge_look_at = :due,"
        " look_at = :now, grace_until = current_period_end + interval '5 days'",
        due=planned,
        now=clock.now(),
    )
    cycle.walk(planned)
    assert len(in_the_mailbox(cycle)) == 2
    assert cycle.outcomes == ["succeeded"]


def test_a_portal_that_slept_past_the_end(cycle: Cycle) -> None:
    """Down from before the first letter until after the period's end, the portal announces first and charges
    a day later, within the grace; the new period begins where the old one ended.
    """
    end = cycle.row.current_period_end
    cycle.go_to(end + DAY)
    cycle.sweep()
    assert (cycle.charges, cycle.row.status.value) == ([], "past_due")
    cycle.walk(end + DAY + 26 * HOUR)
    assert cycle.outcomes == ["succeeded"]
    starts = cycle.ask("SELECT starts_at FROM purchased_plans ORDER BY id")
    assert starts[1].starts_at == end


def test_renewing_switched_off(cycle: Cycle) -> None:
    """With auto_renewal_enabled off nothing is charged and no charge is announced: the customer is told that
    the plan ends, and it ends.
    """
    cycle.put("auto_renewal_enabled", "false")
    end = cycle.row.current_period_end
    cycle.walk(end)
    assert (cycle.charges, letters(cycle)) == ([], [])
    assert len(letters(cycle, "plan_ends")) == 2
    assert cycle.row.status.value == "expired"


def test_renewing_switched_off_and_on(cycle: Cycle) -> None:
    """Switched on again before the end, it charges within the hour, announced in time before that."""
    planned = due_of(cycle)
    cycle.walk(planned - HOUR)
    cycle.put("auto_renewal_enabled", "false")
    cycle.walk(planned + 5 * HOUR)
    assert cycle.charges == []
    cycle.put("auto_renewal_enabled", "true")
    cycle.walk(planned + 6 * HOUR + MINUTE)
    assert cycle.outcomes == ["succeeded"]


def test_a_closed_gateway(cycle: Cycle) -> None:
    """Without the gateway's credentials nothing is charged; once they are back it is, within the hour."""
    planned = due_of(cycle)
    cycle.walk(planned - HOUR)
    cycle.put("cloudpayments_api_secret", "")
    cycle.walk(planned + 30 * HOUR)
    assert cycle.charges == []
    cycle.put("cloudpayments_api_secret", "sandbox-api-secret")
    cycle.walk(planned + 31 * HOUR + MINUTE)
    assert (cycle.outcomes, cycle.captured) == (["succeeded"], 1)


def test_a_customer_who_was_switched_off(cycle: Cycle) -> None:
    """A disabled customer is not charged, now or later."""
    cycle.announce()
    cycle.run("UPDATE users SET disabled_at = :now", now=clock.now())
    assert not cycle.charge()
    assert (cycle.charges, cycle.row.auto_renew, cycle.row.charge_look_at) == ([], False, None)
    assert cycle.ask("SELECT withdrawn_because FROM consents")[0].withdrawn_because == "ended"


def test_a_customer_who_is_switched_off_hears_of_nothing(cycle: Cycle) -> None:
    """No charge is announced that will not be made, and nobody is asked to buy who may not sign in; the plan
    ends at its end.
    """
    cycle.run("UPDATE users SET disabled_at = :now", now=clock.now())
    cycle.walk(cycle.row.current_period_end + HOUR)
    said = {letter.kind for letter in cycle.ask("SELECT kind FROM notifications")}
    assert said == {"payment_succeeded"}
    assert (cycle.row.status.value, cycle.row.auto_renew, cycle.charges) == ("expired", False, [])
    (agreed,) = cycle.ask("SELECT withdrawn_because FROM consents")
    assert agreed.withdrawn_because == "ended"


def test_a_charge_nobody_plans_any_more(cycle: Cycle) -> None:
    """A mark that was left behind is put right by the first worker that reads it, and comes up no more."""
    cycle.run("UPDATE subscriptions SET charge_look_at = :now", now=clock.now())
    assert not cycle.charge()
    assert cycle.row.charge_look_at == cycle.row.charge_due_at
    cycle.run("UPDATE subscriptions SET charge_due_at = NULL, charge_look_at = :now", now=clock.now())
    assert not cycle.charge()
    assert cycle.row.charge_look_at is None
    with cycle.app.app_context():
        db.session.remove()


def test_a_letter_that_is_merely_late(cycle: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter that nobody has refused is given half an hour before an operator hears of it."""
    planned = due_of(cycle)
    with monkeypatch.context() as busy:
        busy.setattr("portal.billing.notices.due", lambda *_: [])
        cycle.walk(planned + 20 * MINUTE)
        assert (cycle.row.held_since is not None, books.case_kinds(cycle.app)) == (True, [])
        cycle.walk(planned + 45 * MINUTE)
        assert books.case_kinds(cycle.app) == [CaseKind.NOTICE_UNSENT]
    cycle.walk(planned + 26 * HOUR)
    assert (cycle.outcomes, open_cases(cycle)) == (["succeeded"], 0)


def usable(cycle: Cycle) -> tuple[bool, bool]:
    """Whether the plan may be used at the present moment, by the dashboard and by the product's API."""
    with cycle.app.app_context():
        here = subscriptions.standing(cycle.user_id, clock.now()).current is not None
        return here, entitlement.of("ira@example.com", clock.now()).periods.current is not None


@pytest.mark.parametrize("because", ("paused", "stopped"))
def test_what_nobody_tries_to_renew_ends_at_its_end(cycle: Cycle, because: str) -> None:
    """While the shop pauses renewals, or the card is refused for good, there are no days of grace: the plan
    ends to the moment, though no job has said so.
    """
    end = cycle.row.current_period_end
    if because == "paused":
        cycle.put("auto_renewal_enabled", "false")
    else:
        cycle.run("UPDATE payment_methods SET stopped_at = :now, stop_code = '5036'", now=clock.now())
    cycle.walk(end - MINUTE)
    assert usable(cycle) == (True, True)
    cycle.go_to(end)
    assert usable(cycle) == (False, False)


def test_what_is_tried_again_has_its_days_of_grace_again(cycle: Cycle) -> None:
    """Renewals that go on a day before the end, too late to be announced and charged by then: the plan works
    on until the charge.
    """
    end = cycle.row.current_period_end
    cycle.put("auto_renewal_enabled", "false")
    cycle.walk(end - 12 * HOUR)
    assert cycle.row.grace_until is None
    cycle.run("DELETE FROM notifications")
    cycle.put("auto_renewal_enabled", "true")
    cycle.walk(end + HOUR)
    assert (usable(cycle), cycle.charges) == ((True, True), [])
    cycle.walk(end + 2 * DAY)
    assert (cycle.outcomes, cycle.row.status.value) == (["succeeded"], "active")

"""What a customer is told of a renewal stays true, whatever changes between the word and the charge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from portal import clock
from portal.billing import agreements, methods
from portal.database import db, transaction
from portal.gateways.base import SavedMethod
from portal.models import GatewayName
from tests.desk import LiveSandbox
from tests.stories.cycle import BROWSER, Cycle, begin

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def cycle(app: Flask, sandbox: LiveSandbox, recurring: None) -> Cycle:
    """A plan at CloudPayments that was just bought and agreed to."""
    return begin(app, sandbox, "cloudpayments")


def due_of(cycle: Cycle) -> datetime:
    """When the charge is planned."""
    planned = cycle.row.charge_due_at
    assert planned is not None
    return planned


def letters(cycle: Cycle, kind: str) -> list[Any]:
    """The letters of this kind, oldest first."""
    query = "SELECT * FROM notifications WHERE channel = 'email' ORDER BY id"
    return [letter for letter in cycle.ask(query) if letter.kind == kind]


def refused_for_good(cycle: Cycle) -> None:
    """The saved card is never charged again, and nobody has given another."""
    cycle.run(
        "UPDATE payment_methods SET stopped_at = :now, stop_code = '5036';"
        "UPDATE subscriptions SET look_at = :now",
        now=clock.now(),
    )
    cycle.sweep()


def choose_another(cycle: Cycle) -> None:
    """Another card is saved, and is the one to be charged from now on."""
    with cycle.app.app_context():
        with transaction() as session:
            card = SavedMethod("tk_other", "bank_card", "Мир •• 0004")
            kept = methods.keep(session, cycle.user_id, GatewayName.CLOUDPAYMENTS, card, clock.now())
        agreements.make_default(cycle.user_id, kept, clock.now())
        db.session.remove()


def told_before(cycle: Cycle, planned: datetime) -> list[timedelta]:
    """How long before the charge its letters were written."""
    return [planned - letter.created_at for letter in letters(cycle, "renewal_coming")]


def test_another_card_in_time_is_told_of_in_time(cycle: Cycle) -> None:
    """A card in the place of one refused for good: both letters come, and the charge keeps its day."""
    planned = due_of(cycle)
    refused_for_good(cycle)
    cycle.walk(planned - 7 * DAY)
    choose_another(cycle)
    cycle.walk(planned - HOUR)
    assert [round(before / HOUR) for before in told_before(cycle, planned)] == [72, 24]
    assert (due_of(cycle), cycle.row.held_since) == (planned, None)


def test_another_card_at_the_last_moment_is_told_of_at_once(cycle: Cycle) -> None:
    """Two days before the charge there is no time to lose: the first letter is written with the choice."""
    planned = due_of(cycle)
    refused_for_good(cycle)
    cycle.walk(planned - 2 * DAY)
    choose_another(cycle)
    cycle.sweep()
    assert [round(before / HOUR) for before in told_before(cycle, planned)] == [48]


def test_renewing_that_is_switched_on_again_is_told_of_in_time(cycle: Cycle) -> None:
    """While the shop pauses renewals nothing is announced; once it goes on, the next letter is not missed."""
    planned = due_of(cycle)
    cycle.put("auto_renewal_enabled", "false")
    cycle.run("UPDATE subscriptions SET look_at = :now", now=clock.now())
    cycle.walk(planned - 2 * DAY)
    assert told_before(cycle, planned) == []
    cycle.put("auto_renewal_enabled", "true")
    cycle.walk(planned - HOUR)
    assert [round(before / HOUR) for before in told_before(cycle, planned)] == [24]


@contextmanager
def no_mail(cycle: Cycle) -> Iterator[None]:
    """The mailbox refuses every letter meanwhile."""
    kept = cycle.app.extensions["portal_mailer"]
    cycle.app.extensions["portal_mailer"] = replace(kept, sandbox_url="http://127.0.0.1:9/")
    yield
    cycle.app.extensions["portal_mailer"] = kept


def in_the_mailbox(cycle: Cycle, words: str) -> int:
    """How many letters with these words in the subject have arrived."""
    return len([one for one in cycle.sandbox.world.store.all("letter") if words in one["subject"]])


@pytest.mark.parametrize("since", ("paid", "refused again", "stopped"))
def test_a_letter_about_a_refusal_that_is_no_news_any_more(cycle: Cycle, since: str) -> None:
    """Mail was away when a charge was refused. Whatever came of it by the time that mail is back: nobody is
    asked to pay what is paid, nor told of a try that is over.
    """
    cycle.announce()
    cycle.refuse("5051", None if since == "refused again" else 1)
    with no_mail(cycle):
        cycle.charge()
        if since == "stopped":
            with cycle.app.app_context():
                agreements.stop(cycle.user_id, clock.now())
        else:
            cycle.until(lambda: len(cycle.charges) == 2)
    cycle.walk(clock.now() + 13 * HOUR)
    expected = {"paid": (0, 1), "refused again": (1, 0), "stopped": (0, 0)}[since]
    assert (in_the_mailbox(cycle, "Не удалось"), in_the_mailbox(cycle, "продлён")) == expected


def test_a_letter_about_a_refusal_leaves_late_while_it_is_true(cycle: Cycle) -> None:
    """Mail that is back before the next try brings what is still so."""
    cycle.announce()
    cycle.refuse("5051", 1)
    with no_mail(cycle):
        cycle.charge()
        cycle.later(HOUR)
    cycle.walk(clock.now() + 6 * HOUR)
    assert in_the_mailbox(cycle, "Не удалось") == 1


@pytest.mark.parametrize("since", ("nothing", "renewed", "over"))
def test_a_letter_about_an_end_that_is_none_any_more(cycle: Cycle, since: str) -> None:
    """That it ends and nothing is charged is not said once renewal is on again, nor after the end."""
    end = cycle.row.current_period_end
    with cycle.app.app_context():
        agreements.stop(cycle.user_id, clock.now())
    with no_mail(cycle):
        cycle.walk(end - (30 if since == "renewed" else 20) * HOUR)
        if since == "renewed":
            with cycle.app.app_context():
                agreements.resume(cycle.user_id, BROWSER, clock.now())
        if since == "over":
            cycle.walk(end + HOUR)
    cycle.walk(clock.now() + 13 * HOUR)
    assert in_the_mailbox(cycle, "действует до") == (2 if since == "nothing" else 0)

"""Binding a card: two clicks are one binding, and only a card that fits ours is kept."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from portal import clock
from portal.billing import bindings, doors
from portal.billing.settlement import Verdict
from portal.database import db
from portal.gateways.base import BindingSnapshot, Outcome, SavedMethod
from portal.models import GatewayName, MethodBinding, User
from tests.desk import Desk
from tests.stories import books


def test_two_clicks_at_once_are_one_binding(
    desk: Desk, recurring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both requests look for an open binding before either wrote one, as far as the portal lets them."""
    ira = desk.customer()
    token, meet, looked = ira.token(), threading.Barrier(2), bindings._open

    def slowly(user: User, now: datetime) -> MethodBinding | None:
        found = looked(user, now)
        with suppress(threading.BrokenBarrierError):
            meet.wait(0.5)
        return found

    monkeypatch.setattr(bindings, "_open", slowly)
    answers: list[Any] = []

    def click() -> None:
        answers.append(ira.call("/billing/api/yookassa/bind_card_start/", X_CSRFToken=token).json())

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join(30)

    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert books.count(desk.app, "method_bindings") == len(desk.sandbox.ledger()["methods"]) == 1


@pytest.mark.parametrize(
    ("change", "verdict"),
    (
        ({}, Verdict.MOVED),
        ({"test": False}, Verdict.IGNORED),
        ({"user_id": "somebody-else"}, Verdict.IGNORED),
        ({"shop": "999"}, Verdict.IGNORED),
    ),
    ids=("ours", "live mode", "another customer", "another shop"),
)
def test_a_card_that_does_not_fit_is_not_kept(
    desk: Desk, recurring: None, change: dict[str, Any], verdict: Verdict
) -> None:
    """A method of another shop, customer or mode could not be charged for this one."""
    ira = desk.customer()
    ira.call("/billing/api/yookassa/bind_card_start/")
    with desk.app.app_context():
        binding = db.session.scalars(select(MethodBinding)).one()
        told = BindingSnapshot(
            binding.gateway_method_id or "",
            Outcome.SUCCEEDED,
            user_id=db.session.get_one(User, binding.user_id).public_id,
            shop=doors.expected_shop(GatewayName.YOOKASSA),
            test=doors.test_mode(GatewayName.YOOKASSA),
            method=SavedMethod("token", "bank_card", "Visa •• 4242", last4="4242"),
        )
        settled = bindings._carry_out(binding.key, replace(told, **change), clock.now())
    assert settled.verdict is verdict
    assert books.count(desk.app, "payment_methods") == int(verdict is Verdict.MOVED)

"""Money that came and does not fit its order: a case at once, and in the end no order waits for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from tests.crash.world import World
from tests.desk import LiveSandbox
from tests.slate import Slate
from tests.stories import books


@pytest.fixture
def world(app: Flask, sandbox: LiveSandbox, slate: Slate) -> World:
    """A shop in which time passes at both sides alike."""
    found = World(app, sandbox, slate)
    found.begin()
    found.together = True
    return found


def test_an_order_with_money_in_a_case_ends(world: World) -> None:
    """The widget's sum was forged: the order is closed when it is over, and never asked about again."""
    world.pay(world.order(world.customer(), "cloudpayments"), amount="1.00")
    world.post()
    world.later(timedelta(hours=23))
    world.sweep()
    assert _payment(world) == ("pending", None, True)

    world.later(timedelta(hours=25))
    world.sweep()

    assert _payment(world) == ("failed", "not_as_ordered", False)
    assert [kind.value for kind in books.case_kinds(world.app)] == ["amount_mismatch"]
    assert books.disagreements(world.app, world.ledger()) == []


def test_the_right_money_still_counts_afterwards(world: World) -> None:
    """Somebody had left the widget open and pays what was ordered after all."""
    order = world.order(world.customer(), "cloudpayments")
    world.pay(order, amount="1.00")
    for _ in range(2):
        world.later(timedelta(hours=25))
        world.sweep()

    world.pay(order)
    world.post()

    assert _payment(world) == ("succeeded", None, False)
    assert books.disagreements(world.app, world.ledger()) == []


def _payment(world: World) -> tuple[object, ...]:
    query = "SELECT status, failure_code, next_check_at IS NOT NULL FROM payments"
    (row,) = books.rows(world.app, query)
    return tuple(row)

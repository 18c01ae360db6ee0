"""Customers, gateways, clocks and crashes at random against laws 1 to 5; in the end both ledgers are one.

``STATE_MACHINE=deep`` plays long random games and prints how to repeat one that was lost; without it the same
short games are played each time.
"""

from __future__ import annotations

import logging
import os

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from portal.mail import Mailer
from tests.crash.world import World
from tests.desk import LiveSandbox
from tests.slate import Slate
from tests.stories.game_of_plans import Shop
from tests.stories.game_of_renewals import Letters

DEEP = os.environ.get("STATE_MACHINE") == "deep"
GAMES = settings(
    max_examples=300 if DEEP else 4,
    stateful_step_count=60 if DEEP else 30,
    derandomize=not DEEP,
    print_blob=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def shop(
    app: Flask,
    sandbox: LiveSandbox,
    slate: Slate,
    recurring: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both sides, and our hands on everything between them. Letters are written, and handed to nobody."""
    Shop.world, Shop.log, Shop.letters = World(app, sandbox, slate), caplog, Letters()
    monkeypatch.setattr(Mailer, "_hand_over", Shop.letters.hand_over)
    caplog.set_level(logging.ERROR)


@pytest.mark.timeout(0 if DEEP else 300)
def test_the_laws_hold_whatever_happens(shop: None) -> None:
    """No order of clicks, cards, news, refunds, faults, crashes and time breaks a law or loses money."""
    run_state_machine_as_test(Shop, settings=GAMES)

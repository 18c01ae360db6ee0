"""Bad days on demand: spoilt answers, an impatient portal, time that passes, and the letters of that day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from portal.gateways.base import Timeouts
from tests.desk import Browser, Desk


def spoil(desk: Desk, gateway: str, operation: str, fault: str, times: int = 1) -> None:
    """Let the gateway's next answers to *operation* be *fault*."""
    desk.sandbox.control("faults", gateway=gateway, operation=operation, fault=fault, times=times)


def clear(desk: Desk) -> None:
    """No more spoilt answers."""
    desk.sandbox.clear_faults()


def later(desk: Desk, step: str) -> None:
    """Let time pass on both sides, with all that falls due on the way.

    No worker runs beside these stories: the sweep does the work.
    """
    moved = desk.sandbox.control("clock", advance=step)
    assert moved["portal"] == "moved", moved


def subjects(desk: Desk, to: str = "ira@example.com") -> list[str]:
    """The subjects of the letters that this person got, oldest first."""
    return [str(letter["subject"]) for letter in desk.sandbox.letters(to)]


def orders(browser: Browser, gateway: str) -> list[Any]:
    """The customer's payments at a gateway, newest first, as the API lists them."""
    return list(browser.get(f"/billing/api/{gateway}/transactions/").json()["transactions"])


def paid(desk: Desk, order: Any, card: str = "5555555555554444") -> None:
    """Pay an order and let everything that follows happen."""
    desk.sandbox.pay(order["gateway"], order["transaction_id"], card)
    desk.settle()


def error(answer: Any) -> tuple[int, str]:
    """Status and code of the API's error, which has a sentence for a person as well and nothing else."""
    told = answer.json()
    assert set(told) == {"error"}
    assert set(told["error"]) == {"code", "message"}
    assert re.search("[а-яё]", told["error"]["message"]), told
    return answer.status_code, told["error"]["code"]


def held_by(desk: Desk, gateway: str) -> list[Any]:
    """A gateway's own payments, oldest first."""
    return [payment for payment in desk.sandbox.ledger()["payments"] if payment["gateway"] == gateway]


def has_plan(browser: Browser) -> bool:
    """Whether the dashboard shows the e-mails of PRO_MONTHLY, which these stories buy."""
    return "50 000" in browser.get("/dashboard/").text.replace("\xa0", " ")


@contextmanager
def impatient(desk: Desk) -> Iterator[None]:
    """A portal that waits half a second for a gateway: what a hang is measured against."""
    before = desk.app.extensions["portal_config"]
    desk.app.extensions["portal_config"] = replace(before, gateway_timeouts=Timeouts(connect=2, read=0.5))
    yield
    desk.app.extensions["portal_config"] = before

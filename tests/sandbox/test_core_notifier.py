"""Delivery of notifications: modes, repeats, clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from portal.sandbox.clock import parse_iso
from portal.sandbox.notifier import Answer, Notification, RetryRule
from tests.sandbox.conftest import Merchant, Sandbox


def _send(sandbox: Sandbox, merchant: Merchant, kind: str, rule: RetryRule = RetryRule.yookassa) -> str:
    body = f'{{"event": "{kind}"}}'
    headers = {"Content-Type": "application/json"}
    return sandbox.world.notifier.send(
        Notification(rule.value, kind, "order-1", f"{merchant.url}/hook", body, rule, headers=headers)
    )


def _state(sandbox: Sandbox, number: int = -1) -> Any:
    return sandbox.ledger()["notifications"][number]


def test_an_accepted_notification_is_delivered_once(
    sandbox: Sandbox, merchant: Merchant, wait_for: Callable[..., Any]
) -> None:
    """Body and headers arrive as they were given, and the attempt is in the ledger."""
    _send(sandbox, merchant, "one")
    wait_for(lambda: _state(sandbox)["state"] == "delivered")
    assert merchant.events() == ["one"]
    assert merchant.hooks[0].headers["Content-Type"] == "application/json"
    attempt = _state(sandbox)["attempts"][0]
    assert (attempt["status"], attempt["answer"], attempt["accepted"]) == (200, '{"code": 0}', True)


def test_a_rolled_back_transaction_sends_nothing(sandbox: Sandbox, merchant: Merchant) -> None:
    """A message belongs to the transaction it was sent in."""

    def fail() -> None:
        with sandbox.world.store.transaction():
            _send(sandbox, merchant, "never")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    sandbox.control("clock", advance="1h")
    assert merchant.hooks == []


def test_yookassa_repeats_with_growing_pauses_until_200(sandbox: Sandbox, merchant: Merchant) -> None:
    """Anything but 200 is repeated on the sandbox's clock, and 200 ends it."""
    merchant.answers = [(500, ""), (201, ""), (204, "")]
    _send(sandbox, merchant, "one")
    sandbox.control("clock", advance="5m")
    assert [a["status"] for a in _state(sandbox)["attempts"]] == [500, 201, 204, 200]
    assert _state(sandbox)["state"] == "delivered"


def test_yookassa_gives_up_24_hours_after_the_event(sandbox: Sandbox, merchant: Merchant) -> None:
    """No attempt is made later than a day after the event."""
    merchant.usual = (500, "")
    _send(sandbox, merchant, "one")
    sandbox.control("clock", advance="3d")
    last = _state(sandbox)
    assert last["state"] == "given_up"
    assert last["due_at"] is None
    assert 8 < len(last["attempts"]) < 30
    first, latest = (parse_iso(last["attempts"][n]["at"]) for n in (0, -1))
    assert timedelta(hours=16) < latest - first <= timedelta(hours=24, seconds=5)
    tried = len(merchant.hooks)
    sandbox.control("clock", advance="3d")
    assert len(merchant.hooks) == tried


def test_cloudpayments_repeats_a_hundred_times(sandbox: Sandbox, merchant: Merchant) -> None:
    """HTTP 200 without code 0 is no acceptance; the hundredth try is the last."""
    merchant.usual = (200, '{"code": 13}')
    _send(sandbox, merchant, "one", RetryRule.cloudpayments)
    sandbox.control("clock", advance="5m")
    assert len(merchant.hooks) == 3  # at once, after 1 and after 2 more minutes
    sandbox.control("clock", advance="4d")
    assert len(merchant.hooks) == 100
    assert _state(sandbox)["state"] == "given_up"


@pytest.mark.parametrize(
    ("answer", "accepted"),
    (
        (Answer(200, b'{"code": 0}'), True),
        (Answer(200, b'{"code":0,"more":1}'), True),
        (Answer(200, b'{"code": false}'), False),
        (Answer(200, b'{"code": "0"}'), False),
        (Answer(200, b"[0]"), False),
        (Answer(200, b""), False),
        (Answer(201, b'{"code": 0}'), False),
        (Answer(None, error="ConnectionError"), False),
    ),
)
def test_cloudpayments_wants_200_and_code_0(answer: Answer, accepted: bool) -> None:
    """Both together, and the number zero."""
    assert RetryRule.cloudpayments.accepts(answer) is accepted


def test_dropped_notifications_never_leave(sandbox: Sandbox, merchant: Merchant) -> None:
    """webhooks=drop loses them for good, and the ledger says so."""
    sandbox.control("settings", webhooks="drop")
    _send(sandbox, merchant, "lost")
    sandbox.control("clock", advance="2d")
    assert merchant.hooks == []
    assert _state(sandbox)["state"] == "dropped"


def test_duplicated_notifications_arrive_twice(sandbox: Sandbox, merchant: Merchant) -> None:
    """webhooks=duplicate delivers the same bytes two times."""
    sandbox.control("settings", webhooks="duplicate")
    _send(sandbox, merchant, "twin")
    sandbox.control("clock", advance="1s")
    assert merchant.events() == ["twin", "twin"]
    assert merchant.hooks[0].body == merchant.hooks[1].body


def test_delayed_notifications_wait_on_the_sandbox_clock(sandbox: Sandbox, merchant: Merchant) -> None:
    """webhooks=delayed holds them for webhook_delay_seconds."""
    sandbox.control("settings", webhooks="delayed", webhook_delay_seconds=3600)
    _send(sandbox, merchant, "late")
    sandbox.control("clock", advance="59m")
    assert merchant.hooks == []
    sandbox.control("clock", advance="2m")
    assert merchant.events() == ["late"]


def test_reordered_notifications_change_places(sandbox: Sandbox, merchant: Merchant) -> None:
    """webhooks=reorder delivers the second before the first, and a lonely one after a short wait."""
    sandbox.control("settings", webhooks="reorder", webhook_reorder_seconds=600)
    _send(sandbox, merchant, "first")
    assert merchant.hooks == []
    _send(sandbox, merchant, "second")
    sandbox.control("clock", advance="1s")
    assert merchant.events() == ["second", "first"]
    _send(sandbox, merchant, "lonely")
    sandbox.control("clock", advance="11m")
    assert merchant.events()[2:] == ["lonely"]


def test_ask_is_answered_at_once_and_never_repeated(sandbox: Sandbox, merchant: Merchant) -> None:
    """A question is put whatever webhooks says, and an unreachable merchant is an answer too."""
    sandbox.control("settings", webhooks="drop")
    merchant.answers = [(200, '{"code": 11}')]
    question = Notification(
        "cloudpayments", "check", "r", f"{merchant.url}/check", "a=1", RetryRule.cloudpayments
    )
    answer = sandbox.world.notifier.ask(question)
    assert (answer.status, answer.json) == (200, {"code": 11})
    silent = Notification("cloudpayments", "check", "r", "http://127.0.0.1:9/", "", RetryRule.cloudpayments)
    assert sandbox.world.notifier.ask(silent).status is None
    sandbox.control("clock", advance="1d")
    assert len(merchant.hooks) == 1
    assert [n["state"] for n in sandbox.ledger()["notifications"]] == ["given_up", "given_up"]


def test_an_unreachable_merchant_is_tried_again(sandbox: Sandbox, merchant: Merchant) -> None:
    """A refused connection is an attempt without a status."""
    broken = Notification("yookassa", "x", "r", "http://127.0.0.1:9/", "{}", RetryRule.yookassa)
    sandbox.world.notifier.send(broken)
    sandbox.control("clock", advance="30s")
    attempts = _state(sandbox)["attempts"]
    assert len(attempts) >= 2
    assert attempts[0]["status"] is None
    assert "Connection" in attempts[0]["answer"]


def test_a_reset_forgets_messages_that_wait(sandbox: Sandbox, merchant: Merchant) -> None:
    """Nothing of the time before a reset is delivered after it."""
    sandbox.control("settings", webhooks="delayed", webhook_delay_seconds=60)
    _send(sandbox, merchant, "old")
    sandbox.control("reset")
    sandbox.control("clock", advance="1d")
    assert merchant.hooks == []

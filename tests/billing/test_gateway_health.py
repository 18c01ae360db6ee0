from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from redis.exceptions import ConnectionError as NoRedis

from portal import clock, jobs
from portal.billing import doors, gateway_health, settings
from portal.gateways.base import GatewayUnknown
from portal.models import GatewayName
from tests.desk import LiveSandbox

CP, YK = GatewayName.CLOUDPAYMENTS, GatewayName.YOOKASSA
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fresh(context: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing was heard, and every look is a new one."""
    clock.set_to(NOON)
    monkeypatch.setattr(gateway_health, "FRESH_SECONDS", 0.0)
    context.extensions.pop("gateway_health", None)
    yield
    context.extensions.pop("gateway_health", None)


def hear(name: GatewayName, good: int, bad: int) -> None:
    for is_good, times in ((True, good), (False, bad)):
        for _ in range(times):
            gateway_health.note(name, is_good, does=False)


@pytest.mark.parametrize(
    ("good", "bad", "failing"),
    ((0, 0, False), (0, 2, False), (0, 3, True), (3, 3, True), (4, 3, False), (100, 0, False)),
)
def test_a_gateway_fails_when_it_mostly_does(good: int, bad: int, failing: bool) -> None:
    """A single hiccup is no failure, and one bad answer among many good ones neither."""
    hear(YK, good, bad)

    assert gateway_health.of(YK) == gateway_health.Health(good, bad)
    assert gateway_health.is_failing(YK) is failing
    assert not gateway_health.is_failing(CP)


def test_good_looks_do_not_hide_that_nothing_can_be_done() -> None:
    """Pages that wait ask again and again and are answered well; whoever wants to pay is not."""
    hear(YK, 100, 0)
    for _ in range(gateway_health.ENOUGH):
        gateway_health.note(YK, good=False, does=True)

    assert gateway_health.is_failing(YK)
    for _ in range(gateway_health.ENOUGH + 1):
        gateway_health.note(YK, good=True, does=True)
    assert not gateway_health.is_failing(YK)


def test_what_is_long_ago_says_nothing() -> None:
    """After some quiet minutes the gateway is taken to be well again."""
    hear(YK, 0, 9)
    assert gateway_health.is_failing(YK)

    clock.set_to(NOON + timedelta(minutes=gateway_health.MINUTES))

    assert not gateway_health.is_failing(YK)


def test_real_exchanges_are_counted(sandbox: LiveSandbox) -> None:
    """What was asked through the doors is heard of: good answers, and errors of the other side."""
    doors.cloudpayments().probe()
    assert gateway_health.of(CP).good > 0
    sandbox.control("faults", gateway="yookassa", operation="*", fault="http_500", times=3)

    for _ in range(3):
        with pytest.raises(GatewayUnknown):
            doors.yookassa().probe()

    assert gateway_health.of(YK) == gateway_health.Health(0, 3)


def test_the_failing_one_is_offered_behind_the_other(context: Flask) -> None:
    """The setting's order comes back with the gateway; of one alone its health changes nothing."""
    assert doors.offered() == (CP, YK)
    assert doors.put_behind() is None
    hear(CP, 0, 5)

    assert doors.offered() == (YK, CP)
    assert doors.put_behind() is CP
    assert doors.are_open() == (CP, YK)  # what exists goes on where it is
    settings.put("yookassa_enabled", "false", NOON)
    assert doors.offered() == (CP,)
    assert doors.put_behind() is None
    clock.set_to(NOON + timedelta(minutes=10))
    settings.put("yookassa_enabled", "true", NOON)
    assert doors.offered() == (CP, YK)


def test_both_failing_keep_the_settings_order() -> None:
    """Nothing is won by changing them round."""
    hear(CP, 0, 5)
    hear(YK, 0, 5)
    settings.put("first_gateway", "yookassa", NOON)

    assert doors.offered() == (YK, CP)
    assert doors.put_behind() is None


def test_without_redis_nothing_is_counted_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """One failure, and Redis is left alone for a while; the gateway is taken to be well."""
    tried: list[str] = []

    class Away:
        def pipeline(self, **_words: object) -> None:
            tried.append("once")
            raise NoRedis

    class Queue:
        connection = Away()

    monkeypatch.setattr(jobs, "queue", Queue)
    hear(YK, 0, 9)

    assert not gateway_health.is_failing(YK)
    assert tried == ["once"]


def test_switched_off_takes_nothing_new_and_renews_what_exists(context: Flask) -> None:
    """The door stays open to what has been agreed there; nobody begins anything new."""
    for name in ("cloudpayments_enabled", "yookassa_enabled"):
        settings.put(name, "false", NOON)

    assert doors.offered() == ()
    assert doors.are_open() == (CP, YK)

"""Whatever the portal is doing when its machine dies, both ledgers agree once it has come back."""

from __future__ import annotations

import os
import re

import pytest
from flask import Flask

from portal.mail import Mailer
from tests.crash import failpoints
from tests.crash.flows import FLOWS, Flow
from tests.crash.naive import NAIVE
from tests.crash.refund_flows import REFUND_FLOWS
from tests.crash.renewal_flows import RENEWAL_FLOWS
from tests.crash.world import World
from tests.desk import LiveSandbox
from tests.slate import Slate

#: ``CRASH=all`` dies at every point of every flow; otherwise at some of each, always the same ones.
EVERYWHERE = os.environ.get("CRASH") == "all"


def in_turn(flows: tuple[Flow, ...]) -> list[Flow]:
    """Each flow with each of its gateways; at some points only, also with one of them only, in turn."""
    by_what: dict[str, list[Flow]] = {}
    for flow in flows:
        by_what.setdefault(flow.name.rpartition(", ")[0], []).append(flow)
    return list(flows) if EVERYWHERE else [of[n % len(of)] for n, of in enumerate(by_what.values())]


ALL = (*FLOWS, *in_turn(REFUND_FLOWS), *in_turn(RENEWAL_FLOWS))


@pytest.fixture
def world(app: Flask, sandbox: LiveSandbox, slate: Slate, monkeypatch: pytest.MonkeyPatch) -> World:
    """Both sides, and our hands on everything between them. Letters are written, and handed to nobody."""
    monkeypatch.setattr(Mailer, "_hand_over", lambda *_letter: None)
    return World(app, sandbox, slate)


def deaths(world: World, flow: Flow, points: list[int]) -> dict[int, list[str]]:
    """Die at each of *points*, live on, and tell what is wrong afterwards; empty where all is well."""
    broken = {}
    for point in points:
        world.begin(lists=flow.lists)
        flow.before(world)
        assert failpoints.kill(world.app, lambda: flow.act(world), point), f"{flow.name} never got to {point}"
        world.calm()
        flow.after(world)
        world.recover()
        if wrong := world.wrong(paid=flow.paid, refunded=flow.refunded):
            broken[point] = wrong
    return broken


def points_of(world: World, flow: Flow) -> bytes:
    """The points of *flow*, one letter each; its undisturbed run must end well, too."""
    world.begin(lists=flow.lists)
    flow.before(world)
    points = failpoints.passed(world.app, lambda: flow.act(world))
    world.calm()
    flow.after(world)
    world.recover()
    assert not (wrong := world.wrong(paid=flow.paid, refunded=flow.refunded)), wrong
    return points


def deadly(points: bytes, some: int) -> list[int]:
    """Where to die, counted from 1."""
    return list(range(1, len(points) + 1)) if EVERYWHERE else failpoints.telling(points, some)


def tell(
    capsys: pytest.CaptureFixture[str], flow: Flow, points: int, died: int, broken: dict[int, list[str]]
) -> None:
    """One line of the table: where it was killed, and what came of it."""
    twice = lost = 0
    for line in (line for wrong in broken.values() for line in wrong):
        if found := re.fullmatch(r"captures: (\d+) instead of (\d+)", line):
            twice += int(found[1]) > int(found[2])
            lost += int(found[1]) < int(found[2])
    with capsys.disabled():
        print(  # noqa: T201 - the number of cases is part of the result
            f"\n{flow.name:<62} {points:>4} points {died:>4} deaths {twice:>3} charged twice {lost:>3} lost"
            f" {len(broken):>3} wrong",
            end=" ",
        )


@pytest.mark.parametrize("flow", ALL, ids=lambda flow: flow.name)
def test_death_at_every_step(
    world: World,
    flow: Flow,
    recurring: None,
    capsys: pytest.CaptureFixture[str],
    record_property: pytest.RecordProperty,
) -> None:
    """A process that dies around any statement, commit or request loses no money and takes none twice."""
    points = points_of(world, flow)
    chosen = deadly(points, flow.deaths)

    broken = deaths(world, flow, chosen)

    record_property("deaths", len(chosen))
    tell(capsys, flow, len(points), len(chosen), broken)
    assert broken == {}


def test_a_naive_worker_is_caught(world: World, recurring: None, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker that charges before it writes is caught: a harness that finds nothing proves nothing."""
    points = points_of(world, NAIVE)
    chosen = deadly(points, len(points))
    broken = deaths(world, NAIVE, chosen)
    tell(capsys, NAIVE, len(points), len(chosen), broken)
    assert len(broken) >= 2
    assert broken.keys() & set(failpoints.telling(points, NAIVE.deaths)), "the quick choice misses it"
    assert all(
        any(line.startswith("captures: 3 instead of 2") for line in wrong) for wrong in broken.values()
    )

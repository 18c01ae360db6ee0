"""What is killed while a saved method is charged: the scheduler's part, the worker's, the finder's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select, text

from portal import clock
from portal.billing import renewals
from portal.database import db
from portal.models import Subscription
from tests.crash.flows import Flow, Step, _nothing, _post, _post_and_jobs, jobs
from tests.crash.world import World

CALL = {"cloudpayments": "tokens_charge", "yookassa": "create_payment"}
POOR = {"cloudpayments": "5051", "yookassa": "insufficient_funds"}
STOLEN = {"cloudpayments": "5043", "yookassa": "permission_revoked"}
#: As long as the gateway may be at work on a charge, and the next look of the sweep.
A_WHILE = timedelta(minutes=10)
_TOLD = """
INSERT INTO notifications (user_id, kind, channel, dedupe_key, facts, created_at, sent_at, next_attempt_at,
attempts) SELECT user_id, 'renewal_coming', 'email', 'renewal_coming:' || id || ':'
|| to_char(current_period_end, 'YYYYMMDD"T"HH24MISS') || ':72:email', '{}', created_at,
charge_due_at - interval '71 hours', charge_due_at, 1 FROM subscriptions"""


def _eve(gateway: str) -> Step:
    """A plan that was bought with the agreement to renew it, at the moment of its charge, announced."""

    def eve(world: World) -> None:
        world.together = True
        world.pay(world.order(world.customer(), gateway, recurring=True))
        world.post()
        jobs(world)
        with world.app.app_context():
            with db.engine.begin() as connection:
                connection.execute(text(_TOLD))
            due = db.session.scalars(select(Subscription.charge_due_at)).one()
            db.session.remove()
        assert due is not None
        world.later(due - clock.now())

    return eve


def _spoilt(gateway: str, fault: str) -> Step:
    """The same, and the gateway's answer to the charge will be spoilt."""

    def spoilt(world: World) -> None:
        _eve(gateway)(world)
        world.sandbox.world.faults.add(gateway, CALL[gateway], fault, 1)

    return spoilt


def _called_in_vain(gateway: str, fault: str) -> Step:
    """The charge was sent and has no answer; its notification lies in the post, and some minutes are over."""

    def called(world: World) -> None:
        _spoilt(gateway, fault)(world)
        _hand_out_and_charge(world)
        world.calm()
        world.collect()
        world.later(A_WHILE)

    return called


def _refusing(gateway: str, outcome: str, times: int | None) -> Step:
    """The bank will refuse."""

    def refusing(world: World) -> None:
        _eve(gateway)(world)
        simulator: Any = world.sandbox.world.simulators[gateway]
        method = simulator.ledger()["methods"][0]
        simulator.program(method.get("token") or method["id"], outcome, times)

    return refusing


def _hand_out_and_charge(world: World) -> None:
    """The scheduler hands out what is due, and a worker takes it up."""
    with world.app.app_context():
        due = renewals.hand_out(clock.now())
        db.session.remove()
        for subscription_id in due:
            renewals.renew(subscription_id)
            db.session.remove()


def _sweep(world: World) -> None:
    world.sweep()


def _charge_again(world: World) -> None:
    """The dead worker's job is run once more by another."""
    with world.app.app_context():
        for subscription_id in db.session.scalars(select(Subscription.id)).all():
            renewals.renew(subscription_id)
        db.session.remove()


def _a_day(world: World) -> None:
    """The schedule's next day comes."""
    for step in (A_WHILE, timedelta(hours=25)):
        world.later(step)
        world.sweep()


def _of(gateway: str) -> tuple[Flow, ...]:
    hear = _post if gateway == "cloudpayments" else _post_and_jobs
    title = {"cloudpayments": "CloudPayments", "yookassa": "YooKassa"}[gateway]
    refused, stolen = _refusing(gateway, POOR[gateway], 1), _refusing(gateway, STOLEN[gateway], None)
    flows = (
        ("renewal", _eve(gateway), _hand_out_and_charge, _charge_again, 2),
        ("renewal, refused and tried again", refused, _hand_out_and_charge, _a_day, 2),
        ("renewal, refused for good", stolen, _hand_out_and_charge, _a_day, 1),
        (
            "renewal whose answer is lost",
            _spoilt(gateway, "drop_after_commit"),
            _hand_out_and_charge,
            _charge_again,
            2,
        ),
        ("renewal, unknown and found", _called_in_vain(gateway, "drop_after_commit"), _sweep, _nothing, 2),
        ("renewal that never arrived", _called_in_vain(gateway, "drop_before_commit"), _sweep, _sweep, 2),
        ("renewal heard of before its answer", _called_in_vain(gateway, "drop_after_commit"), hear, hear, 2),
    )  # fmt: skip
    return tuple(Flow(f"{name}, {title}", *steps) for name, *steps in flows)


RENEWAL_FLOWS = (*_of("cloudpayments"), *_of("yookassa"))

"""What is killed while money goes back: the customer's cancel, the operator's refund, the worker's part."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import func, select

from portal import clock
from portal.billing import cancellation, refunds, sending_back
from portal.database import db
from portal.models import Payment, Refund, RefundSource
from tests.crash.flows import Flow, Step, _nothing, _post, _post_and_jobs, jobs
from tests.crash.world import World

CALL = {"cloudpayments": "refund", "yookassa": "create_refund"}
#: By then a key counts as forgotten, and nobody need be shown yet that the refund takes so long.
FORGOTTEN = {"cloudpayments": timedelta(hours=2), "yookassa": timedelta(hours=21)}
SUM = "340.50"
ALL = "990.00"


def _bought(gateway: str) -> Step:
    """A plan that is paid and runs, whose news has been heard."""

    def bought(world: World) -> None:
        world.pay(world.order(world.customer(), gateway))
        world.post()
        jobs(world)

    return bought


def _click_and_worker(world: World) -> None:
    """The customer's cancel, and what a worker does next."""
    _click(world)
    _worker(world)


def _click(world: World) -> None:
    with world.app.app_context():
        cancellation.cancel(world.users[0], clock.now())
        db.session.remove()


def _give_and_worker(world: World) -> None:
    """The operator's refund, and what a worker does next."""
    _give(world)
    _worker(world)


def _give(world: World) -> None:
    """The operator looks whether it is there, and asks for it where it is not."""
    with world.app.app_context():
        if not db.session.scalar(select(func.count(Refund.id))):
            payment_id = db.session.scalars(select(Payment.id)).one()
            refunds.give_back(
                payment_id, Decimal(SUM), RefundSource.OPERATOR, "по просьбе клиента", clock.now()
            )
        db.session.remove()


def _worker(world: World) -> None:
    """Every refund that is due is carried on one step."""
    with world.app.app_context():
        due = sending_back.waiting(clock.now())
        db.session.remove()
        for refund_id in due:
            sending_back.carry_on(refund_id)
        db.session.remove()


def _ordered(gateway: str, fault: str = "") -> Step:
    """The operator has asked for it; the call that a worker makes next may be spoilt."""

    def ordered(world: World) -> None:
        _bought(gateway)(world)
        _give(world)
        if fault:
            world.sandbox.world.faults.add(gateway, CALL[gateway], fault, 1)

    return ordered


def _called_in_vain(gateway: str, fault: str) -> Step:
    """Its call was made and has no answer; whatever the gateway has to say lies in the post."""

    def called(world: World) -> None:
        _ordered(gateway, fault)(world)
        _worker(world)
        world.collect()

    return called


def _long_ago(gateway: str, fault: str) -> Step:
    """The same so long ago that the gateway has forgotten the key."""

    def forgotten(world: World) -> None:
        _called_in_vain(gateway, fault)(world)
        world.calm()
        world.later(FORGOTTEN[gateway])
        world.sandbox.world.clock.move_to(world.sandbox.world.clock.now() + FORGOTTEN[gateway])

    return forgotten


def _taken_on(gateway: str) -> Step:
    """The gateway is at it for some minutes, and they are over."""

    def taken_on(world: World) -> None:
        world.sandbox.world.settings.merge({"yookassa_refund_outcome": "pending"})
        _ordered(gateway)(world)
        _worker(world)
        step = timedelta(minutes=20)
        world.later(step)
        world.sandbox.world.clock.move_to(world.sandbox.world.clock.now() + step)
        world.sandbox.world.run_due()

    return taken_on


def _of(gateway: str) -> tuple[Flow, ...]:
    hear = _post if gateway == "cloudpayments" else _post_and_jobs
    title = {"cloudpayments": "CloudPayments", "yookassa": "YooKassa"}[gateway]
    return (
        Flow(f"cancel with refund, {title}", _bought(gateway), _click_and_worker, _click, 1, ALL),
        Flow(f"operator's refund, {title}", _bought(gateway), _give_and_worker, _give, 1, SUM),
        Flow(
            f"refund whose answer is lost, {title}",
            _ordered(gateway, "drop_after_commit"),
            _worker,
            _nothing,
            1,
            SUM,
        ),
        Flow(
            f"refund heard of before its answer, {title}",
            _called_in_vain(gateway, "drop_after_commit"),
            hear,
            hear,
            1,
            SUM,
        ),
        Flow(
            f"refund made under a forgotten key, {title}",
            _long_ago(gateway, "drop_after_commit"),
            _worker,
            _nothing,
            1,
            SUM,
        ),
        Flow(
            f"refund never made under a forgotten key, {title}",
            _long_ago(gateway, "drop_before_commit"),
            _worker,
            _nothing,
            1,
            SUM,
        ),
    )


REFUND_FLOWS = (
    *_of("cloudpayments"),
    *_of("yookassa"),
    Flow("refund that was taken on, YooKassa", _taken_on("yookassa"), _worker, _nothing, 1, SUM),
)

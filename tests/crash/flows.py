"""What is killed: each way on which money becomes known, with what comes before it and what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from portal.billing import inbox
from portal.database import db
from portal.models import EventStatus, WebhookEvent
from tests.crash.world import World

Step = Callable[[World], None]


@dataclass(frozen=True)
class Flow:
    """*before* is lived through, *act* is what dies, *after* is what the real world does next.

    In the end *paid* payments and the refunded sum must be right on both sides. What no row of ours waits for
    is found in the gateways' *lists*.

    Where there is no time for all of its points it dies at so many *deaths*: beside a commit and after an
    answer, and a sweep after one more, because it asks first for payments and last for the lists.
    """

    name: str
    before: Step
    act: Step
    after: Step
    paid: int
    refunded: str = "0.00"
    lists: bool = False
    deaths: int = 2


def _nothing(_world: World) -> None:
    """Nobody comes again; only the sweep is left."""


def _visitor(world: World) -> None:
    world.customer()


def _click(world: World) -> None:
    world.click(world.users[0], "yookassa")


def _click_again_and_pay(world: World) -> None:
    world.pay(world.order(world.users[0], "yookassa"))
    world.post()


def _spoilt(fault: str, operation: str, before: Step) -> Step:
    def spoilt(world: World) -> None:
        before(world)
        world.spoil(operation, fault)

    return spoilt


def _paid(gateway: str) -> Step:
    def paid(world: World) -> None:
        world.pay(world.order(world.customer(), gateway))

    return paid


def _settled_and_refunded(gateway: str) -> Step:
    def refunded(world: World) -> None:
        _paid(gateway)(world)
        world.post()
        jobs(world)
        world.refund(world.orders[0], "340.50")

    return refunded


def _post(world: World) -> None:
    world.post()


def _post_and_jobs(world: World) -> None:
    world.post()
    jobs(world)


def jobs(world: World) -> None:
    """What a worker does with the ids that it was given."""
    with world.app.app_context():
        waiting = select(WebhookEvent.id).where(WebhookEvent.status == EventStatus.RECEIVED)
        ids = list(db.session.scalars(waiting))
        db.session.remove()
        for event_id in ids:
            inbox.process(event_id)


def _look(world: World) -> None:
    world.look(world.orders[0])


def _two_paid_one_refunded(world: World) -> None:
    for name, gateway in (("ira", "cloudpayments"), ("oleg", "yookassa")):
        world.pay(world.order(world.customer(name), gateway))
    world.sweep()  # sets the marks in the lists
    world.refund(world.orders[1], "90.00")
    world.later(timedelta(hours=3))


def _sweep(world: World) -> None:
    world.sweep()


CREATE, FETCH = "create_payment", "get_payment"
FLOWS = (
    Flow("checkout, then another click", _visitor, _click, _click_again_and_pay, 1),
    Flow("checkout, then nothing", _visitor, _click, _nothing, 0),
    Flow(
        "checkout without an answer",
        _spoilt("drop_after_commit", CREATE, _visitor),
        _click,
        _click_again_and_pay,
        1,
    ),
    Flow(
        "checkout that never arrives",
        _spoilt("drop_before_commit", CREATE, _visitor),
        _click,
        _click_again_and_pay,
        1,
    ),
    Flow("Pay, delivered again", _paid("cloudpayments"), _post, _post, 1),
    Flow("Pay, lost", _paid("cloudpayments"), _post, _nothing, 1),
    Flow("payment.succeeded and its job", _paid("yookassa"), _post_and_jobs, _post, 1),
    Flow(
        "payment.succeeded, read back in vain",
        _spoilt("drop_after_commit", FETCH, _paid("yookassa")),
        _post_and_jobs,
        _nothing,
        1,
    ),
    Flow("return page, CloudPayments", _paid("cloudpayments"), _look, _nothing, 1),
    Flow("return page, YooKassa", _paid("yookassa"), _look, _look, 1),
    Flow("a sweep", _two_paid_one_refunded, _sweep, _nothing, 2, "90.00", lists=True, deaths=3),
    Flow(
        "refund, CloudPayments", _settled_and_refunded("cloudpayments"), _post, _post, 1, "340.50", lists=True
    ),
    Flow(
        "refund, YooKassa",
        _settled_and_refunded("yookassa"),
        _post_and_jobs,
        _nothing,
        1,
        "340.50",
        lists=True,
    ),
)

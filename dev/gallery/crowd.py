"""Some thirty more customers at random, the same every time: lists, statistics and the register need rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dev.gallery.world import World

# fmt: off
NAMES = (
    "alina", "anton", "artem", "dina", "elena", "evgeny", "galina", "ilya", "inna", "ivan",
    "katya", "kirill", "larisa", "leonid", "lidia", "lyuba", "maksim", "marina", "misha", "nadya",
    "nikita", "oksana", "oleg", "petr", "roma", "sergey", "sofia", "stas", "tamara", "tolya",
    "valya", "yana", "yuri",
)
# fmt: on
PLANS = ("START_MONTHLY", "PRO_MONTHLY", "PRO_MONTHLY", "BUSINESS_MONTHLY", "PRO_YEARLY")
CARDS = ("5555555555554444", "4111111111111111", "5555555555554477")
REFUSED = ("4444444444444444", "4000000000000002")


def acts(world: World) -> list[tuple[float, Callable[[], None]]]:
    """Who comes on which day, and what they do."""
    dice = random.Random(7)  # noqa: S311 - seeded: pictures are compared, nothing is secret
    return [(dice.uniform(1, 60), partial(_comes, world, name, dice.randrange(10_000))) for name in NAMES]


def _comes(world: World, name: str, seed: int) -> None:
    """One customer: buys, perhaps after a refusal, perhaps never pays; a few get money back."""
    dice = random.Random(seed)  # noqa: S311 - as above
    gateway, plan = dice.choice(("cloudpayments", "yookassa")), dice.choice(PLANS)
    someone = world.register(name)
    if dice.random() < 0.25:
        someone.buy(plan, gateway, recurring=False, card=dice.choice(REFUSED))
    if dice.random() < 0.1:
        world.order(name, gateway, plan)  # looks at the payment page and goes away
        return
    someone.buy(plan, gateway, recurring=dice.random() < 0.6, card=dice.choice(CARDS))
    if dice.random() < 0.15:
        paid = next((one for one in someone.transactions() if one["status"] == "succeeded"), None)
        if paid is not None:
            part = {"transaction_id": paid["transaction_id"], "amount": "200.00"}
            world.shop.control("refund", gateway=gateway, **part)
            world.shop.settle()

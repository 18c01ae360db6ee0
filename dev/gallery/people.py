"""Customers in every state that the portal knows, made by living through it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from portal import clock
from portal.billing import quota

if TYPE_CHECKING:
    from dev.gallery.world import World

Act = tuple[float, Callable[[], None]]

#: Name, first day, plan, gateway, whether it renews: who simply buys.
BUYERS = (
    ("olga", 0, "PRO_MONTHLY", "yookassa", True),
    ("vera", 0, "START_MONTHLY", "yookassa", True),
    ("daria", 2, "START_MONTHLY", "yookassa", False),
    ("anna", 10, "PRO_MONTHLY", "cloudpayments", True),
    ("igor", 20, "PRO_YEARLY", "cloudpayments", True),
    ("pavel", 30, "BUSINESS_YEARLY", "yookassa", True),
    ("boris", 40, "PRO_MONTHLY", "yookassa", False),
    ("zoya", 45, "PRO_MONTHLY", "yookassa", True),
    ("gleb", 46, "BUSINESS_MONTHLY", "cloudpayments", True),
    ("nina", 48, "BUSINESS_MONTHLY", "cloudpayments", True),
    ("fedor", 50, "START_MONTHLY", "cloudpayments", False),
    ("rita", 55, "PRO_MONTHLY", "yookassa", True),
    ("kseniya", 58, "PRO_MONTHLY", "cloudpayments", True),
)
#: How many orders the customer with the long history has made.
LONG = 24


def acts(world: World) -> list[Act]:
    """What befalls whom on which day."""

    def buys(name: str, plan: str, gateway: str, *, recurring: bool) -> Callable[[], None]:
        return lambda: world.register(name).buy(plan, gateway, recurring=recurring)

    found: list[Act] = [
        (day, buys(name, plan, gateway, recurring=recurring))
        for name, day, plan, gateway, recurring in BUYERS
    ]
    found += [(1 + 2 * number, partial(_mark_buys, world, number)) for number in range(LONG)]
    return [
        *found,
        (50, lambda: world.shop.next_charges("vera@example.com", "insufficient_funds", times=99)),
        (50.1, lambda: world.shop.next_charges("olga@example.com", "permission_revoked", times=99)),
        (50.2, lambda: _post(world, "zoya", "/dashboard/renewal", action="stop")),
        (50.3, lambda: _post(world, "gleb", "/dashboard/cancel")),
        (55.1, lambda: _post(world, "pavel", "/dashboard/plan", plan_code="PRO_MONTHLY")),
        (56, lambda: _rita_saves_another_card(world)),
    ]


def today(world: World) -> None:
    """What is going on at the moment of the look."""
    world.people["lena"] = world.shop.person("lena")  # has just registered, nothing confirmed, nothing bought
    for name in ("egor", "viktor", "polina", "trofim", "ulyana"):
        world.register(name)
    declined = world.order("viktor")
    world.shop.control("pay", gateway="cloudpayments", transaction_id=declined, card="4444444444444444")
    _letters_are_sent(world)
    world.shop.settle()
    _egor_orders_and_hears_nothing(world)


def _egor_orders_and_hears_nothing(world: World) -> None:
    """Last of all: as soon as time passes, the gateway is asked, and the payment is unknown no more."""
    world.shop.control("faults", gateway="yookassa", operation="*", fault="http_500", times=99)
    egor, form = world.people["egor"], {"gateway": "yookassa", "accept_offer": "y"}
    where = f"{world.shop.url}/checkout/PRO_MONTHLY"
    egor.session.post(where, data={**egor.token(), **form}, timeout=60)
    world.shop.no_more_faults()


def _post(world: World, name: str, path: str, **form: str) -> None:
    world.people[name].send(path, **form)


def _mark_buys(world: World, number: int) -> None:
    """One more order of the customer with a long history: most are paid, some are refused, one goes back."""
    mark = world.people.get("mark") or world.register("mark")
    plan = "PRO_MONTHLY" if number % 5 == 0 else "START_MONTHLY"
    gateway = ("cloudpayments", "yookassa")[number % 2]
    refused = number % 6 == 4
    mark.buy(plan, gateway, recurring=False, card="4444444444444444" if refused else "5555555555554444")
    if number % 9 == 3:
        paid = next(one for one in mark.transactions() if one["status"] == "succeeded")
        gone = {"transaction_id": paid["transaction_id"], "amount": "130.00"}
        world.shop.control("refund", gateway=paid["gateway"], **gone)
        world.shop.settle()


def _rita_saves_another_card(world: World) -> None:
    rita = world.people["rita"]
    for card in ("5555555555554477", "4111111111111111"):
        rita.call("/billing/api/yookassa/bind_card_start/")
        waiting = [one for one in world.shop.ledger()["methods"] if one.get("status") == "pending"]
        world.shop.control("pay", gateway="yookassa", transaction_id=waiting[-1]["id"], card=card)
        world.shop.settle()


def _letters_are_sent(world: World) -> None:
    """E-mails of the last month, day by day: some customers send many, two have (nearly) no more to send."""
    plans = {"anna": 1100, "igor": 900, "boris": 2370, "kseniya": 160, "rita": 340, "fedor": 500}
    for name, about in plans.items():
        for days in range(30, 0, -1):
            moment = clock.now() - timedelta(days=days, hours=3)
            quantity = about * (days * 7 % 11 + 1) // 6
            with world.app.app_context():
                _use(f"{name}@example.com", quantity, f"gallery-{days}", moment)
    left = world.one(
        "SELECT email_quota - emails_used FROM purchased_plans p JOIN users u ON u.id = p.user_id"
        " WHERE u.email = 'fedor@example.com'"
    )
    with world.app.app_context():
        _use("fedor@example.com", left, "gallery-0", clock.now())
    _letters_about_them_have_left(world)


def _letters_about_them_have_left(world: World) -> None:
    """Each on its day: those days were lived through before anything was counted on them."""
    world.sql(
        "UPDATE notifications SET sent_at = created_at, attempts = 1"
        " WHERE channel = 'email' AND sent_at IS NULL AND kind IN ('quota_low', 'quota_spent')"
    )


def _use(email: str, quantity: int, key: str, moment: object) -> None:
    from datetime import datetime

    assert isinstance(moment, datetime)
    try:
        quota.use(email, quantity, key, moment)
    except (quota.QuotaExceeded, quota.NoPlan):
        return  # the plan had not begun, or is used up: that is a state to look at, too

"""Twelve months of ten customers in under a minute: ``make year``.

They pay, are declined, lose a card, change plans, stop, come back and get money back; both gateways fail for
days and a week of notifications is lost. In the end the calendar is printed, and both ledgers side by side.
The exit code is 1 where they differ or a law of the design is broken.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from dev.processes import CannotStart
from dev.toy_shop import Person, Surprise, ToyShop, open_shop
from portal import clock
from portal.billing import invariants
from portal.database import db

BEGIN = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)
_MOSCOW = ZoneInfo("Europe/Moscow")


@dataclass
class Year:
    """The people, and what befalls them on which day."""

    shop: ToyShop
    people: dict[str, Person] = field(default_factory=dict)
    story: list[tuple[int, str]] = field(default_factory=list)

    def play(self) -> None:
        """Live through the days in their order."""
        acts = sorted(self._acts(), key=lambda act: act[0])
        for day, act in acts:
            self.shop.to(BEGIN + timedelta(days=day, minutes=len(self.story)))
            self.story.append((day, str(act.__doc__)))
            act()
        self.shop.to(BEGIN + timedelta(days=366))

    def _acts(self) -> list[tuple[int, Callable[[], None]]]:
        return [
            (0, self.ten_people_come),
            (40, self.zhanna_cancels),
            (66, self.vera_is_short_of_money),
            (97, self.egor_takes_more),
            (125, self.gleb_loses_his_card),
            (149, self.gleb_brings_another),
            (151, self.daria_buys_again),
            (160, self.zoya_stops),
            (162, self.zoya_changes_her_mind),
            (200, self.a_part_goes_back_to_kseniya),
            (235, self.zoya_takes_less),
            (266, self.yookassa_is_down),
            (268, self.yookassa_is_back),
            (296, self.cloudpayments_is_down),
            (298, self.cloudpayments_is_back),
            (318, self.news_is_lost),
            (328, self.news_comes_again),
        ]

    def ten_people_come(self) -> None:
        """Ten customers choose a tariff and pay"""
        wanted = {
            "anna": ("PRO_MONTHLY", "yookassa", True),
            "boris": ("PRO_MONTHLY", "cloudpayments", True),
            "vera": ("START_MONTHLY", "yookassa", True),
            "gleb": ("PRO_MONTHLY", "cloudpayments", True),
            "daria": ("START_MONTHLY", "cloudpayments", False),
            "egor": ("START_MONTHLY", "yookassa", True),
            "zhanna": ("BUSINESS_MONTHLY", "cloudpayments", True),
            "zoya": ("BUSINESS_MONTHLY", "yookassa", True),
            "igor": ("PRO_YEARLY", "cloudpayments", True),
            "kseniya": ("PRO_MONTHLY", "yookassa", True),
        }
        for name, (plan, gateway, recurring) in wanted.items():
            self.people[name] = self.shop.person(name)
            self.people[name].buy(plan, gateway, recurring=recurring)

    def zhanna_cancels(self) -> None:
        """Zhanna cancels inside the window and gets her money back"""
        self.people["zhanna"].send("/dashboard/cancel")

    def vera_is_short_of_money(self) -> None:
        """Vera's bank will say "not enough money" twice"""
        self._card("vera", "insufficient_funds", times=2)

    def egor_takes_more(self) -> None:
        """Egor changes to a bigger tariff and pays the difference"""
        egor = self.people["egor"]
        egor.send("/dashboard/plan", plan_code="BUSINESS_MONTHLY", gateway="yookassa", accept_recurring="y")
        order = egor.transactions()[0]
        self.shop.control(
            "pay", gateway="yookassa", transaction_id=order["transaction_id"], card="5555555555554444"
        )
        self.shop.settle()

    def gleb_loses_his_card(self) -> None:
        """Gleb's card is reported lost"""
        self._card("gleb", "5041")

    def gleb_brings_another(self) -> None:
        """Gleb saves another card, at the other gateway"""
        gleb = self.people["gleb"]
        gleb.call("/billing/api/yookassa/bind_card_start/")
        waiting = [one for one in self.shop.ledger()["methods"] if one.get("status") == "pending"]
        self.shop.control(
            "pay", gateway="yookassa", transaction_id=waiting[-1]["id"], card="5555555555554477"
        )
        self.shop.settle()

    def daria_buys_again(self) -> None:
        """Daria, who saves no card, buys a month after a pause"""
        self.people["daria"].buy("START_MONTHLY", "yookassa", recurring=False)

    def zoya_stops(self) -> None:
        """Zoya stops the renewal"""
        self.people["zoya"].send("/dashboard/renewal", action="stop")

    def zoya_changes_her_mind(self) -> None:
        """Zoya switches the renewal on again"""
        self.people["zoya"].send("/dashboard/renewal", action="resume")

    def a_part_goes_back_to_kseniya(self) -> None:
        """The shop returns a part to Kseniya in the gateway's cabinet"""
        paid = next(one for one in self.people["kseniya"].transactions() if one["status"] == "succeeded")
        self.shop.control(
            "refund", gateway="yookassa", transaction_id=paid["transaction_id"], amount="300.00"
        )
        self.shop.settle()

    def zoya_takes_less(self) -> None:
        """Zoya will go on with the smallest tariff"""
        self.people["zoya"].send("/dashboard/plan", plan_code="START_MONTHLY")

    def yookassa_is_down(self) -> None:
        """YooKassa is down for two days"""
        self.shop.control("faults", gateway="yookassa", operation="*", fault="http_500", times=100_000)

    def yookassa_is_back(self) -> None:
        """YooKassa is back"""
        self.shop.no_more_faults()

    def cloudpayments_is_down(self) -> None:
        """CloudPayments drops every connection after doing the work, for two days"""
        self.shop.control(
            "faults", gateway="cloudpayments", operation="*", fault="drop_after_commit", times=100_000
        )

    def cloudpayments_is_back(self) -> None:
        """CloudPayments is back"""
        self.shop.no_more_faults()

    def news_is_lost(self) -> None:
        """All notifications are lost for ten days"""
        self.shop.control("settings", webhooks="drop")

    def news_comes_again(self) -> None:
        """Notifications come again"""
        self.shop.control("settings", webhooks="normal")

    def _card(self, name: str, outcome: str, **more: int) -> None:
        """How the next charges of somebody's saved card end."""
        self.shop.next_charges(self.people[name].email, outcome, **more)


def calendar(shop: ToyShop, story: list[tuple[int, str]]) -> list[str]:
    """What happened on which day in Moscow, to whom."""
    lines = [(BEGIN + timedelta(days=day), "", f"* {what}") for day, what in story]
    query = (
        "SELECT n.created_at, u.email, n.kind, n.facts FROM notifications n JOIN users u ON u.id = n.user_id"
        " WHERE n.channel = 'portal' ORDER BY n.id"
    )
    with shop.app.app_context(), db.engine.connect() as connection:
        for row in connection.execute(text(query)).all():
            name = row.email.partition("@")[0]
            lines.append((row.created_at, name, f"  {row.kind}{_details(row.facts)}"))
    lines.sort(key=lambda line: line[0])
    return [f"{moment.astimezone(_MOSCOW):%d %b %H:%M}  {name:8}{what}" for moment, name, what in lines]


def _details(facts: dict[str, Any]) -> str:
    known = ("plan_title", "amount", "failure_code", "next_try_at")
    return "".join(f", {str(facts[name])[:16]}" for name in known if facts.get(name))


@dataclass(frozen=True)
class Books:
    """How many captures and refunds, and how much, at one gateway."""

    captures: int
    captured: Decimal
    refunds: int
    refunded: Decimal


def of_the_portal(shop: ToyShop, gateway: str) -> Books:
    """The portal's own books."""
    query = (
        "SELECT count(*), coalesce(sum(amount), 0), (SELECT count(*) FROM refunds r WHERE"
        " r.gateway = :gateway AND r.status = 'succeeded'), coalesce(sum(refunded_amount), 0) FROM payments"
        " WHERE gateway = :gateway AND status = 'succeeded'"
    )
    with shop.app.app_context(), db.engine.connect() as connection:
        return Books(*connection.execute(text(query), {"gateway": gateway}).one())


def of_the_gateway(shop: ToyShop, gateway: str) -> Books:
    """The gateway's books."""
    ledger = shop.ledger()
    taken = [one for one in ledger["payments"] if one["gateway"] == gateway and Decimal(one["captured"])]
    back = [one for one in ledger["refunds"] if one["gateway"] == gateway and one["status"] == "succeeded"]
    return Books(
        len(taken),
        sum((Decimal(one["captured"]) for one in taken), Decimal(0)),
        len(back),
        sum((Decimal(one["amount"]) for one in back), Decimal(0)),
    )


def report(shop: ToyShop) -> bool:
    """Print both ledgers side by side; tell whether they are equal and no law is broken."""
    equal = True
    print(f"\n{'':30}{'the portal':>16}{'the gateway':>16}")
    for gateway in ("cloudpayments", "yookassa"):
        ours, theirs = of_the_portal(shop, gateway), of_the_gateway(shop, gateway)
        equal = equal and ours == theirs
        for name in ("captures", "captured", "refunds", "refunded"):
            print(f"{gateway:16}{name:14}{getattr(ours, name):>16}{getattr(theirs, name):>16}")
    with shop.app.app_context():
        broken = invariants.violations(clock.now())
    for violation in broken:
        print(f"{violation.invariant.name}: {violation.invariant.promise} {violation.row}")
    print(f"\nThe ledgers are {'equal' if equal else 'NOT EQUAL'}; {len(broken)} laws broken.")
    return equal and not broken


def main() -> int:
    """Play the year and print it."""
    began = time.monotonic()
    try:
        with open_shop() as shop:
            logging.disable(logging.WARNING)
            year = Year(shop)
            shop.to(BEGIN)
            year.play()
            print("\n".join(calendar(shop, year.story)))
            well = report(shop)
    except (CannotStart, Surprise) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"A year in {time.monotonic() - began:.0f} seconds.")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())

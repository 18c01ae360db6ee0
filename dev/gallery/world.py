"""The shop that is looked at: one process, real gateways' sandboxes, people in every state."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import text

from dev.gallery import crowd, desk_rows, people
from dev.toy_shop import PASSWORD, Person, ToyShop, open_shop
from portal import clock
from portal.billing import settings, sweep
from portal.database import db

#: The first day of this world; pictures made on different days show the same dates.
BEGIN = datetime(2027, 1, 11, 9, 0, tzinfo=UTC)
#: The day on which everything is looked at.
TODAY = 61


@dataclass
class World:
    """The running shop with its people, and the switches that scenes throw."""

    shop: ToyShop
    people: dict[str, Person] = field(default_factory=dict)
    #: Numbers and keys that addresses need, by name.
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def app(self) -> Flask:
        """The portal itself."""
        return self.shop.app

    def register(self, name: str) -> Person:
        """Somebody new, whose address is confirmed."""
        self.people[name] = self.shop.person(name)
        self.sql("UPDATE users SET email_confirmed_at = created_at WHERE email = :email", email=_email(name))
        return self.people[name]

    def sign_in(self, name: str) -> Person:
        """Somebody known, in a new browser that has just given the password."""
        someone = self.people[name] = Person(self.shop, _email(name))
        someone.send("/login", email=someone.email, password=PASSWORD)
        return someone

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """Ask or change the database; the rows, where there are any."""
        with self.app.app_context(), db.engine.begin() as connection:
            done = connection.execute(text(statement), values)
            return list(done.all()) if done.returns_rows else []

    def one(self, statement: str, **values: Any) -> Any:
        """The only value of the only row."""
        return self.sql(statement, **values)[0][0]

    def set(self, **wanted: str) -> None:
        """Change settings as an operator does."""
        with self.app.app_context():
            for name, value in wanted.items():
                settings.put(name, value, clock.now())

    def order(self, name: str, gateway: str = "cloudpayments", plan: str = "PRO_MONTHLY") -> str:
        """A new order of somebody; its transaction id."""
        path = f"/billing/api/{gateway}/create_payment/"
        return str(self.people[name].call(path, plan_code=plan, accept_recurring=False)["transaction_id"])

    def last_payment(self, name: str) -> str:
        """The transaction id of what somebody ordered last."""
        query = (
            "SELECT p.transaction_id FROM payments p JOIN users u ON u.id = p.user_id"
            " WHERE u.email = :email ORDER BY p.id DESC LIMIT 1"
        )
        return str(self.one(query, email=_email(name)))

    @contextmanager
    def configured(self, **wanted: Any) -> Iterator[None]:
        """Another environment for as long as this block lasts."""
        before = self.app.extensions["portal_config"]
        self.app.extensions["portal_config"] = replace(before, **wanted)
        try:
            yield
        finally:
            self.app.extensions["portal_config"] = before

    @contextmanager
    def with_settings(self, **wanted: str) -> Iterator[None]:
        """Other settings for as long as this block lasts."""
        kept = {name: getattr(self.settings(), name) for name in wanted}
        self.set(**wanted)
        try:
            yield
        finally:
            self.set(**{name: _as_typed(value) for name, value in kept.items()})

    def settings(self) -> settings.ShopSettings:
        """What is set now."""
        with self.app.app_context():
            return settings.current()

    def send_letters(self) -> None:
        """Let letters leave that a scene has caused, as a worker does at once; nothing else goes on."""
        with self.app.app_context():
            sweep.send_letters(clock.now())

    def to_day(self, day: float) -> None:
        """Let time pass until that day."""
        self.shop.to(self.begin + timedelta(days=day))

    @property
    def begin(self) -> datetime:
        """The first day: the fixed one, or, once that is over, a day from now on."""
        found: datetime = self.facts["begin"]
        return found


def _email(name: str) -> str:
    return f"{name}@example.com"


def _as_typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def open_world(*, with_crowd: bool = True) -> Iterator[World]:
    """The whole world, some seconds after the call; nothing of it is left behind."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.disable(logging.ERROR)
    with open_shop() as shop:
        tomorrow = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=1)
        world = World(shop, facts={"begin": max(BEGIN, tomorrow)})
        world.to_day(0)
        acts = [*people.acts(world), *desk_rows.acts(world)]
        if with_crowd:
            acts += crowd.acts(world)
        for number, (day, act) in enumerate(sorted(acts, key=lambda one: one[0])):
            world.to_day(day + number / 100_000)
            act()
        world.to_day(TODAY)
        people.today(world)
        desk_rows.today(world)
        yield world

"""Roles are given and taken with a record of it, and the last owner stays one."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from flask import Flask

from portal.accounts import operators, sessions
from portal.accounts.operators import LastOwner
from portal.billing import audit
from portal.billing.audit import COMMAND_LINE, Subject
from portal.database import db
from portal.errors import NotFound
from portal.models import Role, User
from tests.accounts.conftest import PASSWORD


def an_owner(name: str, now: datetime) -> User:
    return operators.create(f"{name}@example.com", PASSWORD, Role.OWNER, COMMAND_LINE, now)


def test_roles_are_nested() -> None:
    """Each role may what the one below it may, a customer nothing."""
    assert [[User(role=has).may(least) for least in Role] for has in (None, *Role)] == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_a_role_is_given_with_a_record(context: Flask, ira: User, now: datetime) -> None:
    """Who, what before, what after and why; the person's sessions end."""
    boss = an_owner("boss", now)
    key = sessions.begin(ira, address="", user_agent="", now=now)

    assert operators.give_role(ira.id, Role.SUPPORT, COMMAND_LINE, "взяли на работу", now)
    assert not operators.give_role(ira.id, Role.SUPPORT, COMMAND_LINE, "ещё раз", now)

    assert ira.may(Role.SUPPORT)
    assert sessions.find(key, now) is None
    (entry,) = audit.of(Subject("user", ira.id))
    assert (entry.act, entry.before, entry.after) == ("role", {"role": None}, {"role": "support"})
    assert entry.reason == "взяли на работу"
    assert boss.may(Role.OWNER)


def test_the_last_owner_stays(context: Flask, now: datetime) -> None:
    """Neither taking the role nor lowering it leaves a shop without an owner."""
    boss = an_owner("boss", now)
    for less in (None, Role.SUPPORT):
        with pytest.raises(LastOwner):
            operators.give_role(boss.id, less, COMMAND_LINE, "", now)
    an_owner("second", now)
    assert operators.give_role(boss.id, None, COMMAND_LINE, "", now)
    with pytest.raises(NotFound):
        operators.give_role(10**9, None, COMMAND_LINE, "", now)


def test_two_owners_cannot_dismiss_each_other(context: Flask, app: Flask, now: datetime) -> None:
    """At the same moment: one goes, the other stays."""
    numbers = [an_owner(name, now).id for name in ("boss", "second")]
    db.session.remove()
    start, done = threading.Barrier(2), []

    def dismiss(number: int) -> None:
        with app.app_context():
            start.wait(10)
            try:
                done.append(operators.give_role(number, None, COMMAND_LINE, "", now))
            except LastOwner:
                done.append(False)
            finally:
                db.session.remove()

    both = [threading.Thread(target=dismiss, args=(number,)) for number in numbers]
    for one in both:
        one.start()
    for one in both:
        one.join(20)
    assert sorted(done) == [False, True]
    assert operators.owners() == 1

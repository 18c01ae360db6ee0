"""An account closed by an operator, and opened again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import disabling, operators, sessions
from portal.accounts.disabling import AnOperator
from portal.billing import audit
from portal.billing.audit import COMMAND_LINE, Actor, Subject
from portal.billing.giving_back import NoReason
from portal.database import db
from portal.errors import NotFound
from portal.models import Role, User
from tests.desk import PASSWORD, a_user

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CLERK = Actor(None, "clerk@example.com", "198.51.100.9")


def reread(user: User) -> User:
    return db.session.get_one(User, user.id, populate_existing=True)


def test_closed_and_opened(context: Flask) -> None:
    """Sessions end, each step is in the record with its reason, and a second click changes nothing."""
    ira = a_user()
    key = sessions.begin(ira, address="198.51.100.7", user_agent="a browser", now=NOW)
    assert disabling.disable(ira.id, CLERK, "Просил удалить", NOW)
    assert not disabling.disable(ira.id, CLERK, "Просил удалить", NOW)
    assert reread(ira).disabled_at == NOW
    assert sessions.find(key, NOW) is None
    assert disabling.enable(ira.id, CLERK, "Передумал", NOW)
    assert not disabling.enable(ira.id, CLERK, "Передумал", NOW)
    assert reread(ira).disabled_at is None
    assert sessions.find(key, NOW) is None
    said = [(entry.act, entry.reason) for entry in audit.of(Subject("user", ira.id))]
    assert said == [("disable", "Просил удалить"), ("enable", "Передумал")]


def test_not_without_a_reason_nor_a_person(context: Flask) -> None:
    """No reason, no such account: nothing is done."""
    ira = a_user()
    with pytest.raises(NoReason):
        disabling.disable(ira.id, CLERK, " ", NOW)
    with pytest.raises(NotFound):
        disabling.disable(ira.id + 1, CLERK, "x", NOW)
    assert reread(ira).disabled_at is None


def test_operators_are_not_closed_by_that(context: Flask) -> None:
    """Nobody at the desk shuts another one out past the roles."""
    operators.create("boss@example.com", PASSWORD, Role.OWNER, COMMAND_LINE, NOW)
    boss = db.session.scalars(select(User).where(User.email == "boss@example.com")).one()
    with pytest.raises(AnOperator):
        disabling.disable(boss.id, CLERK, "x", NOW)
    assert reread(boss).disabled_at is None

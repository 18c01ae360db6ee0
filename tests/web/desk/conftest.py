"""The people of the operator's desk, each signed in at a browser of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.accounts import operators, sign_in
from portal.billing.audit import COMMAND_LINE
from portal.clock import now
from portal.models import Role, User
from tests.desk import PASSWORD, Browser, Desk


@pytest.fixture
def enter(desk: Desk) -> Callable[[Role], Browser]:
    """Make an operator of this role and sign in."""

    def entered(role: Role) -> Browser:
        email = f"{role.value}@example.com"

        def verb() -> User:
            operators.create(email, PASSWORD, role, COMMAND_LINE, now())
            return sign_in.verify(email, PASSWORD, "127.0.0.1")

        return desk.let_in(verb)

    return entered


@pytest.fixture
def owner(enter: Callable[[Role], Browser]) -> Browser:
    """Who may do everything."""
    return enter(Role.OWNER)


@pytest.fixture
def clerk(enter: Callable[[Role], Browser]) -> Browser:
    """Who serves customers."""
    return enter(Role.SUPPORT)


@pytest.fixture
def viewer(enter: Callable[[Role], Browser]) -> Browser:
    """Who looks."""
    return enter(Role.VIEWER)

"""Every address of the desk, out of the URL map, tried by everybody who may not use it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_admin import BaseView
from sqlalchemy import event
from werkzeug.routing import Rule

from portal.admin.access import Guarded
from portal.database import db
from portal.models import Role
from tests.desk import Browser, Desk

RANK = list(Role)


def rules(app: Flask) -> list[Rule]:
    """Every rule of the desk but its static files."""
    found = [rule for rule in app.url_map.iter_rules() if str(rule).startswith("/admin")]
    return [rule for rule in found if not rule.endpoint.endswith(".static")]


def address(rule: Rule) -> str:
    """An address that the rule takes; what stands in its places is nothing that exists."""
    path = str(rule)
    for name in rule.arguments:
        start = path.index("<")
        path = (
            path[:start]
            + ("1" if name.endswith("id") or "int:" in path else "csv")
            + path[path.index(">") + 1 :]
        )
    return path


def tries(app: Flask) -> list[tuple[str, str, Role]]:
    """Method, address and the least role of everything that can be asked of the desk."""
    rooms: dict[str, BaseView] = {view.endpoint: view for view in app.extensions["admin"][0]._views}
    found = []
    for rule in rules(app):
        endpoint, _, view = rule.endpoint.partition(".")
        room = rooms[endpoint]
        assert isinstance(room, Guarded), f"{endpoint} is not guarded"
        for method in (rule.methods or set()) & {"GET", "POST"}:
            least, _ = room.asked_of(view, reading=method == "GET")
            # A room's own pages are its room's, even where a view is marked for less.
            found.append((method, address(rule), least))
    return found


#: No inline handler, script or style: Flask-Admin's own templates are full of them, ours stand before.
FORBIDDEN = ("onclick=", "onsubmit=", "onchange=", "javascript:", "style=", "<style")


def ask(browser: Browser, method: str, path: str) -> int:
    """The answer's status, without going on to anywhere; no page needs what the policy forbids."""
    if method == "GET":
        page = browser.get(path, allow_redirects=False)
        assert not [word for word in FORBIDDEN if word in page.text], path
        return page.status_code
    form = {"csrf_token": browser.token()}
    return browser.session.post(browser.base + path, data=form, timeout=60, allow_redirects=False).status_code


def test_a_stranger_is_sent_to_sign_in(desk: Desk, client: FlaskClient) -> None:
    """No page of the desk opens, and no button works, for whoever is not signed in."""
    for method, path, _ in tries(desk.app):
        if method == "GET":
            answer = client.get(path)
            assert answer.status_code == 303, path
            assert answer.headers["Location"].startswith("/login?next="), path
        else:
            assert client.post(path).status_code == 400, path  # no token, so nothing was even looked at


def test_a_customer_is_told_that_there_is_nothing(desk: Desk) -> None:
    """A customer who knows the addresses finds the same as at an address that does not exist."""
    ira = desk.customer()
    for method, path, _ in tries(desk.app):
        assert ask(ira, method, path) == 404, (method, path)


@pytest.mark.parametrize("role", RANK, ids=[role.value for role in RANK])
def test_nobody_does_what_is_above_their_role(
    desk: Desk, enter: Callable[[Role], Browser], role: Role
) -> None:
    """An operator is refused everything whose least role is above their own, and lost nothing else."""
    browser = enter(role)
    for method, path, least in tries(desk.app):
        status = ask(browser, method, path)
        if RANK.index(role) < RANK.index(least):
            assert status == 403, (method, path)
        else:
            assert status not in {401, 403}, (method, path, status)


def test_what_is_not_marked_is_the_owner_s(desk: Desk) -> None:
    """Whoever adds a button and says nothing has added one for owners; lists are open to viewers."""
    by_path = {(method, path): least for method, path, least in tries(desk.app)}
    assert by_path["GET", "/admin/payments/"] is Role.VIEWER
    assert by_path["GET", "/admin/plans/edit/"] is Role.OWNER
    assert by_path["POST", "/admin/plans/new/"] is Role.OWNER
    assert by_path["POST", "/admin/payments/delete/"] is Role.OWNER
    assert by_path["GET", "/admin/audit/"] is Role.OWNER


def test_a_page_asks_once_who_is_there(desk: Desk, viewer: Browser) -> None:
    """The door takes the session as the guard of all pages found it."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    with desk.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert viewer.get("/admin/plans/").ok
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len([statement for statement in asked if "FROM user_sessions" in statement]) == 1


def test_the_menu_shows_what_one_may_enter(viewer: Browser, owner: Browser) -> None:
    """A room that would refuse is not offered."""
    assert 'href="/admin/audit/"' not in viewer.get("/admin/").text
    assert 'href="/admin/audit/"' in owner.get("/admin/").text

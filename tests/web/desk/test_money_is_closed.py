"""Nothing about money can be made, edited or deleted by hand: every room of the desk that shows it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from portal.admin.desk import ROOMS
from portal.database import db
from tests.desk import Browser, Desk
from tests.stories.weather import paid

#: What an owner keeps by hand; everything else is written by what happened.
KEPT_BY_HAND = {"plans"}
CLOSED = [(url, model) for _, _, url, _, model in ROOMS if url not in KEPT_BY_HAND]


def rows(desk: Desk) -> dict[str, list[str]]:
    """Every row of every closed table, as text."""
    found = {}
    with desk.app.app_context(), db.engine.connect() as connection:
        for name in (model.__tablename__ for _, model in CLOSED if model.__tablename__ != "users"):
            asked = text(f"SELECT t::text FROM {name} t ORDER BY 1")  # noqa: S608 - names of tables
            found[name] = [str(row) for row in connection.execute(asked)]
    return found


def test_there_are_rooms() -> None:
    """The rooms below are the desk's own."""
    assert {"payments", "refunds", "purchased-plans", "subscriptions", "methods", "cases"} <= {
        url for url, _ in CLOSED
    }


@pytest.mark.parametrize("url", [url for url, _ in CLOSED])
def test_an_owner_changes_no_row_by_hand(desk: Desk, owner: Browser, url: str) -> None:
    """Flask-Admin's own doors to create, edit, delete and act on many are shut, even for owners."""
    paid(desk, desk.customer().order("cloudpayments"))
    before = rows(desk)
    number = before["payments"][0].split(",")[0].strip("('")
    form = {"csrf_token": owner.token(), "id": number, "amount": "1.00", "rowid": number, "action": "delete"}
    for door in ("new", "edit", "delete", "action", "ajax/update"):
        where = f"{owner.base}/admin/{url}/{door}/?id={number}"
        answer = owner.session.post(where, data=form, timeout=60, allow_redirects=False)
        assert answer.status_code in {302, 303, 404, 405}, (door, answer.status_code)
        assert owner.get(f"/admin/{url}/{door}/", params={"id": number}).status_code != 500
    assert rows(desk) == before

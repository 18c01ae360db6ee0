"""The operator's desk opens for operators only, and shows no secret."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import registration
from portal.clock import now
from tests.desk import Desk

WATCHED = (
    "payments",
    "refunds",
    "purchased-plans",
    "subscriptions",
    "cases",
    "webhook-events",
    "plans",
    "users",
)


@pytest.fixture
def admin(desk: Desk) -> Desk:
    """A desk with the demo operator."""
    with desk.app.app_context():
        registration.ensure_demo(now())
    return desk


def _every_page(app: Flask) -> list[str]:
    """The address of every list of the desk, out of the URL map."""
    rules = app.url_map.iter_rules()
    return sorted(str(rule) for rule in rules if str(rule).startswith("/admin/") and "<" not in str(rule))


def test_strangers_sign_in_and_customers_find_nothing(client: FlaskClient, desk: Desk) -> None:
    """Every address under /admin/ is closed to whoever is not an operator."""
    ira = desk.customer()
    for path in _every_page(desk.app):
        assert client.get(path).status_code in {302, 303, 404, 405}
        assert ira.get(path, allow_redirects=False).status_code in {404, 405}, path


def test_an_operator_sees_what_was_paid_and_what_came_in(admin: Desk) -> None:
    """Lists and details open after a purchase; neither a password nor a notification's body is on them."""
    ira = admin.customer()
    admin.sandbox.pay("cloudpayments", ira.order("cloudpayments")["transaction_id"])
    admin.settle()
    operator = admin.browser()
    assert operator.send("/login", email="admin@example.com", password="admin-password").ok

    for name in WATCHED:
        listed = operator.get(f"/admin/{name}/")
        assert listed.status_code == 200, name
        assert "argon2" not in listed.text
    for name in ("payments", "webhook-events", "users", "subscriptions"):
        shown = operator.get(
            f"/admin/{name}/details/", params={"id": _first_id(operator.get(f"/admin/{name}/").text)}
        )
        assert shown.status_code == 200, name
        assert "argon2" not in shown.text
        assert "TransactionId" not in shown.text


def _first_id(page: str) -> str:
    """The id of the first row that a list links to."""
    return page.partition("/details/?id=")[2].partition("&")[0].partition('"')[0]

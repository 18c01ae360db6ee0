"""Roles and the product's keys: given, taken and told by owners, with a record of each."""

from __future__ import annotations

import re
from datetime import timedelta

import requests
from sqlalchemy import select

from portal.accounts import two_factor
from portal.billing import audit
from portal.billing.audit import Subject
from portal.database import db
from portal.models import AuditEntry, Role, User
from tests.desk import PASSWORD, Browser, Desk
from tests.web.desk.test_door import move, phone_of


def acts(desk: Desk) -> list[tuple[str, str, str]]:
    """Who did what and why, oldest first; operators made for a test left out."""
    with desk.app.app_context():
        entries = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        return [(entry.actor, entry.act, entry.reason) for entry in entries if entry.act != "create-admin"]


def test_a_role_is_given_and_taken(desk: Desk, owner: Browser) -> None:
    """With a reason; the person is signed out and comes back as what they are now."""
    ira = desk.customer()
    told = owner.send(
        "/admin/operators/role", email=" IRA@example.com ", role="support", reason="новая смена"
    )
    assert "ira@example.com: поддержка." in told.text
    assert "/login" in ira.get("/dashboard/").url

    assert ira.send("/login", email="ira@example.com", password=PASSWORD).ok
    assert ira.get("/admin/").status_code == 200
    owner.send("/admin/operators/role", email="ira@example.com", role="customer", reason="уволилась")

    assert ira.send("/login", email="ira@example.com", password=PASSWORD).ok
    assert ira.get("/admin/").status_code == 404
    assert acts(desk) == [
        ("owner@example.com", "role", "новая смена"),
        ("owner@example.com", "role", "уволилась"),
    ]


def test_what_cannot_be_is_told(desk: Desk, owner: Browser) -> None:
    """No reason, no such account, no such role, no owner left: a sentence, and nothing changes."""
    desk.customer()
    for form, sentence in (
        ({"email": "ira@example.com", "role": "viewer", "reason": " "}, "Напишите, почему"),
        ({"email": "nobody@example.com", "role": "viewer", "reason": "x"}, "Такого аккаунта нет"),
        ({"email": "ira@example.com", "role": "king", "reason": "x"}, "Такой роли нет"),
        ({"email": "owner@example.com", "role": "viewer", "reason": "x"}, "единственный владелец"),
    ):
        assert sentence in owner.send("/admin/operators/role", **form).text, form
    assert acts(desk) == []


def test_a_browser_left_open_gives_no_role(desk: Desk, owner: Browser) -> None:
    """After ten minutes the password is asked once more before a role or a key is given."""
    desk.customer()
    move(desk, password_at=timedelta(minutes=11), desk_seen_at=timedelta(minutes=1))
    asked = owner.send("/admin/operators/role", email="ira@example.com", role="owner", reason="x")
    assert "/account/desk/" in asked.url
    assert "/account/desk/" in owner.send("/admin/api-keys/new", name="mailer").url
    assert acts(desk) == []
    with desk.app.app_context():
        assert db.session.scalars(select(User.role).filter_by(email="ira@example.com")).one() is None


def test_a_lost_phone_is_forgotten(desk: Desk, owner: Browser, clerk: Browser) -> None:
    """An owner frees an operator whose phone and codes are gone; the operator signs in anew."""
    phone_of(desk, Role.SUPPORT)
    with desk.app.app_context():
        clerk_id = db.session.scalars(select(User.id).filter_by(email="support@example.com")).one()
    assert owner.send(f"/admin/operators/{clerk_id}/two-factor/forget").ok
    with desk.app.app_context():
        user = db.session.get_one(User, clerk_id)
        assert not two_factor.is_on(user)
        assert audit.of(Subject("user", clerk_id))[-1].act == "two-factor-off"
    assert "/login" in clerk.get("/admin/").url
    assert owner.send(f"/admin/operators/{9**25}/two-factor/forget").status_code == 404


def test_a_key_is_seen_once(desk: Desk, owner: Browser) -> None:
    """The answer to making it shows it, no page after; it opens the product's API until it is revoked."""
    made = owner.send("/admin/api-keys/new", name="сервис рассылки")
    (key,) = re.findall(r'id="made-key">(pk_[\w-]+)<', made.text)
    listed = owner.get("/admin/api-keys/").text
    assert key not in listed
    assert key[:11] in listed

    def asked() -> int:
        where = f"{desk.url}/api/v1/customers/nobody@example.com/entitlement"
        return requests.get(where, headers={"Authorization": f"Bearer {key}"}, timeout=10).status_code

    assert asked() == 404
    (number,) = re.findall(r"/admin/api-keys/(\d+)/revoke", listed)
    assert "Ключ отозван." in owner.send(f"/admin/api-keys/{number}/revoke").text
    assert asked() == 401
    assert "раньше" in owner.send(f"/admin/api-keys/{number}/revoke").text
    assert owner.send(f"/admin/api-keys/{9**25}/revoke").status_code == 404
    assert acts(desk) == [
        ("owner@example.com", "create-api-key", ""),
        ("owner@example.com", "revoke-api-key", ""),
    ]
    assert "от 1 до 120" in owner.send("/admin/api-keys/new", name="").text

"""The desk's door: what it asks, when it closes, and where it leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import delete, select, update

from portal.accounts import desk_door, two_factor
from portal.accounts.wall_clock import wall_now
from portal.billing.audit import Actor
from portal.database import db, transaction
from portal.models import RecoveryCode, Role, User, UserSession
from tests.desk import PASSWORD, Browser, Desk

DOOR = "/account/desk/"


def phone_of(desk: Desk, role: Role) -> pyotp.TOTP:
    """Give the operator of this role a phone, proved an hour ago."""
    with desk.app.app_context():
        user = db.session.scalars(select(User).filter_by(email=f"{role.value}@example.com")).one()
        phone, earlier = pyotp.TOTP(two_factor.begin(user)), wall_now() - timedelta(hours=1)
        two_factor.enrol(user, phone.at(earlier), Actor(user.id, user.email), earlier, earlier)
    return phone


def move(desk: Desk, **moments: timedelta) -> None:
    """Let these moments of every session have been so long ago."""
    with desk.app.app_context(), transaction() as session:
        then = {name: wall_now() - ago for name, ago in moments.items()}
        session.execute(update(UserSession).values(**then))


def place(browser: Browser, path: str) -> str:
    """Where a page leads to, if it leads anywhere."""
    return browser.get(path, allow_redirects=False).headers.get("Location", "")


def test_the_password_opens_it(owner: Browser) -> None:
    """Whoever has just signed in need not say it twice."""
    assert owner.get("/admin/payments/").status_code == 200
    assert place(owner, f"{DOOR}?next=/admin/payments/") == "/admin/payments/"


@pytest.mark.parametrize(
    "moments",
    (
        {"password_at": timedelta(hours=12), "desk_seen_at": timedelta(minutes=1)},
        {"password_at": timedelta(minutes=40), "desk_seen_at": timedelta(minutes=30)},
    ),
    ids=("a long day", "left alone"),
)
def test_it_closes(desk: Desk, owner: Browser, moments: dict[str, timedelta]) -> None:
    """After a working day, and half an hour after it was left; the password leads back to the page."""
    move(desk, **moments)
    assert place(owner, "/admin/payments/?flt0_status=failed").startswith(DOOR)

    wrong = owner.send(DOOR, password="no such word", next="/admin/payments/")
    assert wrong.status_code == 401
    assert place(owner, "/admin/").startswith(DOOR)

    right = owner.send(DOOR, password=PASSWORD, next="/admin/payments/?flt0_status=failed")
    assert right.url.endswith("/admin/payments/?flt0_status=failed")
    assert right.status_code == 200


def test_a_wrong_answer_is_told_above_the_form_and_at_its_field(desk: Desk, clerk: Browser) -> None:
    """As on every other form: the summary takes the focus and leads to the field, which keeps nothing."""
    phone_of(desk, Role.SUPPORT)
    move(desk, password_at=timedelta(hours=12), desk_seen_at=timedelta(hours=12))

    pages = {"password": clerk.send(DOOR, password="no such word")}
    clerk.send(DOOR, password=PASSWORD)
    pages["code"] = clerk.send(DOOR, code="000000")

    for name, page in pages.items():
        said = page.text
        assert 'id="errors-title"' in said, name
        assert f'href="#{name}"' in said, name
        assert f'id="{name}-error"' in said, name
        assert said.count("autofocus") == 1, name
        assert "no such word" not in said
        assert "000000" not in said


def test_a_customer_s_pages_do_not_keep_it_open(desk: Desk, owner: Browser) -> None:
    """The desk closes though the same browser is busy in the shop."""
    move(desk, password_at=timedelta(minutes=40), desk_seen_at=timedelta(minutes=30))
    assert owner.get("/dashboard/").status_code == 200
    assert place(owner, "/admin/").startswith(DOOR)


def test_being_used_keeps_it_open(desk: Desk, owner: Browser) -> None:
    """Each look at the desk is a new half hour."""
    move(desk, password_at=timedelta(hours=2), desk_seen_at=timedelta(minutes=29))
    assert owner.get("/admin/").status_code == 200
    with desk.app.app_context():
        seen = db.session.scalars(select(UserSession.desk_seen_at)).all()
    assert max(filter(None, seen)) > wall_now() - timedelta(minutes=1)


def test_the_phone_is_asked_after_the_password(desk: Desk, clerk: Browser) -> None:
    """With a second factor the password alone opens nothing; wrong codes neither."""
    phone = phone_of(desk, Role.SUPPORT)
    assert place(clerk, "/admin/").startswith(DOOR)
    assert "one-time-code" in clerk.get(DOOR).text
    assert clerk.send(DOOR, code="000000").status_code == 400
    assert place(clerk, "/admin/").startswith(DOOR)
    assert clerk.send(DOOR, code=phone.at(wall_now()), next="/admin/refunds/").url.endswith("/admin/refunds/")


def test_another_browser_s_code_opens_this_one_not(desk: Desk, owner: Browser) -> None:
    """What one browser proved counts for that browser."""
    phone = phone_of(desk, Role.OWNER)
    other = desk.browser()
    assert other.send("/login", email="owner@example.com", password=PASSWORD).ok
    assert owner.send(DOOR, code=phone.at(wall_now())).ok
    assert place(owner, "/admin/") == ""
    assert place(other, "/admin/").startswith(DOOR)


def test_an_owner_in_production_needs_a_phone(
    desk: Desk, owner: Browser, enter: Callable[[Role], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside the sandbox an owner sets the second factor up first; the codes are shown once."""
    config = desk.app.extensions["portal_config"]
    monkeypatch.setitem(desk.app.extensions, "portal_config", replace(config, sandbox=False))
    assert enter(Role.VIEWER).get("/admin/").status_code == 200
    page = owner.get("/admin/")
    assert page.url.startswith(f"{owner.base}{DOOR}two-factor")
    with desk.app.app_context():
        user = db.session.scalars(select(User).filter_by(email="owner@example.com")).one()
        phone = pyotp.TOTP(two_factor.begin(user))

    assert owner.send(f"{DOOR}two-factor/on", code="000000").status_code == 400
    shown = owner.send(f"{DOOR}two-factor/on", code=phone.at(wall_now()), next="/admin/users/")

    assert shown.text.count('class="key"') == 10
    assert 'href="/admin/users/"' in shown.text
    assert owner.get("/admin/users/").url.endswith("/admin/users/")
    again = owner.get(f"{DOOR}two-factor").text
    assert phone.secret not in again.replace(" ", "")
    assert "восстановления: 10" in again
    with desk.app.app_context(), transaction() as session:
        session.execute(delete(RecoveryCode))
    assert "Кодов восстановления не осталось" in owner.get(f"{DOOR}two-factor").text


def test_turning_it_off_asks_once_more(desk: Desk, clerk: Browser) -> None:
    """A browser that was left open takes the phone away from nobody."""
    phone = phone_of(desk, Role.SUPPORT)
    assert clerk.send(DOOR, code=phone.at(wall_now())).ok
    move(desk, code_at=desk_door.FRESH, password_at=timedelta(hours=1), desk_seen_at=timedelta(0))
    for what in ("off", "codes"):
        sent = clerk.send(f"{DOOR}two-factor/{what}")
        assert "one-time-code" in sent.text
    with desk.app.app_context():
        user = db.session.scalars(select(User).filter_by(email="support@example.com")).one()
        assert two_factor.is_on(user)
        assert two_factor.codes_left(user) == 10


def test_it_leads_nowhere_else(owner: Browser) -> None:
    """An address of another site in the line is not followed."""
    for elsewhere in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        assert place(owner, f"{DOOR}?next={elsewhere}") == "/admin/"


def test_customers_find_no_door(desk: Desk) -> None:
    """They are told that there is no such page."""
    ira = desk.customer()
    for path in (DOOR, f"{DOOR}two-factor"):
        assert ira.get(path).status_code == 404
    for path in (DOOR, f"{DOOR}two-factor/on", f"{DOOR}two-factor/off", f"{DOOR}two-factor/codes"):
        assert ira.send(path, password=PASSWORD).status_code == 404

"""Accounts are made here."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.accounts import operators, registration, sessions, sign_in, throttle
from portal.accounts.addresses import normal
from portal.accounts.passwords import WeakPassword
from portal.billing.audit import COMMAND_LINE
from portal.database import db, transaction
from portal.errors import InvalidRequest, NotAllowed
from portal.models import Notification, Role, User
from tests.accounts.conftest import HOME, PASSWORD

STRANGER = "203.0.113.9"


def letters_of(kind: str) -> list[Notification]:
    return list(db.session.scalars(select(Notification).where(Notification.kind == kind)))


@pytest.mark.parametrize(
    ("written", "kept"),
    (
        (" Ira@Example.COM ", "ira@example.com"),
        ("ira+shop@mail.example.com", "ira+shop@mail.example.com"),
        ("buyer@почта.рф", "buyer@xn--80a1acny.xn--p1ai"),
        ("buyer-1@shop.test", "buyer-1@shop.test"),
        ("ira", None),
        ("ira@", None),
        ("@example.com", None),
        ("ira@localhost", None),
        ("ira@[127.0.0.1]", None),
        ("ira@exa mple.com", None),
        ("ira@example.com\nBcc: all@example.com", None),
        ("ира@example.com", None),
        ("\x00@example.com", None),
        ("a" * 65 + "@example.com", None),
        ("", None),
    ),
)
def test_one_mailbox_has_one_spelling(written: str, kept: str | None) -> None:
    """Addresses are kept in lower case with the domain's DNS name; what is no address is refused."""
    assert normal(written) == kept


def test_a_new_customer_gets_an_account_and_a_letter(ira: User, now: datetime) -> None:
    """Registration keeps when the privacy terms were accepted, confirms nothing, and writes one letter."""
    assert (ira.email, ira.created_at, ira.privacy_accepted_at) == ("ira@example.com", now, now)
    assert ira.email_confirmed_at is None
    assert not ira.is_admin
    assert not ira.is_demo
    assert len(ira.public_id) == 36
    assert PASSWORD not in ira.password_hash
    assert len(letters_of("confirm_email")) == 1


def test_registering_twice_with_the_right_password_is_signing_in(ira: User, now: datetime) -> None:
    """Whoever knows the password is let in, and no second account or letter is made."""
    again = registration.register("IRA@example.com", PASSWORD, HOME, now)

    assert again is ira
    assert db.session.scalar(select(func.count(User.id))) == 1
    assert len(letters_of("confirm_email")) == 1


def test_registering_a_taken_address_tells_its_owner_only(ira: User, now: datetime) -> None:
    """A stranger reads a neutral sentence; the owner gets one letter a day, however often it is tried."""
    for _ in range(3):
        with pytest.raises(registration.AddressTaken) as refused:
            registration.register("ira@example.com", "another password", STRANGER, now)
    assert "возможно" in refused.value.message
    assert len(letters_of("already_registered")) == 1

    with pytest.raises(registration.AddressTaken):
        registration.register("ira@example.com", "another password", STRANGER, now + timedelta(days=1))

    assert len(letters_of("already_registered")) == 2


def test_registration_is_no_way_around_the_limit_of_guesses(ira: User, now: datetime) -> None:
    """A wrong password counts as a failed sign-in at this door too: the sixth guess is refused unheard."""
    for _ in range(5):
        with pytest.raises(registration.AddressTaken):
            registration.register("ira@example.com", "another password", STRANGER, now)

    with pytest.raises(throttle.TooOften):
        registration.register("ira@example.com", PASSWORD, STRANGER, now)
    with pytest.raises(throttle.TooOften):
        sign_in.verify("ira@example.com", PASSWORD, STRANGER)


def test_a_disabled_owner_is_not_written_to(ira: User, now: datetime) -> None:
    """A closed account is neither opened by a registration nor told about it."""
    with transaction():
        ira.disabled_at = now

    with pytest.raises(registration.AddressTaken):
        registration.register("ira@example.com", PASSWORD, HOME, now)

    assert letters_of("already_registered") == []


@pytest.mark.parametrize(
    ("email", "password", "error"),
    (("ira", PASSWORD, InvalidRequest), ("a@example.com", "short", WeakPassword)),
)
def test_impossible_accounts_are_refused(
    context: Flask, now: datetime, email: str, password: str, error: type[Exception]
) -> None:
    """No account without an address and a fair password, whoever asks."""
    for make in (
        lambda: registration.register(email, password, HOME, now),
        lambda: operators.create(email, password, Role.OWNER, COMMAND_LINE, now),
    ):
        with pytest.raises(error):
            make()

    assert db.session.scalar(select(func.count(User.id))) == 0


def test_two_registrations_at_once_make_one_account(context: Flask, now: datetime) -> None:
    """A double click on "create account" makes one account and lets both in."""
    found, barrier = [], threading.Barrier(6)

    def register() -> None:
        with context.app_context():
            barrier.wait(10)
            found.append(registration.register("twin@example.com", PASSWORD, HOME, now).id)

    clicks = [threading.Thread(target=register) for _ in range(6)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join(30)

    assert len(found) == 6
    assert len(set(found)) == 1
    assert len(letters_of("confirm_email")) == 1


def test_an_admin_is_made_once_or_out_of_a_customer(ira: User, now: datetime) -> None:
    """The command makes an operator; an existing user becomes one with the new password, and old sessions
    end.
    """
    key = sessions.begin(ira, address="", user_agent="", now=now)

    admin = operators.create("ira@example.com", "five tall herons", Role.OWNER, COMMAND_LINE, now)
    operators.create("boss@example.com", "five tall herons", Role.OWNER, COMMAND_LINE, now)
    operators.create("boss@example.com", "five tall herons", Role.OWNER, COMMAND_LINE, now)

    assert admin is ira
    assert sessions.find(key, now) is None
    assert sign_in.verify("ira@example.com", "five tall herons", HOME).is_admin
    boss = db.session.scalars(select(User).where(User.email == "boss@example.com")).one()
    assert boss.is_admin
    assert boss.email_confirmed_at == now


def test_the_demonstration_has_two_accounts(context: Flask, now: datetime) -> None:
    """The demo customer and the demo operator exist after one run and after two, and their passwords work."""
    registration.ensure_demo(now)
    registration.ensure_demo(now)

    users = db.session.scalars(select(User).order_by(User.email)).all()
    assert [(user.email, user.is_admin, user.is_demo) for user in users] == [
        ("admin@example.com", True, True),
        ("demo@example.com", False, True),
    ]
    assert all(user.email_confirmed_at for user in users)
    assert sign_in.verify("demo@example.com", "demo-password", HOME)
    assert sign_in.verify("admin@example.com", "admin-password", HOME)


def test_production_has_no_demonstration(
    context: Flask, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the sandbox the demo accounts are not made, and those that a copied database brings along open
    nothing.
    """
    registration.ensure_demo(now)
    monkeypatch.setitem(
        context.extensions, "portal_config", replace(context.extensions["portal_config"], sandbox=False)
    )

    with pytest.raises(NotAllowed):
        registration.ensure_demo(now)
    with pytest.raises(sign_in.BadCredentials):
        sign_in.verify("admin@example.com", "admin-password", HOME)

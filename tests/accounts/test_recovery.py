"""Confirming an address, setting a forgotten password, changing a known one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import letters, links, passwords, recovery, sessions, sign_in
from portal.billing import notices
from portal.database import db, transaction
from portal.mail import Letter, Mailer
from portal.models import AccountLink, LinkPurpose, Notification, User
from tests.accounts.conftest import HOME, PASSWORD

NEW = "four loud herons"


def newest_token(purpose: LinkPurpose) -> str:
    newest = select(AccountLink).where(AccountLink.purpose == purpose).order_by(AccountLink.id.desc())
    return links.url(db.session.scalars(newest).first().id, "").rpartition("/")[2]


def kinds() -> list[str]:
    return list(db.session.scalars(select(Notification.kind).order_by(Notification.id)))


def test_the_letters_link_confirms_the_address(ira: User, now: datetime) -> None:
    """Using the link notes the moment; a second letter's link confirms nothing anew."""
    recovery.send_confirmation(ira, now)
    first, second = (
        links.url(link.id, "").rpartition("/")[2]
        for link in db.session.scalars(select(AccountLink).order_by(AccountLink.id))
    )

    recovery.confirm(first, now)
    recovery.confirm(second, now + timedelta(hours=1))

    assert ira.email_confirmed_at == now


def test_a_confirmed_address_gets_no_further_letter(ira: User, now: datetime) -> None:
    """Asking for the confirmation again after it happened sends nothing."""
    recovery.confirm(newest_token(LinkPurpose.CONFIRM_EMAIL), now)

    recovery.send_confirmation(ira, now)

    assert kinds() == ["confirm_email"]


def test_a_forgotten_password_is_set_by_letter(ira: User, now: datetime) -> None:
    """The new password works, the old one does not, every session is over, the address is confirmed, the
    owner is told.
    """
    key = sessions.begin(ira, address="", user_agent="", now=now)
    recovery.send_reset("Ira@Example.com", now)

    recovery.reset(newest_token(LinkPurpose.RESET_PASSWORD), NEW, now)

    assert sign_in.verify("ira@example.com", NEW, HOME) is ira
    with pytest.raises(sign_in.BadCredentials):
        sign_in.verify("ira@example.com", PASSWORD, HOME)
    assert sessions.find(key, now) is None
    assert ira.email_confirmed_at == now
    assert kinds() == ["confirm_email", "reset_password", "password_changed"]


def test_a_weak_new_password_leaves_the_link_usable(ira: User, now: datetime) -> None:
    """Whoever types a poor password tries again with the same link."""
    recovery.send_reset("ira@example.com", now)
    token = newest_token(LinkPurpose.RESET_PASSWORD)

    with pytest.raises(passwords.WeakPassword):
        recovery.reset(token, "qwerty123", now)

    recovery.reset(token, NEW, now)


@pytest.mark.parametrize("email", ("nobody@example.com", "no address", ""))
def test_nobody_is_not_written_to(ira: User, now: datetime, email: str) -> None:
    """An address without an account gets no letter, and asking is no error."""
    recovery.send_reset(email, now)

    assert kinds() == ["confirm_email"]


def test_a_disabled_account_is_not_written_to(ira: User, now: datetime) -> None:
    """A closed account cannot be entered through its mailbox."""
    with transaction():
        ira.disabled_at = now

    recovery.send_reset("ira@example.com", now)

    assert kinds() == ["confirm_email"]


def test_a_change_of_password_spares_the_browser_at_hand(ira: User, now: datetime) -> None:
    """The other browsers are out, this one stays, the owner is told."""
    here, there = (sessions.begin(ira, address="", user_agent="", now=now) for _ in range(2))
    mine = sessions.find(here, now)
    assert mine

    passwords.change(ira, NEW, now, but_session=mine.id)

    assert sessions.find(here, now) is mine
    assert sessions.find(there, now) is None
    assert kinds()[-1] == "password_changed"


LETTERS = {
    "confirm_email": "/email/confirm/",
    "reset_password": "/password/reset/",
    "password_changed": "/password/forgot",
    "already_registered": "/login",
}


@pytest.mark.parametrize("kind", LETTERS)
def test_every_letter_can_be_read(
    context: Flask, ira: User, now: datetime, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each letter has a Russian subject, and its text and its HTML lead to the same page of ours."""
    sent: list[tuple[str, Letter]] = []
    monkeypatch.setattr(Mailer, "send", lambda _, to, words: sent.append((to, words)))
    recovery.send_reset("ira@example.com", now)
    letters.password_changed(ira, now)
    letters.already_registered(ira, now)
    letter = db.session.scalars(select(Notification).where(Notification.kind == kind)).one()

    assert notices.deliver(letter.id)

    ((to, letter_sent),) = sent
    subject, text, html = letter_sent.subject, letter_sent.text, letter_sent.html
    way_on = context.extensions["portal_config"].portal_base_url + LETTERS[kind]
    assert to == "ira@example.com"
    assert subject
    assert not subject.isascii()
    assert "ira@example.com" in text
    assert "None" not in text + html
    (link,) = [word for word in text.split() if word.startswith(way_on)]
    assert f'href="{link}"' in html
    if kind in {"confirm_email", "reset_password"}:
        assert links.holder(link.rpartition("/")[2], LinkPurpose(kind), now) is ira

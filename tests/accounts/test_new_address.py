"""Another address for an account: asked for, taken by the link of a letter, or not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import links, new_address, passwords, recovery, registration, sessions, sign_in
from portal.billing import audit, notices
from portal.billing.audit import Subject
from portal.database import db, transaction
from portal.errors import InvalidRequest
from portal.mail import Letter, Mailer
from portal.models import AccountLink, LinkPurpose, Notification, User
from tests.accounts.conftest import HOME, PASSWORD

OLD, NEW = "ira@example.com", "irina@example.org"


def token(purpose: LinkPurpose = LinkPurpose.CHANGE_EMAIL) -> str:
    newest = select(AccountLink.id).where(AccountLink.purpose == purpose).order_by(AccountLink.id.desc())
    return links.url(db.session.scalars(newest).first(), "").rpartition("/")[2]


def take(user: User, by: str, now: datetime) -> User:
    return new_address.take(user.id, by, now, place=HOME, but_session=None)


def letters() -> list[tuple[str, str | None]]:
    """Each letter's kind and where it goes when not to the account's own address, without the first one."""
    found = db.session.execute(select(Notification.kind, Notification.address).order_by(Notification.id))
    return [(kind, address) for kind, address in found if kind != "confirm_email"]


def test_nothing_changes_until_the_link_is_used(ira: User, now: datetime) -> None:
    """Asked for, looked at, and the account is as it was; then the address signs in, confirmed."""
    new_address.ask(ira, "  Irina@Example.org ", now)
    by = token()
    assert new_address.wanted_by(ira.id, by, now) == NEW
    assert (ira.email, ira.email_confirmed_at) == (OLD, None)
    assert letters() == [("change_email", NEW), ("change_email_asked", OLD)]

    take(ira, by, now)

    assert (ira.email, ira.email_confirmed_at) == (NEW, now)
    assert sign_in.verify(NEW, PASSWORD, HOME) is ira
    with pytest.raises(sign_in.BadCredentials):
        sign_in.verify(OLD, PASSWORD, HOME)
    assert letters()[2:] == [("email_changed", OLD)]


def test_what_was_open_by_the_old_address_is_shut(ira: User, now: datetime) -> None:
    """Other sessions end, the one at hand stays; no link sent before works, the used one neither."""
    here, there = (sessions.begin(ira, address="", user_agent="", now=now) for _ in range(2))
    mine = sessions.find(here, now)
    assert mine
    recovery.send_reset(OLD, now)
    old = {purpose: token(purpose) for purpose in (LinkPurpose.RESET_PASSWORD, LinkPurpose.CONFIRM_EMAIL)}
    new_address.ask(ira, NEW, now)
    by = token()
    late = links.issue(ira, LinkPurpose.CHANGE_EMAIL, now, "third@example.com")

    new_address.take(ira.id, by, now, place=HOME, but_session=mine.id)

    assert sessions.find(here, now) is mine
    assert sessions.find(there, now) is None
    # One that is sent only now is made from the row, which is void.
    dead = [*old.items(), (LinkPurpose.CHANGE_EMAIL, by), (LinkPurpose.CHANGE_EMAIL, _of(late))]
    for purpose, one in dead:
        with pytest.raises(links.LinkDead):
            links.holder(one, purpose, now)
    with pytest.raises(links.LinkDead):
        take(ira, by, now)


def _of(link: AccountLink) -> str:
    return links.url(link.id, "").rpartition("/")[2]


@pytest.mark.parametrize(
    "why", ("late", "password", "password first", "asked again", "closed", "a stranger", "forged")
)
def test_a_link_that_must_not_work(ira: User, now: datetime, why: str) -> None:
    """Run out, overtaken by a new password or another wish, closed account, somebody else's hands."""
    new_address.ask(ira, NEW, now)
    by, moment, who = token(), now, ira
    if why == "late":
        moment = now + timedelta(minutes=30)
    elif why == "password":
        passwords.change(ira, "four loud herons", now)
    elif why == "password first":  # the letter leaves only after it
        passwords.change(ira, "four loud herons", now)
        by = token()
    elif why == "asked again":
        new_address.ask(ira, "third@example.com", now)
    elif why == "closed":
        with transaction():
            ira.disabled_at = now
    elif why == "a stranger":
        who = registration.register("stranger@example.com", PASSWORD, HOME, now)
    else:
        by = f"{by[:-2]}xx"

    with pytest.raises(links.LinkDead):
        new_address.wanted_by(who.id, by, moment)
    with pytest.raises(links.LinkDead):
        take(who, by, moment)

    assert ira.email == OLD


def test_an_address_of_another_account_is_not_told(ira: User, now: datetime) -> None:
    """Its owner is written to, once a day, and not with a link; a closed account's not at all."""
    olya = registration.register("olya@example.com", PASSWORD, HOME, now)
    new_address.ask(ira, "olya@example.com", now)
    new_address.ask(ira, "olya@example.com", now)
    asked = ("change_email_asked", OLD)
    assert letters() == [("email_wanted", None), asked, asked]

    with transaction():
        olya.disabled_at = now
    new_address.ask(ira, "olya@example.com", now + timedelta(days=1))
    assert letters()[3:] == [asked]


@pytest.mark.parametrize("email", ("IRA@example.com", "no address", ""))
def test_what_is_no_new_address(ira: User, now: datetime, email: str) -> None:
    """The present one and nonsense are refused, and nobody is written to."""
    with pytest.raises(InvalidRequest):
        new_address.ask(ira, email, now)
    assert letters() == []


def test_of_two_accounts_one_gets_the_address(ira: User, now: datetime) -> None:
    """The unique index decides; the other's link is a dead one, and that account is as it was."""
    olya = registration.register("olya@example.com", PASSWORD, HOME, now)
    ways = []
    for user in (ira, olya):
        new_address.ask(user, NEW, now)
        ways.append((user, token()))

    take(*ways[1], now)
    with pytest.raises(links.LinkDead):
        take(*ways[0], now)

    assert (olya.email, ira.email) == (NEW, OLD)
    assert [kind for kind, _ in letters()].count("email_changed") == 1


def test_the_desk_knows_the_old_address(ira: User, now: datetime) -> None:
    """Whoever writes to support from it is found."""
    new_address.ask(ira, NEW, now)
    take(ira, token(), now)

    (entry,) = audit.of(Subject("user", ira.id))

    assert (entry.act, entry.actor, entry.address) == ("change-email", OLD, HOME)
    assert (entry.before, entry.after) == ({"email": OLD}, {"email": NEW})


def test_letters_go_where_they_must(
    context: Flask, ira: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link to the new address, which learns nothing of the old; both warnings to the old one, also when
    they leave after the change.
    """
    sent: list[tuple[str, Letter]] = []
    monkeypatch.setattr(Mailer, "send", lambda _, to, words: sent.append((to, words)))
    new_address.ask(ira, NEW, now)
    kinds = {letter.kind: letter.id for letter in db.session.scalars(select(Notification))}
    assert notices.deliver(kinds["change_email"])
    ((to, link_letter),) = sent
    start = f"{context.extensions['portal_config'].portal_base_url}/email/change/"
    (link,) = [word for word in link_letter.text.split() if word.startswith(start)]
    assert to == NEW

    take(ira, link.rpartition("/")[2], now)
    kinds = {letter.kind: letter.id for letter in db.session.scalars(select(Notification))}
    assert notices.deliver(kinds["change_email_asked"])
    assert notices.deliver(kinds["email_changed"])

    assert [to for to, _ in sent[1:]] == [OLD, OLD]
    assert all(NEW in letter.text and OLD in letter.text for _, letter in sent[1:])
    # The first may have gone to a stranger by a slip of the pen.
    whole = link_letter.subject + link_letter.text + link_letter.html
    assert NEW in whole
    assert OLD not in whole

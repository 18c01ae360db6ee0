"""Links in letters: signed, expiring, good for one use."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import links, passwords, recovery
from portal.database import db, transaction
from portal.models import AccountLink, LinkPurpose, Notification, User

CONFIRM, RESET = LinkPurpose.CONFIRM_EMAIL, LinkPurpose.RESET_PASSWORD
SECOND = timedelta(seconds=1)


def token_of(link: AccountLink) -> str:
    return links.url(link.id, "https://shop.example").rpartition("/")[2]


def issue(user: User, purpose: LinkPurpose, now: datetime) -> str:
    return token_of(links.issue(user, purpose, now))


@pytest.mark.parametrize(("purpose", "page"), ((CONFIRM, "accounts.confirm"), (RESET, "accounts.reset")))
def test_the_link_leads_to_its_page(
    context: Flask, ira: User, now: datetime, purpose: LinkPurpose, page: str
) -> None:
    """A link begins with the shop's own address and is routed to the page of its purpose."""
    address = links.url(links.issue(ira, purpose, now).id, "https://shop.example")

    assert address.startswith("https://shop.example/")
    endpoint, _ = context.url_map.bind("shop.example").match(address.removeprefix("https://shop.example"))
    assert endpoint == page


@pytest.mark.parametrize("purpose", (CONFIRM, RESET))
def test_a_link_works_once(ira: User, now: datetime, purpose: LinkPurpose) -> None:
    """The second use of a link is refused like a link that never was."""
    token = issue(ira, purpose, now)

    assert links.use(token, purpose, now) is ira
    with pytest.raises(links.LinkDead):
        links.use(token, purpose, now)
    with pytest.raises(links.LinkDead):
        links.holder(token, purpose, now)


@pytest.mark.parametrize(
    ("purpose", "lasts"), ((CONFIRM, timedelta(hours=48)), (RESET, timedelta(minutes=30))), ids=str
)
def test_a_link_ends_in_time(ira: User, now: datetime, purpose: LinkPurpose, lasts: timedelta) -> None:
    """A confirmation lasts 48 hours, a reset 30 minutes, to the second."""
    token = issue(ira, purpose, now)

    assert links.holder(token, purpose, now + lasts - SECOND) is ira
    for look in (links.holder, links.use):
        with pytest.raises(links.LinkDead):
            look(token, purpose, now + lasts)


def test_looking_does_not_use(ira: User, now: datetime) -> None:
    """Opening the page of a link, however often, leaves it usable: mail scanners open links too."""
    token = issue(ira, CONFIRM, now)

    for _ in range(3):
        links.holder(token, CONFIRM, now)

    assert links.use(token, CONFIRM, now) is ira


def test_a_link_is_good_for_its_purpose_only(ira: User, now: datetime) -> None:
    """A link that confirms an address cannot set a password, nor the other way round."""
    for given, wanted in ((CONFIRM, RESET), (RESET, CONFIRM)):
        token = issue(ira, given, now)
        with pytest.raises(links.LinkDead):
            links.use(token, wanted, now)


def test_every_changed_sign_kills_the_link(ira: User, now: datetime) -> None:
    """No sign of a token can be changed, cut or added."""
    token = issue(ira, RESET, now)
    changed = [
        token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :]
        for place in range(len(token) - 1)
    ]

    for forged in [
        *changed,
        token[:-3],
        token + "A",
        "",
        ".",
        "..",
        "a.b",
        token.replace(".", ""),
        "é",
        "\x00",
    ]:
        with pytest.raises(links.LinkDead):
            links.holder(forged, RESET, now)


def test_another_secret_key_opens_nothing(
    context: Flask, ira: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links are signed with SECRET_KEY: after it is changed the old ones are dead."""
    token = issue(ira, RESET, now)

    monkeypatch.setitem(context.config, "SECRET_KEY", "another key that is long enough as well")

    with pytest.raises(links.LinkDead):
        links.holder(token, RESET, now)


@pytest.mark.parametrize("purpose", (CONFIRM, RESET))
def test_a_link_dies_with_the_address(ira: User, now: datetime, purpose: LinkPurpose) -> None:
    """Whoever had the old mailbox can do nothing once the address is another one."""
    token = issue(ira, purpose, now)
    with transaction():
        ira.email = "irina@example.com"

    with pytest.raises(links.LinkDead):
        links.use(token, purpose, now)


def test_a_letter_sent_late_is_dead_when_the_address_changed_before(ira: User, now: datetime) -> None:
    """A link written for the old address does not come to life because its letter is rendered after the
    change.
    """
    link = links.issue(ira, RESET, now)
    with transaction():
        ira.email = "irina@example.com"

    for look in (links.holder, links.use):
        with pytest.raises(links.LinkDead):
            look(token_of(link), RESET, now)


def test_a_reset_link_dies_with_the_password_and_a_confirmation_does_not(ira: User, now: datetime) -> None:
    """A new password, however it was set, kills every reset link, also one whose letter leaves later."""
    reset, late, confirm = issue(ira, RESET, now), links.issue(ira, RESET, now), issue(ira, CONFIRM, now)

    passwords.change(ira, "four loud herons", now)

    for token in (reset, token_of(late)):
        with pytest.raises(links.LinkDead):
            links.use(token, RESET, now)
    assert links.use(confirm, CONFIRM, now) is ira


def test_a_hash_changed_behind_our_back_kills_the_reset_link_too(ira: User, now: datetime) -> None:
    """The link is bound to the kept hash itself, so that no way of changing it leaves an old link alive."""
    token = issue(ira, RESET, now)
    with transaction():
        ira.password_hash = passwords.hashed("four loud herons")

    with pytest.raises(links.LinkDead):
        links.use(token, RESET, now)


def test_a_disabled_user_has_no_links(ira: User, now: datetime) -> None:
    """A closed account cannot be opened by a letter."""
    token = issue(ira, RESET, now)
    with transaction():
        ira.disabled_at = now

    for look in (links.holder, links.use):
        with pytest.raises(links.LinkDead):
            look(token, RESET, now)


def test_a_use_that_fails_is_no_use(ira: User, now: datetime) -> None:
    """The link is used up in the transaction of what it is for: when that is rolled back the link still
    works.
    """
    token = issue(ira, RESET, now)

    with pytest.raises(ZeroDivisionError), transaction():
        assert links.use(token, RESET, now).id / 0

    assert links.use(token, RESET, now).id == ira.id


def test_of_eight_uses_at_once_one_wins(context: Flask, ira: User, now: datetime) -> None:
    """However many browsers press the button together, the link sets one password."""
    token = issue(ira, RESET, now)
    db.session.remove()
    won, barrier = [], threading.Barrier(8)

    def press(number: int) -> None:
        with context.app_context():
            barrier.wait(10)
            try:
                recovery.reset(token, f"password of press {number}", now)
                won.append(number)
            except links.LinkDead:
                pass

    presses = [threading.Thread(target=press, args=(number,)) for number in range(8)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join(30)

    assert len(won) == 1
    kept = db.session.scalars(select(User.password_hash)).one()
    assert passwords.matches(kept, f"password of press {won[0]}")


def test_the_outbox_holds_no_link(ira: User, now: datetime) -> None:
    """What lies in the database names the link's row only; a copy of the database opens no account."""
    recovery.send_reset("ira@example.com", now)

    rows = db.session.scalars(select(Notification).where(Notification.kind == "reset_password")).all()
    link = db.session.scalars(select(AccountLink).where(AccountLink.purpose == RESET)).one()

    assert [row.facts for row in rows] == [{"link_id": link.id}]

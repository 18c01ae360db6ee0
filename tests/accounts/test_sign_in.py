"""Is this the owner of the account?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from flask import Flask

from portal.accounts import links, passwords, recovery, sign_in, throttle
from portal.database import db, transaction
from portal.models import LinkPurpose, User
from tests.accounts.conftest import HOME, PASSWORD

EMAIL = "ira@example.com"
WRONG = "a wrong guess"


def fail(times: int, email: str = EMAIL, address: Callable[[int], str] = lambda _: HOME) -> None:
    for number in range(times):
        with pytest.raises(sign_in.BadCredentials):
            sign_in.verify(email, WRONG, address(number))


def test_the_owner_is_known(ira: User) -> None:
    """The right address in any spelling of its case, with the right password, is the user."""
    assert sign_in.verify(" IRA@example.com ", PASSWORD, HOME) is ira


@pytest.mark.parametrize("email", (EMAIL, "nobody@example.com", "no address at all", ""))
def test_everybody_else_is_told_the_same(ira: User, email: str) -> None:
    """A wrong password, an unknown address and no address at all have one answer."""
    with pytest.raises(sign_in.BadCredentials) as refused:
        sign_in.verify(email, WRONG, HOME)

    assert (refused.value.status, refused.value.code) == (401, "BAD_CREDENTIALS")
    assert refused.value.message == sign_in.BadCredentials.message


def test_every_refusal_costs_one_comparison(ira: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known or not, a refused sign-in compares exactly one hash: the time tells nothing."""
    compared: list[bool] = []
    real = passwords.matches
    monkeypatch.setattr(
        passwords, "matches", lambda kept, password: compared.append(bool(kept)) or real(kept, password)
    )

    fail(1)
    fail(1, "nobody@example.com")

    assert compared == [True, False]


def test_a_disabled_account_is_closed(ira: User, now: datetime) -> None:
    """The right password of a disabled account is answered like a wrong one."""
    with transaction():
        ira.disabled_at = now

    with pytest.raises(sign_in.BadCredentials):
        sign_in.verify(EMAIL, PASSWORD, HOME)


@pytest.mark.parametrize("email", (EMAIL, "nobody@example.com"))
def test_five_failures_close_the_door_for_a_while(ira: User, email: str) -> None:
    """After five failures from one address the sixth try waits up to five minutes, account or no account."""
    fail(5, email)

    with pytest.raises(throttle.TooOften) as refused:
        sign_in.verify(email, PASSWORD, HOME)

    assert 0 < refused.value.seconds <= 301
    assert (refused.value.status, refused.value.code) == (429, "RATE_LIMITED")


def test_a_strangers_failures_leave_the_owner_in(ira: User) -> None:
    """The door is closed for the address that guesses, not for the owner at home."""
    fail(5, address=lambda _: "203.0.113.9")

    assert sign_in.verify(EMAIL, PASSWORD, HOME) is ira


def test_success_counts_nothing(ira: User) -> None:
    """However often the owner signs in, no limit is reached; failures before a success still count."""
    fail(4)
    for _ in range(12):
        sign_in.verify(EMAIL, PASSWORD, HOME)
    fail(1)

    with pytest.raises(throttle.TooOften):
        sign_in.verify(EMAIL, PASSWORD, HOME)


def test_one_address_cannot_try_many_accounts(ira: User) -> None:
    """Thirty failures from one address, each for another account, close the door for all accounts there."""
    for number in range(30):
        fail(1, f"victim{number}@example.com")

    with pytest.raises(throttle.TooOften):
        sign_in.verify(EMAIL, PASSWORD, HOME)
    assert sign_in.verify(EMAIL, PASSWORD, "198.51.100.8") is ira


def test_many_addresses_cannot_try_one_account(ira: User, now: datetime) -> None:
    """Fifty failures an hour for one account close it to all addresses; setting a new password by letter
    opens it.
    """
    fail(50, address=lambda number: f"203.0.113.{number}")
    with pytest.raises(throttle.TooOften):
        sign_in.verify(EMAIL, PASSWORD, HOME)

    link = links.issue(ira, LinkPurpose.RESET_PASSWORD, now)
    recovery.reset(links.url(link.id, "").rpartition("/")[2], "four loud herons", now)

    assert sign_in.verify(EMAIL, "four loud herons", HOME) is ira


@pytest.mark.parametrize(
    ("first", "second", "same"),
    (
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.8", False),
    ),
)
def test_an_ipv6_line_is_one_place(ira: User, first: str, second: str, *, same: bool) -> None:
    """A provider gives a customer a whole /64: changing the address inside it is no way around the limit."""
    fail(5, address=lambda _: first)

    if same:
        with pytest.raises(throttle.TooOften):
            sign_in.verify(EMAIL, PASSWORD, second)
    else:
        assert sign_in.verify(EMAIL, PASSWORD, second) is ira


def test_a_burst_of_guesses_finds_the_door_closed_too(
    context: Flask, ira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen guesses at the same moment are compared at most once more than there are places to hash in."""
    compared: list[int] = []
    real = passwords.matches
    monkeypatch.setattr(
        passwords, "matches", lambda kept, password: compared.append(1) or real(kept, password)
    )
    barrier = threading.Barrier(16)
    db.session.remove()

    def guess() -> None:
        with context.app_context():
            barrier.wait(10)
            with pytest.raises((sign_in.BadCredentials, throttle.TooOften)):
                sign_in.verify(EMAIL, WRONG, HOME)

    guesses = [threading.Thread(target=guess) for _ in range(16)]
    for thread in guesses:
        thread.start()
    for thread in guesses:
        thread.join(30)

    assert 5 <= len(compared) <= 6


def test_without_redis_each_process_counts_for_itself(
    context: Flask, ira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead Redis neither opens the door to guesses nor closes it to the owner."""
    monkeypatch.setitem(context.config, "RATELIMIT_STORAGE_URI", "redis+unix:///no/such/redis.sock?db=0")
    monkeypatch.setitem(context.extensions, "portal_throttle", None)
    throttle._own.storage.reset()

    assert sign_in.verify(EMAIL, PASSWORD, HOME) is ira
    fail(5)
    with pytest.raises(throttle.TooOften):
        sign_in.verify(EMAIL, PASSWORD, HOME)
    throttle.forgive(EMAIL)


def test_redis_holds_no_addresses_of_customers(ira: User) -> None:
    """The keys of the counters are fingerprints: whoever reads Redis learns no e-mail."""
    fail(1)

    keys = throttle._shared().storage.storage.keys("*")

    assert keys
    assert not [key for key in keys if b"ira" in key or b"example" in key]


def test_a_sign_in_renews_an_outdated_hash(
    context: Flask, ira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the cost was raised the next sign-in keeps the password at the new cost."""
    before = ira.password_hash
    config = context.extensions["portal_config"]
    dearer = replace(config, argon2_time_cost=config.argon2_time_cost + 1)
    monkeypatch.setitem(context.extensions, "portal_config", dearer)

    sign_in.verify(EMAIL, PASSWORD, HOME)
    db.session.expire_all()

    assert ira.password_hash != before
    assert f"t={dearer.argon2_time_cost}," in ira.password_hash
    assert sign_in.verify(EMAIL, PASSWORD, HOME) is ira

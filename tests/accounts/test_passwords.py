"""What is asked of a password, and what is kept of it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from flask import Flask

from portal.accounts import passwords
from portal.accounts.throttle import TooOften

ADDRESS = "ira@example.com"


@pytest.mark.parametrize(
    ("password", "word"),
    (
        ("", "короче 8"),
        ("seven77", "короче 8"),
        ("x" * 257, "длиннее 256"),
        ("ira@example.com", "адресом"),
        ("IRA@Example.com", "адресом"),
        ("password1", "известен"),
        ("PassWord1", "известен"),
        ("qwertyuiop", "известен"),
        ("пароль123", "известен"),
        ("gfhjkm123", "известен"),
        ("zzzzzzzzzzz", "известен"),
    ),
)
def test_poor_passwords_are_refused_with_the_reason(password: str, word: str) -> None:
    """A password that is short, endless, the address itself or known to everybody is refused, and the
    sentence says why.
    """
    assert word in (passwords.problem(password, ADDRESS) or "")


@pytest.mark.parametrize(
    "password",
    (
        "three calm herons",
        "demo-password",
        "admin-password",
        "восемь слонов",
        "🦉🌲🐢🌊🍋🚲🎈🔭",
        "a" * 255 + "b",
    ),
)
def test_any_signs_make_a_password(password: str) -> None:
    """Length decides, not a mixture of signs: phrases, Russian words and emoji are taken, up to 256 signs."""
    assert passwords.problem(password, ADDRESS) is None


def test_the_list_of_known_passwords_is_worth_its_name() -> None:
    """The bundled list holds at least a thousand passwords, each long enough to pass the length rule
    otherwise.
    """
    known = passwords._known()

    assert len(known) >= 1000
    assert all(len(word) >= passwords.SHORTEST and word == word.lower() for word in known)


def test_what_is_kept_is_argon2id_with_the_configured_cost(context: Flask) -> None:
    """The hash is argon2id with one lane and the configured cost, salted, and opens for the same password
    only.
    """
    config = context.extensions["portal_config"]
    with passwords.slot():
        kept, again = passwords.hashed("three calm herons"), passwords.hashed("three calm herons")

    assert kept.startswith(f"$argon2id$v=19$m={config.argon2_memory_kib},t={config.argon2_time_cost},p=1$")
    assert kept != again
    assert passwords.matches(kept, "three calm herons")
    assert not passwords.matches(kept, "three calm heron")
    assert not passwords.matches(None, "nobody has this password")


def test_one_word_on_two_keyboards_is_one_password(context: Flask) -> None:
    """й typed as one sign or as и with a breve opens the same account (NFKC)."""
    kept = passwords.hashed("зимой морозный")

    assert passwords.matches(kept, "зимой морозный".replace("й", "и\N{COMBINING BREVE}"))


def test_an_unreadable_hash_opens_nothing(context: Flask) -> None:
    """An account whose hash is damaged is closed, not an error page."""
    assert not passwords.matches("not a hash", "three calm herons")


def test_a_cheaper_hash_is_known_as_outdated(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the operator raises the cost, hashes made before are told apart."""
    kept = passwords.hashed("three calm herons")
    assert not passwords.is_outdated(kept)

    config = context.extensions["portal_config"]
    dearer = replace(config, argon2_time_cost=config.argon2_time_cost + 1)
    monkeypatch.setitem(context.extensions, "portal_config", dearer)

    assert passwords.is_outdated(kept)


def test_no_account_takes_as_long_as_a_wrong_password(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing with nobody's hash costs a real comparison, with production's cost."""
    config = context.extensions["portal_config"]
    real = replace(config, argon2_time_cost=2, argon2_memory_kib=19456)
    monkeypatch.setitem(context.extensions, "portal_config", real)
    kept = passwords.hashed("three calm herons")
    passwords.matches(None, "warm up")

    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(15):
        for known in (True, False):
            began = time.perf_counter()
            assert not passwords.matches(kept if known else None, "a wrong guess")
            spent[known].append(time.perf_counter() - began)

    # The quickest, not the median: a busy machine adds to some of them, and never takes anything away.
    assert 0.67 < min(spent[False]) / min(spent[True]) < 1.5


def test_at_most_two_hashes_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third hash waits, and when its patience ends it is told to come back, so that a flood cannot eat the
    process.
    """
    monkeypatch.setattr(passwords, "_PATIENCE_SECONDS", 0.01)

    with passwords.slot(), passwords.slot():
        with pytest.raises(TooOften) as refused, passwords.slot():
            pass
        waiting = threading.Thread(target=_take_a_slot)
        monkeypatch.setattr(passwords, "_PATIENCE_SECONDS", 10.0)
        waiting.start()
    waiting.join(10)

    assert refused.value.seconds == 5
    assert not waiting.is_alive()


def _take_a_slot() -> None:
    with passwords.slot():
        pass

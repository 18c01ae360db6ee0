from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from portal import secrets
from portal.secrets import SecretUnreadable, Vault, mask

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture
def nothing_loaded() -> Iterator[None]:
    """A process that has loaded no keys yet."""
    before = list(secrets._in_use)
    secrets._in_use.clear()
    yield
    secrets._in_use[:] = before


@given(st.binary(max_size=200))
def test_what_is_sealed_opens(secret: bytes) -> None:
    """Any bytes come back as they were, and do not stand in what is stored."""
    sealed = Vault([OLD]).seal(secret)
    assert Vault([OLD]).open(sealed) == secret
    assert len(secret) < 4 or secret not in sealed


def test_sealing_twice_looks_different() -> None:
    """Equal secrets cannot be told from their sealed forms."""
    vault = Vault([OLD])
    assert vault.seal(b"token") != vault.seal(b"token")


def test_keys_rotate_without_losing_anything() -> None:
    """A new key in front seals, the old one still opens; after re-sealing the old one may go."""
    sealed = Vault([OLD]).seal(b"token")
    both = Vault([NEW, OLD])
    assert both.open(sealed) == b"token"
    with pytest.raises(SecretUnreadable):
        Vault([OLD]).open(both.seal(b"token"))

    resealed = both.rotate(sealed)

    assert Vault([NEW]).open(resealed) == b"token"


def test_a_fingerprint_survives_a_rotation() -> None:
    """The same token is found by its fingerprint before and while keys rotate; another key gives another."""
    assert Vault([OLD]).fingerprint("token") == Vault([NEW, OLD]).fingerprint("token")
    assert Vault([OLD]).fingerprint("token") != Vault([OTHER]).fingerprint("token")
    assert Vault([OLD]).fingerprint("token") != Vault([OLD]).fingerprint("nekot")
    assert "token" not in Vault([OLD]).fingerprint("token")


@pytest.mark.parametrize("sealed", (b"", b"token", b"gAAAA", b"\xff" * 100))
def test_what_no_key_opens_is_unreadable(sealed: bytes) -> None:
    """Nonsense, and what another key sealed, is refused by name and not with a library's error."""
    vault = Vault([OLD])
    for foreign in (sealed, Vault([OTHER]).seal(b"token")):
        with pytest.raises(SecretUnreadable):
            vault.open(foreign)
        with pytest.raises(SecretUnreadable):
            vault.rotate(foreign)


def test_a_changed_byte_is_noticed() -> None:
    """A sealed secret that was tampered with does not open."""
    sealed = bytearray(Vault([OLD]).seal(b"token"))
    sealed[20] ^= 1
    with pytest.raises(SecretUnreadable):
        Vault([OLD]).open(bytes(sealed))


@pytest.mark.parametrize("keys", ((), ("",), ("short",), (OLD, "not base64 at all")))
def test_bad_keys_are_refused_at_the_start(keys: tuple[str, ...]) -> None:
    """No key, or a malformed one, is found out when the vault is built."""
    with pytest.raises(ValueError):
        Vault(keys)


def test_without_keys_nothing_is_stored(nothing_loaded: None) -> None:
    """A process that loaded no keys cannot even try."""
    with pytest.raises(RuntimeError):
        secrets.vault()


@pytest.mark.parametrize(
    ("secret", "shown"),
    (("", ""), ("short", "••••••"), ("elevenchars", "••••••"), ("twelve chars", "••••••rs")),
)
def test_a_mask_shows_that_something_is_there(secret: str, shown: str) -> None:
    """At most two characters are spared, and only of a long secret."""
    assert mask(secret) == shown

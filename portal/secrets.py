"""Secrets at rest: encryption with rotating keys, masks for screens, fingerprints to find them by."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretUnreadable(Exception):
    """No configured key opens this secret: a key was taken out of SETTINGS_ENCRYPTION_KEYS too early."""


class Vault:
    """Encrypts with the newest key and opens with any of them.

    https://cryptography.io/en/latest/fernet/#cryptography.fernet.MultiFernet
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Take Fernet keys, newest first. Raises ValueError when there is none or one is malformed."""
        if not keys:
            raise ValueError("SETTINGS_ENCRYPTION_KEYS is empty")
        self._newest = Fernet(keys[0])
        self._fernet = MultiFernet([self._newest, *(Fernet(key) for key in keys[1:])])
        # Fingerprints must survive a rotation, so they hang on the oldest key that is still there.
        self._pepper = hashlib.sha256(b"fingerprint:" + keys[-1].encode()).digest()

    def seal(self, secret: bytes) -> bytes:
        """Encrypt *secret*."""
        return self._fernet.encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt what :meth:`seal` made. Raises :class:`SecretUnreadable`."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise SecretUnreadable from error

    def rotate(self, sealed: bytes) -> bytes:
        """Encrypt anew with the newest key."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken as error:
            raise SecretUnreadable from error

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key sealed this, so that nothing is left to rotate."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def fingerprint(self, secret: str) -> str:
        """A keyed hash by which an equal secret can be found without opening any."""
        return hmac.new(self._pepper, secret.encode(), hashlib.sha256).hexdigest()


_in_use: list[Vault] = []


def use(vault: Vault) -> None:
    """Make *vault* the one of this process."""
    _in_use[:] = [vault]


def vault() -> Vault:
    """The vault of this process. Raises RuntimeError before :func:`use`."""
    if not _in_use:
        raise RuntimeError("no encryption keys are loaded")
    return _in_use[0]


def mask(secret: str) -> str:
    """Show that a secret is there, and its last two characters only when it is long enough to spare them."""
    if not secret:
        return ""
    return "••••••" + (secret[-2:] if len(secret) >= 12 else "")

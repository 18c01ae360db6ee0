"""Keys by which the shop's own product asks: made, told apart, revoked. A key itself is seen once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from portal.billing import audit
from portal.billing.audit import COMMAND_LINE, Actor, Subject
from portal.database import changed, db, glance, transaction
from portal.errors import InvalidRequest, NotFound
from portal.models import ApiKey

#: How a key begins, so that people and scanners of leaked secrets know one.
MARK = "pk_"
LONGEST_NAME = 120
_RANDOM_BYTES = 32
#: Told on screens: enough to tell keys apart, 48 of 256 random bits.
_SHOWN = len(MARK) + 8

_keys: Any = ApiKey.__table__
_VALID = select(_keys.c.id).where(_keys.c.key_hash == bindparam("key_hash"), _keys.c.revoked_at.is_(None))


class KeyNotFound(NotFound):
    """No key has that number."""

    message = "Такого ключа нет."


def create(name: str, now: datetime, actor: Actor = COMMAND_LINE) -> str:
    """Make a key and give it, for the only time. Raises InvalidRequest for a name that is none."""
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(f"Название ключа — от 1 до {LONGEST_NAME} печатных знаков.")
    key = MARK + secrets.token_urlsafe(_RANDOM_BYTES)
    made = ApiKey(name=name, prefix=key[:_SHOWN], key_hash=_hash(key), created_at=now)
    with transaction() as session:
        session.add(made)
        session.flush()
        audit.note(actor, "create-api-key", Subject("api_key", made.id), now, after={"name": name})
    return key


def is_valid(key: str) -> bool:
    """Whether *key* is one of ours and not revoked.

    Looked up by its hash: how long that takes tells nothing about a key.
    """
    if not key.startswith(MARK):
        return False
    with glance() as connection:
        return connection.execute(_VALID, {"key_hash": _hash(key)}).scalar_one_or_none() is not None


def revoke(key_id: int, now: datetime, actor: Actor = COMMAND_LINE) -> bool:
    """Refuse the key from now on; tells whether it was valid until now. Raises KeyNotFound."""
    with transaction() as session:
        if session.get(ApiKey, key_id) is None:
            raise KeyNotFound
        valid = (ApiKey.id == key_id) & ApiKey.revoked_at.is_(None)
        was_valid = changed(session.execute(update(ApiKey).where(valid).values(revoked_at=now)))
        if was_valid:
            audit.note(actor, "revoke-api-key", Subject("api_key", key_id), now)
    return was_valid


def listed() -> list[ApiKey]:
    """All keys, revoked ones too, oldest first."""
    return list(db.session.scalars(select(ApiKey).order_by(ApiKey.id)))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

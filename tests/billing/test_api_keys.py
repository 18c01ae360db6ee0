"""Keys of the product's API, and the commands for them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from portal.billing import api_keys
from portal.billing.api_keys import KeyNotFound
from portal.database import db
from portal.errors import InvalidRequest
from tests.billing.test_commands import flask

KEY = re.compile(r"pk_[A-Za-z0-9_-]{43}")


def test_a_key_is_kept_as_its_hash(now: datetime) -> None:
    """The key is random, is given once, and stands nowhere in its row."""
    key, another = api_keys.create(" newsletter ", now), api_keys.create("newsletter", now)

    assert KEY.fullmatch(key)
    assert key != another
    with db.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM api_keys ORDER BY id LIMIT 1")).mappings().one()
    assert (row["name"], row["prefix"], row["created_at"]) == ("newsletter", key[:11], now)
    assert key[11:] not in str(dict(row))


def test_which_keys_are_valid(now: datetime) -> None:
    """A key is valid to the letter and until it is revoked; revoking it again changes nothing."""
    key, other = api_keys.create("a", now), api_keys.create("b", now)
    assert api_keys.is_valid(key)
    for wrong in ("", "pk_", key[:-1], f"{key}A", key.upper(), key[3:], f"pk_{'A' * 43}", "pk_ж\ud800"):
        assert not api_keys.is_valid(wrong)
    (row, _) = api_keys.listed()

    assert api_keys.revoke(row.id, now + timedelta(days=1)) is True
    assert api_keys.revoke(row.id, now + timedelta(days=2)) is False
    assert (api_keys.is_valid(key), api_keys.is_valid(other)) == (False, True)
    assert api_keys.listed()[0].revoked_at == now + timedelta(days=1)
    with pytest.raises(KeyNotFound):
        api_keys.revoke(row.id + 1000, now)


@pytest.mark.parametrize("name", ("", "  ", "n" * 121, "a\nb", "\x00"))
def test_names_that_are_none(now: datetime, name: str) -> None:
    """A key has a name by which people know it."""
    with pytest.raises(InvalidRequest):
        api_keys.create(name, now)
    assert api_keys.listed() == []


def test_the_commands(context: Flask) -> None:
    """The key stands alone on the last line; listed it is not shown again; revoked it is refused."""
    made = flask(context, "create-api-key", "--", "--newsletter")
    key = made.output.splitlines()[-1]
    assert (made.exit_code, bool(KEY.fullmatch(key)), api_keys.is_valid(key)) == (0, True, True)

    listed = flask(context, "list-api-keys").output
    number = listed.split()[0]
    assert (key[:11] in listed, key in listed, "--newsletter" in listed, "valid" in listed) == (
        True,
        False,
        True,
        True,
    )

    said = [flask(context, "revoke-api-key", number).output for _ in range(2)]
    assert said == ["Key revoked.\n", "The key was revoked before.\n"]
    assert not api_keys.is_valid(key)
    assert "revoked 20" in flask(context, "list-api-keys").output


@pytest.mark.parametrize(
    "words", (("create-api-key", ""), ("create-api-key",), ("revoke-api-key", "77"), ("revoke-api-key", "x"))
)
def test_commands_that_cannot_be(context: Flask, words: tuple[str, ...]) -> None:
    """What cannot be done is said in one line with an exit code, without a traceback."""
    result = flask(context, *words)
    assert result.exit_code in {1, 2}
    assert "Error: " in result.output
    assert "Traceback" not in result.output

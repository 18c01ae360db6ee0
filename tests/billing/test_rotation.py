from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import Table, select, text

from config import Config
from portal import secrets
from portal.billing import methods, rotation, settings
from portal.clock import now
from portal.database import db, transaction
from portal.gateways.base import SavedMethod
from portal.models import PaymentMethod, Setting, User
from portal.secrets import Vault
from tests.billing.rows import CLOUDPAYMENTS
from tests.billing.subscribers import Subscriber, a_subscriber

NEW = Fernet.generate_key().decode()


@pytest.fixture
def old(portal_config: Config) -> Iterator[str]:
    """The key of the tests; it is put back."""
    (key,) = portal_config.settings_encryption_keys
    yield key
    secrets.use(Vault([key]))


@pytest.fixture
def shop(context: Flask) -> Subscriber:
    """Something in most of the sealed columns."""
    moment = now()
    settings.put("yookassa_secret_key", "test_sealed", moment)
    subscriber = a_subscriber(moment)
    with transaction() as session:
        session.get_one(User, subscriber.user.id).totp_secret = b"the phone's secret"
    return subscriber


def run(app: Flask) -> Result:
    return app.test_cli_runner().invoke(args=["rotate-secrets"])


def test_everything_opens_with_the_new_key_alone(shop: Subscriber, old: str, context: Flask) -> None:
    """After the command the old key may go: settings, tokens and phones' secrets open without it."""
    token, fingerprint = shop.method.token, shop.method.fingerprint
    secrets.use(Vault([NEW, old]))

    done = run(context)

    assert done.exit_code == 0
    assert "payment_methods.token: 1 sealed anew" in done.output
    assert "settings.secret: 1 sealed anew" in done.output
    secrets.use(Vault([NEW]))
    db.session.expire_all()
    assert shop.method.token == token
    assert db.session.get_one(Setting, "yookassa_secret_key").secret == b"test_sealed"
    assert db.session.get_one(User, shop.user.id).totp_secret == b"the phone's secret"
    assert shop.method.fingerprint == fingerprint  # as long as the old key is there


def test_again_does_nothing_and_what_was_begun_is_ended(
    shop: Subscriber, old: str, context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle it goes on where it was; a third run finds nothing to do."""
    for _ in range(4):
        a_subscriber(now())
    monkeypatch.setattr(rotation, "AT_ONCE", 2)
    secrets.use(Vault([NEW, old]))
    seen: list[str] = []
    mend = rotation._batch

    def stopped(table: Table, *words: Any) -> int:
        seen.append(table.name)
        if seen.count("payment_methods") == 2:
            raise KeyboardInterrupt
        return mend(table, *words)

    monkeypatch.setattr(rotation, "_batch", stopped)
    with pytest.raises(KeyboardInterrupt):
        rotation.rotate()
    monkeypatch.setattr(rotation, "_batch", mend)

    done, again = rotation.rotate(), rotation.rotate()

    assert done.sealed["payment_methods.token"] == 3
    assert set(again.sealed.values()) == {0}


def test_fingerprints_are_mended_once_the_old_key_is_gone(shop: Subscriber, old: str, context: Flask) -> None:
    """The same card saved once more is the same row again, after the second run."""
    token = shop.method.token
    assert token is not None
    secrets.use(Vault([NEW, old]))
    rotation.rotate()
    secrets.use(Vault([NEW]))

    assert rotation.rotate().fingerprints == 1
    with transaction() as session:
        same = SavedMethod(token.decode(), "bank_card", "Visa •• 4242")
        assert methods.keep(session, shop.user.id, CLOUDPAYMENTS, same, now()) == shop.method.id
    assert rotation.rotate().fingerprints == 0


def test_what_no_key_opens_is_named(shop: Subscriber, old: str, context: Flask) -> None:
    """A key that was taken out too early is told of, row by row; the rest is done all the same."""
    a_subscriber(now())
    with db.engine.begin() as connection:
        lost = Vault([Fernet.generate_key().decode()]).seal(b"x")
        connection.execute(
            text("UPDATE payment_methods SET token = :lost WHERE id = :id"),
            {"lost": lost, "id": shop.method.id},
        )
    secrets.use(Vault([NEW, old]))

    done = run(context)

    assert done.exit_code == 1
    assert f"payment_methods.token {shop.subscription.payment_method_id} cannot be opened" in done.output
    assert "payment_methods.token: 1 sealed anew" in done.output


def test_every_sealed_column_is_known(context: Flask) -> None:
    """The command finds the columns by their type: a new one is not forgotten."""
    found = {f"{table.name}.{column.name}" for table, column in rotation.sealed_columns()}
    assert found >= {"payment_methods.token", "webhook_events.raw_payload", "settings.secret"}
    assert db.session.scalars(select(PaymentMethod)).all() == []

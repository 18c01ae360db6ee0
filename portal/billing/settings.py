"""The shop's settings in force: what an operator set, or else what the environment said first.

Every process sees a change within :data:`FRESH_SECONDS`, without a restart.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from config import Config
from portal import running
from portal.database import after_commit, db, transaction
from portal.errors import InvalidRequest
from portal.models import Setting

FRESH_SECONDS = 3.0
#: Card networks fine a shop that charges one card more often for one period.
MOST_TRIES = 4
SECRETS = frozenset({"cloudpayments_api_secret", "yookassa_secret_key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """Every setting by its name in the admin (the seed's names where the seed has one)."""

    cloudpayments_public_id: str = ""
    cloudpayments_api_secret: str = ""
    cloudpayments_test_mode: bool = False
    #: Accept the seed's X-Signature on the notification URLs: for shops that relay notifications in that
    #: form.
    cloudpayments_relay_signature: bool = False
    yookassa_shop_id: str = ""
    yookassa_secret_key: str = ""
    #: Which gateway a customer is offered first.
    first_gateway: str = "cloudpayments"
    auto_renewal_enabled: bool = True
    auto_renewal_days_before: int = 3
    #: Days after the first try of a renewal on which it is tried again.
    retry_schedule: str = "0,1,3,7"
    #: How long after its end an unpaid period may still be used while its renewal is being tried.
    grace_days: int = 5
    refund_window_days: int = 14
    refund_policy: str = "full"
    seller_name: str = ""
    seller_inn: str = ""
    seller_ogrn: str = ""
    seller_address: str = ""
    seller_email: str = ""
    seller_phone: str = ""
    offer_url: str = ""
    privacy_url: str = ""

    @property
    def yookassa_test_mode(self) -> bool:
        """A test shop's key says so itself (yookassa.md 1.2)."""
        return self.yookassa_secret_key.startswith("test_")

    def retry_days(self) -> tuple[int, ...]:
        """The schedule as days, growing; the first try is on day 0."""
        return tuple(int(day) for day in self.retry_schedule.split(","))

    def __repr__(self) -> str:
        """Secrets stay out of logs."""
        return "<ShopSettings>"


@dataclass(slots=True)
class _Kept:
    """The settings last read, and when by the machine's own clock."""

    settings: ShopSettings | None = None
    at: float = 0.0


CHOICES: Mapping[str, frozenset[str]] = {
    "refund_policy": frozenset({"full", "unused_days", "unused_quota"}),
    "first_gateway": frozenset({"cloudpayments", "yookassa"}),
}


def current() -> ShopSettings:
    """The settings in force now; at most :data:`FRESH_SECONDS` old."""
    kept = running.kept("shop_settings", _Kept)
    if kept.settings is not None and time.monotonic() - kept.at < FRESH_SECONDS:
        return kept.settings
    # A connection of its own: reading a setting must not open a transaction in the caller's session.
    with db.engine.connect() as connection:
        rows = connection.execute(select(Setting.name, Setting.value, Setting.secret)).all()
    stored = {name: (secret.decode() if secret is not None else value) for name, value, secret in rows}
    kept.settings, kept.at = _combine(running.config(), stored), time.monotonic()
    return kept.settings


def forget() -> None:
    """Read the settings anew at the next look."""
    running.kept("shop_settings", _Kept).settings = None


def put(name: str, text: str, now: datetime) -> None:
    """Set one setting from an operator's text. Raises InvalidRequest when the text does not fit."""
    kind = {field.name: field.type for field in fields(ShopSettings)}.get(name)
    if kind is None:
        raise InvalidRequest(f"Нет такой настройки: {name}.")
    _parse(name, str(kind), text)
    row = {"name": name, "updated_at": now, "value": None, "secret": None}
    row["secret" if name in SECRETS else "value"] = text.encode() if name in SECRETS else text
    with transaction() as session:
        written = insert(Setting).values(**row)
        session.execute(
            written.on_conflict_do_update(
                index_elements=["name"],
                set_={"value": written.excluded.value, "secret": written.excluded.secret, "updated_at": now},
            )
        )
        after_commit(forget)


def _combine(config: Config, stored: Mapping[str, str | None]) -> ShopSettings:
    first = {
        "cloudpayments_public_id": config.cloudpayments_public_id,
        "cloudpayments_api_secret": config.cloudpayments_api_secret,
        "cloudpayments_test_mode": config.cloudpayments_test_mode,
        "yookassa_shop_id": config.yookassa_shop_id,
        "yookassa_secret_key": config.yookassa_secret_key,
    }
    set_here = {
        field.name: _parse(field.name, str(field.type), text)
        for field in fields(ShopSettings)
        if (text := stored.get(field.name)) is not None
    }
    values: dict[str, Any] = {**first, **set_here}
    return ShopSettings(**values)


def _parse(name: str, kind: str, text: str) -> str | int | bool:
    """Give a setting's text the field's type."""
    text = text.strip()
    if kind == "bool":
        if text.lower() not in {"true", "false"}:
            raise InvalidRequest(f"{name}: нужно true или false.")
        return text.lower() == "true"
    if kind == "int":
        if not (text.isascii() and text.isdigit() and len(text) <= 4):
            raise InvalidRequest(f"{name}: нужно целое число от 0 до 9999.")
        return int(text)
    if name == "retry_schedule":
        return _days(text)
    if name in CHOICES and text not in CHOICES[name]:
        raise InvalidRequest(f"{name}: нужно одно из {', '.join(sorted(CHOICES[name]))}.")
    return text


def _days(text: str) -> str:
    """At most four growing numbers of days, the first of them 0: the card networks allow no more tries."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) <= 2 for word in words):
        raise InvalidRequest("retry_schedule: нужны числа дней через запятую, например 0,1,3,7.")
    days = [int(word) for word in words]
    if days[0] != 0 or len(days) > MOST_TRIES or any(a >= b for a, b in pairwise(days)):
        raise InvalidRequest(
            "retry_schedule: первое число 0, дальше по возрастанию, всего не больше четырёх."
        )
    return ",".join(map(str, days))

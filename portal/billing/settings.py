"""The shop's settings in force: what an operator set, or else what the environment said first.

Every process sees a change within :data:`FRESH_SECONDS`, without a restart.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config import Config
from portal import running
from portal.billing.setting_rules import MOST_TRIES, WrongSetting, parse
from portal.database import after_commit, glance, transaction
from portal.models import Setting

__all__ = ("FRESH_SECONDS", "MOST_TRIES", "SECRETS", "ShopSettings", "current", "forget", "put")

log = logging.getLogger(__name__)

FRESH_SECONDS = 3.0
SECRETS = frozenset({"cloudpayments_api_secret", "yookassa_secret_key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """Every setting by its name in the admin (the seed's names where the seed has one)."""

    #: Whether customers may begin anything new there; what exists already goes on either way.
    cloudpayments_enabled: bool = True
    cloudpayments_public_id: str = ""
    cloudpayments_api_secret: str = ""
    cloudpayments_test_mode: bool = False
    #: Accept the seed's X-Signature on the notification URLs: for shops that relay notifications in that
    #: form.
    cloudpayments_relay_signature: bool = False
    yookassa_enabled: bool = True
    yookassa_shop_id: str = ""
    yookassa_secret_key: str = ""
    #: Whether fiscal receipts are sent with payments and refunds of each gateway, and what they say.
    cloudpayments_receipts: bool = False
    yookassa_receipts: bool = False
    receipt_vat_code: str = "1"
    receipt_tax_system: str = ""
    receipt_subject: str = "service"
    receipt_mode: str = "full_payment"
    receipt_item_name: str = ""
    #: Which gateway a customer is offered first.
    first_gateway: str = "cloudpayments"
    #: Where subscribers of the other gateway are asked to save a card; empty: nobody is asked.
    lead_to_gateway: str = ""
    auto_renewal_enabled: bool = True
    auto_renewal_days_before: int = 3
    #: Days after the first try of a renewal on which it is tried again.
    retry_schedule: str = "0,1,3,7"
    #: How long after its end an unpaid period may still be used while its renewal is being tried.
    grace_days: int = 5
    refund_window_days: int = 14
    refund_policy: str = "full"
    #: Roubles that a support clerk may give back in a day on the shop's clock.
    support_refund_daily_limit: Decimal = Decimal("5000.00")
    #: Days that a support clerk may give to all customers together in a day on the shop's clock.
    support_days_daily_limit: int = 100
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


def current() -> ShopSettings:
    """The settings in force now; at most :data:`FRESH_SECONDS` old."""
    kept = running.kept("shop_settings", _Kept)
    if kept.settings is not None and time.monotonic() - kept.at < FRESH_SECONDS:
        return kept.settings
    kept.settings, kept.at = _combine(running.config(), stored()), time.monotonic()
    return kept.settings


def forget() -> None:
    """Read the settings anew at the next look."""
    running.kept("shop_settings", _Kept).settings = None


def put(name: str, text: str, now: datetime) -> None:
    """Set one setting from an operator's text. Raises InvalidRequest when the text does not fit."""
    _, values = row_of(name, text, now)
    with transaction() as session:
        write(session, values)


def kinds() -> Mapping[str, str]:
    """Every setting's name with the type of its value."""
    return {field.name: str(field.type) for field in fields(ShopSettings)}


def row_of(name: str, text: str, now: datetime) -> tuple[Any, dict[str, Any]]:
    """The value that *text* means, and the row that keeps it. Raises WrongSetting."""
    kind = kinds().get(name)
    if kind is None:
        raise WrongSetting(f"Нет такой настройки: {name}.")
    value, kept = parse(name, kind, text), text.strip()
    row = {"name": name, "updated_at": now, "value": None, "secret": None}
    row["secret" if name in SECRETS else "value"] = kept.encode() if name in SECRETS else kept
    return value, row


def write(session: Session, row: Mapping[str, Any]) -> None:
    """Keep one row in the caller's transaction; every process sees it soon after the commit."""
    written = insert(Setting).values(**row)
    changed = {name: written.excluded[name] for name in ("value", "secret", "updated_at")}
    session.execute(written.on_conflict_do_update(index_elements=["name"], set_=changed))
    after_commit(forget)


def stored() -> dict[str, str]:
    """What was set here, as text; a connection of its own, so that reading opens no transaction in the
    caller's session.
    """
    with glance() as connection:
        rows = connection.execute(
            select(Setting.name, Setting.value, Setting.secret).where(Setting.name.in_(kinds()))
        ).all()
    return {name: (secret.decode() if secret is not None else value or "") for name, value, secret in rows}


def of_environment(config: Config) -> dict[str, Any]:
    """The first values that the environment gives."""
    return {
        "cloudpayments_public_id": config.cloudpayments_public_id,
        "cloudpayments_api_secret": config.cloudpayments_api_secret,
        "cloudpayments_test_mode": config.cloudpayments_test_mode,
        "yookassa_shop_id": config.yookassa_shop_id,
        "yookassa_secret_key": config.yookassa_secret_key,
    }


def _combine(config: Config, kept: Mapping[str, str]) -> ShopSettings:
    values = of_environment(config)
    for name, kind in kinds().items():
        if name not in kept:
            continue
        try:
            values[name] = parse(name, kind, kept[name])
        except WrongSetting:
            # Of an older version, say: one setting must not close the shop.
            log.exception("The setting %s holds what it may not; its first value counts", name)
    return ShopSettings(**values)

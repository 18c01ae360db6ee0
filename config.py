"""Everything the environment says, read once, typed, with its meaning beside it.

The only reader of ``os.environ``.

An operator edits what may change at run time in the admin; the environment gives those settings their first
values (see :mod:`portal.billing.settings`). ``.env.example`` lists every name.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from dotenv import dotenv_values

from portal.gateways.base import Timeouts


class ConfigError(Exception):
    """The environment does not allow a start; the message is one sentence that names what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """One process's configuration. Secrets stay out of its ``repr``."""

    secret_key: str = field(repr=False)
    settings_encryption_keys: tuple[str, ...] = field(repr=False)
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    portal_base_url: str
    billing_recurring_enabled: bool = False
    yookassa_shop_id: str = ""
    yookassa_secret_key: str = field(default="", repr=False)
    yookassa_api_url: str = "https://api.yookassa.ru/v3"
    yookassa_webhook_networks: tuple[str, ...] | None = None  # None: the documented list
    cloudpayments_public_id: str = ""
    cloudpayments_api_secret: str = field(default="", repr=False)
    cloudpayments_test_mode: bool = False
    cloudpayments_api_url: str = "https://api.cloudpayments.ru"
    cloudpayments_widget_url: str = "https://widget.cloudpayments.ru/bundles/cloudpayments.js"
    cloudpayments_webhook_networks: tuple[str, ...] = ()  # empty: the signature alone decides
    trusted_proxies: int = 0  # how many proxies of ours stand in front; 0 = none, X-Forwarded-For is not read
    mail_server: str = ""
    mail_port: int = 587
    mail_username: str = ""
    mail_password: str = field(default="", repr=False)
    mail_use_tls: bool = True
    mail_from: str = "billing@example.com"
    mail_sandbox_url: str = ""
    sandbox: bool = False
    sandbox_url: str = ""
    clock_file: Path | None = None
    tz_display: str = "Europe/Moscow"
    log_format: str = "json"
    argon2_time_cost: int = 2  # with 19 MiB: OWASP Password Storage Cheat Sheet, argon2id, second set
    argon2_memory_kib: int = 19456
    rate_limits: bool = True
    gateway_timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def secure(self) -> bool:
        """Whether customers reach the portal over https, so that cookies may be ``__Host-`` and Secure."""
        return urlsplit(self.portal_base_url).scheme == "https"


def load(environ: Mapping[str, str] | None = None, *, for_command: bool = False) -> Config:
    """Read the environment and refuse what cannot be served safely. A ``.env`` here fills its gaps.

    A command (*for_command*) that was told nothing at all joins the ``make run`` of this folder, where one is
    running.

    Raises :class:`ConfigError` with one sentence.
    """
    if environ is None:
        file = {name: value for name, value in dotenv_values(".env").items() if value is not None}
        environ = {**file, **os.environ}
        if for_command and not any(environ.get(name) for name in _SAYS_WHERE):
            environ = {**_of_make_run(Path(environ.get("VAR_DIR") or "var")), **environ}
    config = _read(environ)
    (_check_sandbox if config.sandbox else _check_production)(config)
    return config


#: Whoever gives one of these means something else than the copy next to it.
_SAYS_WHERE = (
    "SECRET_KEY",
    "SETTINGS_ENCRYPTION_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
    "PORTAL_BASE_URL",
    "SANDBOX",
)


def _of_make_run(var: Path) -> dict[str, str]:
    """What the running ``make run`` told its children; nothing when none is running."""
    try:
        with (var / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        told: dict[str, str] = json.loads((var / "environment.json").read_text(encoding="utf-8"))
        return told
    except OSError:
        pass  # there was never one here
    return {}  # nobody holds the lock: what lies there is left over


def _read(env: Mapping[str, str]) -> Config:
    """Turn text into types; one sentence for a value that cannot be read."""
    networks = env.get("YOOKASSA_WEBHOOK_NETWORKS", "").strip()
    return Config(
        secret_key=env.get("SECRET_KEY", ""),
        settings_encryption_keys=_list(env.get("SETTINGS_ENCRYPTION_KEYS", "")),
        database_url=_postgresql(env.get("DATABASE_URL", "")),
        redis_url=env.get("REDIS_URL", ""),
        portal_base_url=env.get("PORTAL_BASE_URL", "").strip().rstrip("/"),
        billing_recurring_enabled=_flag(env, "BILLING_RECURRING_ENABLED", default=False),
        yookassa_shop_id=env.get("YOOKASSA_SHOP_ID", "").strip(),
        yookassa_secret_key=env.get("YOOKASSA_SECRET_KEY", "").strip(),
        yookassa_api_url=(env.get("YOOKASSA_API_URL") or Config.yookassa_api_url).rstrip("/"),
        yookassa_webhook_networks=_list(networks) if networks else None,
        cloudpayments_public_id=env.get("CLOUDPAYMENTS_PUBLIC_ID", "").strip(),
        cloudpayments_api_secret=env.get("CLOUDPAYMENTS_API_SECRET", "").strip(),
        cloudpayments_test_mode=_flag(env, "CLOUDPAYMENTS_TEST_MODE", default=False),
        cloudpayments_api_url=(env.get("CLOUDPAYMENTS_API_URL") or Config.cloudpayments_api_url).rstrip("/"),
        cloudpayments_widget_url=env.get("CLOUDPAYMENTS_WIDGET_URL") or Config.cloudpayments_widget_url,
        cloudpayments_webhook_networks=_list(env.get("CLOUDPAYMENTS_WEBHOOK_NETWORKS", "")),
        trusted_proxies=_number(env, "TRUSTED_PROXIES", default=0),
        mail_server=env.get("MAIL_SERVER", ""),
        mail_port=_number(env, "MAIL_PORT", default=587),
        mail_username=env.get("MAIL_USERNAME", ""),
        mail_password=env.get("MAIL_PASSWORD", ""),
        mail_use_tls=_flag(env, "MAIL_USE_TLS", default=True),
        mail_from=env.get("MAIL_FROM") or Config.mail_from,
        mail_sandbox_url=env.get("MAIL_SANDBOX_URL", ""),
        sandbox=_flag(env, "SANDBOX", default=False),
        sandbox_url=env.get("SANDBOX_URL", "").rstrip("/"),
        clock_file=Path(env["CLOCK_FILE"]) if env.get("CLOCK_FILE") else None,
        tz_display=env.get("TZ_DISPLAY") or Config.tz_display,
        log_format=env.get("LOG_FORMAT") or Config.log_format,
    )


def _check_sandbox(config: Config) -> None:
    """The sandbox gives plans away for play money, so nobody but this machine may reach it."""
    for name, url in (
        ("PORTAL_BASE_URL", config.portal_base_url),
        ("YOOKASSA_API_URL", config.yookassa_api_url),
        ("CLOUDPAYMENTS_API_URL", config.cloudpayments_api_url),
        ("SANDBOX_URL", config.sandbox_url or config.portal_base_url),
        ("MAIL_SANDBOX_URL", config.mail_sandbox_url or config.portal_base_url),
    ):
        if not _is_loopback(url):
            raise ConfigError(
                f"SANDBOX=1 is refused in production: {name} is {url or 'empty'}, not a loopback address."
            )
    _require(config)


def _check_production(config: Config) -> None:
    """Refuse a start that would lose secrets, take play money or speak to nobody."""
    _require(config)
    if len(config.secret_key) < 32:
        raise ConfigError("SECRET_KEY is too short: give at least 32 random characters.")
    for gateway, shop, secret in (
        ("YOOKASSA_SHOP_ID and YOOKASSA_SECRET_KEY", config.yookassa_shop_id, config.yookassa_secret_key),
        (
            "CLOUDPAYMENTS_PUBLIC_ID and CLOUDPAYMENTS_API_SECRET",
            config.cloudpayments_public_id,
            config.cloudpayments_api_secret,
        ),
    ):
        if bool(shop) != bool(secret):
            raise ConfigError(f"{gateway} go together: one of them is missing.")
    if config.clock_file or config.mail_sandbox_url or config.sandbox_url:
        raise ConfigError(
            "CLOCK_FILE, MAIL_SANDBOX_URL and SANDBOX_URL are the sandbox's and are refused in production."
        )


def _require(config: Config) -> None:
    """Name the first thing without which nothing works."""
    for name, value in (
        ("SECRET_KEY", config.secret_key),
        ("SETTINGS_ENCRYPTION_KEYS", config.settings_encryption_keys),
        ("DATABASE_URL", config.database_url),
        ("REDIS_URL", config.redis_url),
        ("PORTAL_BASE_URL", config.portal_base_url),
    ):
        if not value:
            raise ConfigError(f"{name} is missing: see .env.example for what it is and how to make one.")
    for number, key in enumerate(config.settings_encryption_keys, start=1):
        if not _is_fernet_key(key):
            raise ConfigError(
                f"SETTINGS_ENCRYPTION_KEYS: number {number} is no key: see .env.example for how to make one."
            )
    if urlsplit(config.portal_base_url).scheme not in {"http", "https"}:
        raise ConfigError(
            "PORTAL_BASE_URL must begin with https:// (or http:// behind nothing but this machine)."
        )


def _is_fernet_key(text: str) -> bool:
    try:
        Fernet(text)
    except ValueError:
        return False
    return True


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _postgresql(url: str) -> str:
    """Name the driver: SQLAlchemy's default for ``postgresql://`` differs between its versions."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    if url and not url.startswith("postgresql+psycopg://"):
        raise ConfigError(
            "DATABASE_URL must be a PostgreSQL address (postgresql://…), the only database of the portal."
        )
    return url


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = env.get(name, "").strip().lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    if text:
        raise ConfigError(f"{name} is {text!r}: write true or false.")
    return default


def _number(env: Mapping[str, str], name: str, *, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit():
        raise ConfigError(f"{name} is {text!r}: write a whole number.")
    return int(text)

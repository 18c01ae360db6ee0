"""What ``make run`` tells its children, and the secrets that it makes once and keeps.

Every value is a default: what the caller's own environment says wins.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.processes import CannotStart

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Place:
    """Where one copy of the portal lives: its ports, its data, and the servers it was given, if any."""

    var: Path
    port: int
    sandbox_port: int
    workers: int
    database_url: str  # empty: embedded
    redis_url: str  # empty: embedded

    @classmethod
    def read(cls, caller: Mapping[str, str]) -> Place:
        """Read the caller's environment. Raises :class:`CannotStart` for a number that is none."""
        place = cls(
            var=Path(caller.get("VAR_DIR") or "var").absolute(),
            port=_number(caller, "PORT", 8000, most=65535),
            sandbox_port=_number(caller, "SANDBOX_PORT", 8001, most=65535),
            workers=_number(caller, "WORKERS", 1, most=64),
            database_url=caller.get("DATABASE_URL", ""),
            redis_url=caller.get("REDIS_URL", ""),
        )
        if place.port == place.sandbox_port:
            raise CannotStart(f"PORT and SANDBOX_PORT are both {place.port}: they must differ.")
        return place

    @property
    def portal_url(self) -> str:
        """Where the portal answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str:
        """Where both gateways answer."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def lock(self) -> Path:
        """Held by the living supervisor; its content is that one's process id."""
        return self.var / "lock"

    @property
    def children_lock(self) -> Path:
        """Held by everything the supervisor started, so that a killed one's children are waited for."""
        return self.var / "children.lock"

    @property
    def told(self) -> Path:
        """The environment of the running children, for ``make migrate`` and for commands beside it."""
        return self.var / "environment.json"

    def log(self, name: str) -> Path:
        """The log file of one child."""
        return self.var / "log" / f"{name}.log"


def _number(caller: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    text = caller.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise CannotStart(f"{name} is {text!r}: give a whole number from 1 to {most}.")
    return int(text)


def for_children(
    place: Place, caller: Mapping[str, str], *, database_url: str, redis_url: str
) -> dict[str, str]:
    """The whole environment of web, worker, scheduler and commands."""
    portal, sandbox = place.portal_url, place.sandbox_url
    defaults = {
        "SANDBOX": "1",
        "SANDBOX_URL": sandbox,
        "PORTAL_BASE_URL": portal,
        "CLOCK_FILE": str(place.var / "clock"),
        "BILLING_RECURRING_ENABLED": "false",
        "YOOKASSA_API_URL": f"{sandbox}/yookassa/v3",
        "YOOKASSA_SHOP_ID": "100500",
        "YOOKASSA_SECRET_KEY": "test_sandbox-secret-key",
        "YOOKASSA_WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128",
        "CLOUDPAYMENTS_API_URL": f"{sandbox}/cloudpayments",
        "CLOUDPAYMENTS_WIDGET_URL": f"{sandbox}/cloudpayments/bundles/cloudpayments.js",
        "CLOUDPAYMENTS_PUBLIC_ID": "test_api_00000000000000000000002",
        "CLOUDPAYMENTS_API_SECRET": "sandbox-api-secret",
        "CLOUDPAYMENTS_TEST_MODE": "true",
        "CLOUDPAYMENTS_WEBHOOK_NETWORKS": "",
        "MAIL_SANDBOX_URL": f"{sandbox}/mailbox",
        "MAIL_FROM": "billing@example.com",
        # Everything speaks over loopback; a proxy of the caller's would only be in the way.
        "NO_PROXY": "127.0.0.1,localhost,::1",
        "PYTHONUNBUFFERED": "1",
    }
    fixed = {"PORT": str(place.port), "DATABASE_URL": database_url, "REDIS_URL": redis_url}
    return {**defaults, **kept_secrets(place.var / "secrets.env"), **caller, **fixed}


def kept_secrets(file: Path) -> dict[str, str]:
    """The secrets of this VAR_DIR: made at the first start, read at every other, visible to their owner only.

    A second start needs the same ones, or it could read neither its sessions nor its encrypted settings.
    """
    if not file.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            # 32 random bytes in URL-safe base64: the form of a Fernet key.
            "SETTINGS_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        making = file.with_suffix(".new")
        making.unlink(missing_ok=True)
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as output:
            output.writelines(f"{name}={value}\n" for name, value in made.items())
        making.rename(file)
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)

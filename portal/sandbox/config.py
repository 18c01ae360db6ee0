"""How a sandbox is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SandboxConfig:
    """What the command line says; everything else is a setting that can change while the sandbox runs."""

    data: Path | None = None
    """The SQLite file that survives restarts; None keeps everything in memory."""
    portal: str | None = None
    """Base URL of a portal whose clock moves along and whose webhook addresses are the default ones."""
    cloudpayments_notify: str | None = None
    """Where CloudPayments notifies: a URL with ``{kind}`` in it, or a base to which ``/<kind>/`` is added."""
    yookassa_notify: str | None = None
    """Where YooKassa notifies."""
    public_url: str | None = None
    """How browsers reach the sandbox; None takes the address of the request that asks."""
    tick_seconds: float = 0.2
    """How often the background thread looks for work that has fallen due."""

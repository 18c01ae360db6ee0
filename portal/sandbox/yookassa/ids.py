"""Identifiers in YooKassa's layout: 36 characters, the first eight telling the second of creation."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from uuid import UUID

EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)
"""Ids count seconds from here; observed on ids of 2017 to 2026, not promised by the gateway."""
PAYMENT = "000f"
REFUND = "0015"


def new_id(now: datetime, family: str = PAYMENT) -> str:
    """Return a fresh id of a payment (or of a bound method), or of a refund."""
    seconds = int((now - EPOCH).total_seconds()) & 0xFFFFFFFF
    version, variant = random.randint(0, 2), random.choice("89ab")
    return f"{seconds:08x}-{family}-500{version}-{variant}000-{random.getrandbits(48):012x}"


def error_id() -> str:
    """Return an id for an error object: a UUID of version 7, as the gateway's own have been since 2025."""
    stamp = int(time.time() * 1000) << 80
    return str(
        UUID(int=stamp | 0x7 << 76 | random.getrandbits(12) << 64 | 0b10 << 62 | random.getrandbits(62))
    )

"""The time by which a person at a browser is measured."""

from __future__ import annotations

from datetime import datetime

from portal import clock


def wall_now() -> datetime:
    """The present moment, not moved by the sandbox: advancing the shop's clock by a month does not mean that
    the person who did it was away for a month, so it must not sign them out. In production this is
    ``clock.now()``.
    """
    return clock.now() - clock.offset()

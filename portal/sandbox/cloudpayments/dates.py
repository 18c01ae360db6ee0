"""The ways CloudPayments writes a moment; the sandbox keeps it as ``clock.iso`` does."""

from __future__ import annotations

from portal.sandbox.clock import parse_iso


def pair(name: str, kept: str | None) -> dict[str, str | None]:
    """Return a date as the API shows it twice: ``/Date(ms)/`` and ISO without zone, seconds truncated,
    UTC.
    """
    if kept is None:
        return {name: None, f"{name}Iso": None}
    moment = parse_iso(kept)
    milliseconds = int(moment.timestamp()) * 1000 + moment.microsecond // 1000
    return {name: f"/Date({milliseconds})/", f"{name}Iso": moment.strftime("%Y-%m-%dT%H:%M:%S")}


def notification_time(kept: str | None) -> str:
    """Return a moment as notifications write it, ``yyyy-MM-dd HH:mm:ss`` in UTC; empty when there is none."""
    return parse_iso(kept).strftime("%Y-%m-%d %H:%M:%S") if kept else ""

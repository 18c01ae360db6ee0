"""The sandbox's clock: the system's clock plus an offset that the control API moves forward."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from portal.sandbox.errors import ControlError
from portal.sandbox.store import Store

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def iso(moment: datetime) -> str:
    """Write a moment as ISO 8601 UTC with milliseconds and ``Z``, which also sorts as text."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """Read an ISO 8601 moment; a missing zone means UTC. Raise ValueError when it is none."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_duration(text: str) -> timedelta:
    """Read ``27d``, ``1d12h``, ``15m`` or ``90s``; raise ControlError 400 for anything else."""
    parts = re.findall(r"(\d+)\s*([wdhms])", text.strip().lower())
    if not parts or re.sub(r"\d+\s*[wdhms]|\s", "", text.strip().lower()):
        raise ControlError(400, "BAD_DURATION", f"{text!r} is no duration; write 27d, 3h, 15m, 90s or 1d12h.")
    try:
        return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())
    except OverflowError as error:
        raise ControlError(400, "BAD_DURATION", f"{text!r} is too long.") from error


class Clock:
    """Tells the sandbox's time. The offset is kept in the store and only ``reset`` takes it back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        saved = store.get("clock", "offset")
        self._offset = timedelta(seconds=saved["seconds"]) if saved else timedelta()

    @property
    def offset(self) -> timedelta:
        """How far this clock is ahead of the system's."""
        return self._offset

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        return datetime.now(UTC) + self._offset

    def move_to(self, moment: datetime) -> None:
        """Move forward to a moment; a moment that has passed changes nothing."""
        ahead = moment - self.now()
        if ahead > timedelta():
            self._keep(self._offset + ahead)

    def reset(self) -> None:
        """Go back to the system's time."""
        self._keep(timedelta())

    def _keep(self, offset: timedelta) -> None:
        self._offset = offset
        self._store.put("clock", "offset", {"seconds": offset.total_seconds()})

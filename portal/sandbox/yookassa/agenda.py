"""What the gateway will do by itself: expire, settle, register. Kept in the store, so a restart forgets
nothing.
"""

from __future__ import annotations

from datetime import datetime

from portal.sandbox.clock import iso, parse_iso
from portal.sandbox.store import Document, Store

_KIND = "yookassa_agenda"


class Agenda:
    """One entry for each (what, id); ``what`` is the name of the work."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, what: str, key: str, at: datetime) -> None:
        """Plan work, or move it to another moment."""
        entry = f"{what} {key}"
        self._store.put(_KIND, entry, {"entry": entry, "what": what, "id": key, "at": iso(at)})

    def drop(self, what: str, key: str) -> None:
        """Plan it no more."""
        self._store.delete(_KIND, f"{what} {key}")

    def next_due(self) -> datetime | None:
        """When the next work is planned."""
        moments = [entry["at"] for entry in self._store.all(_KIND)]
        return parse_iso(min(moments)) if moments else None

    def take_due(self, now: datetime) -> list[Document]:
        """Remove and return what is due, in the order of its moments."""
        with self._store.transaction():
            due = [entry for entry in self._store.all(_KIND) if entry["at"] <= iso(now)]
            for entry in due:
                self._store.delete(_KIND, entry["entry"])
        return sorted(due, key=lambda entry: str(entry["at"]))

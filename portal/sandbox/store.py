"""Where the sandbox remembers: JSON documents by kind and id, in one SQLite file or in memory."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_INDEXED = ("state", "status", "reference")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (kind, id)
);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Store:
    """Documents that survive a restart when a path is given.

    Every method may be called from any thread. One re-entrant lock serializes everything, so what runs inside
    ``transaction()`` sees no other thread's half-done work; nobody may call out over the network inside it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(str(path or ":memory:"), isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        for field in _INDEXED:
            self._db.execute(
                f"CREATE INDEX IF NOT EXISTS documents_{field}"
                f" ON documents (kind, json_extract(doc, '$.{field}'))"
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is done inside at the end, or nothing of it when the block raises.

        A transaction inside another is a savepoint: its failure undoes its own part only.
        """
        with self._lock:
            name = f"level_{self._depth}"
            self._db.execute(f"SAVEPOINT {name}" if self._depth else "BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                self._db.execute(f"ROLLBACK TO {name}" if self._depth else "ROLLBACK")
                if self._depth:
                    self._db.execute(f"RELEASE {name}")
                raise
            self._depth -= 1
            self._db.execute(f"RELEASE {name}" if self._depth else "COMMIT")

    def get(self, kind: str, key: str) -> Document | None:
        """Return a fresh copy of one document, or None."""
        rows = self._rows("SELECT doc FROM documents WHERE kind = ? AND id = ?", (kind, key))
        return rows[0] if rows else None

    def put(self, kind: str, key: str, doc: Document) -> None:
        """Write a document; a known id keeps its place in the insertion order."""
        with self._lock:
            self._db.execute(
                "INSERT INTO documents (kind, id, doc) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET doc = excluded.doc",
                (kind, key, json.dumps(doc, ensure_ascii=False)),
            )

    def delete(self, kind: str, key: str) -> None:
        """Forget a document; an unknown id is no error."""
        with self._lock:
            self._db.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, key))

    def all(self, kind: str) -> list[Document]:
        """Return every document of a kind in the order in which they were first put."""
        return self._rows("SELECT doc FROM documents WHERE kind = ? ORDER BY seq", (kind,))

    def find(self, kind: str, **equals: Any) -> list[Document]:
        """Return the documents whose top-level fields equal the given values, in insertion order.

        ``None`` finds documents where the field is null or absent.
        """
        conditions = "".join(f" AND json_extract(doc, '$.{field}') IS ?" for field in equals)
        # Field names are written in this program; only values come from outside.
        sql = f"SELECT doc FROM documents WHERE kind = ?{conditions} ORDER BY seq"  # noqa: S608 - see above
        return self._rows(sql, (kind, *equals.values()))

    def number(self, name: str, start: int) -> int:
        """Return the next number of a persistent counter, beginning with ``start``."""
        with self.transaction():
            row = self._db.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
            value = int(row[0]) + 1 if row else start
            self._db.execute("INSERT OR REPLACE INTO counters (name, value) VALUES (?, ?)", (name, value))
            return value

    def clear(self) -> None:
        """Forget all documents. Counters go on, because a client may still hold numbers given out before."""
        with self.transaction():
            self._db.execute("DELETE FROM documents")

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._lock:
            self._db.close()

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[Document]:
        with self._lock:
            return [json.loads(row[0]) for row in self._db.execute(sql, values)]

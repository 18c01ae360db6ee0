"""The database as each test finds it, brought about in one trip: the five plans and nothing else.

A suite cleans its database thousands of times, so what is to be written is worked out once. Deleting is
cheaper than truncating while there are few rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from flask import Flask
from psycopg import sql

from portal.billing import plans
from portal.database import Base, db
from portal.models import Plan

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Slate:
    """Cleans the database of *app* on a connection of its own, which no test leaves in a bad state."""

    app: Flask
    _connection: psycopg.Connection[tuple[object, ...]] | None = field(default=None, init=False)
    _script: sql.Composed | None = field(default=None, init=False)

    def clean(self) -> None:
        """Delete every row and put the plans on sale; numbers once given out are not given out again."""
        if self._script is None:
            self._script = self._written()
        try:
            self._connected().execute(self._script)
        except psycopg.OperationalError:  # a test has ended every connection, as a database that goes away
            self.close()
            self._connected().execute(self._script)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        if self._connection is None:
            url = str(self.app.config["SQLALCHEMY_DATABASE_URI"]).replace("+psycopg", "")
            self._connection = psycopg.connect(url, autocommit=True)
        return self._connection

    def _written(self) -> sql.Composed:
        """Ask the portal itself for its plans, once, and work out how to write them."""
        # Triggers rest, so that tables may be emptied in any order; for this transaction only.
        steps: list[sql.Composable] = [sql.SQL("SET LOCAL session_replication_role = replica")]
        steps += [
            sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name))
            for table in Base.metadata.sorted_tables
        ]
        self._connected().execute(_together(steps))
        with self.app.app_context():
            plans.create_extended(SINCE)
            db.session.remove()
        return _together([*steps, self._plans()])

    def _plans(self) -> sql.Composable:
        """The rows that the portal wrote, as one statement; each gets a number of its own again."""
        columns = [column.name for column in Plan.__table__.columns if column.name != "id"]
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        rows = self._connected().execute(sql.SQL("SELECT {} FROM plans ORDER BY id").format(names)).fetchall()
        assert len(rows) == 5
        values = sql.SQL(", ").join(
            sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, row))) for row in rows
        )
        return sql.SQL("INSERT INTO plans ({}) VALUES {}").format(names, values)


def _together(steps: list[sql.Composable]) -> sql.Composed:
    """Statements without parameters travel together and are one transaction."""
    return sql.SQL("; ").join(steps)

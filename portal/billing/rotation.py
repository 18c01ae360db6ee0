"""Changing the encryption key: everything that is sealed in the database is sealed anew with the newest one.

Row by row in small batches, so that it may be stopped at any moment and begun again, while the portal works.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, LargeBinary, Table, select, type_coerce, update
from sqlalchemy.orm import Session

from portal.billing import methods
from portal.database import Base, changed, db, transaction
from portal.models import PaymentMethod
from portal.models.base import Sealed
from portal.secrets import SecretUnreadable, vault

AT_ONCE = 200


@dataclass(slots=True)
class Rotated:
    """What a run did: for each column, as ``table.column``, how many were sealed anew."""

    sealed: dict[str, int] = field(default_factory=dict)
    #: ``table.column`` and primary key of what no configured key opens.
    unreadable: list[str] = field(default_factory=list)
    #: Methods whose fingerprint hung on a key that is gone, and was made anew.
    fingerprints: int = 0


def rotate() -> Rotated:
    """Seal everything with the newest key; what it sealed already is left alone. Safe to repeat."""
    found = Rotated()
    for table, column in sealed_columns():
        name = f"{table.name}.{column.name}"
        found.sealed[name] = sum(_batch(table, column, keys, found) for keys in _keys(table, column))
    found.fingerprints = sum(_mend_fingerprints(keys) for keys in _keys(_methods, _methods.c.token))
    return found


def sealed_columns() -> list[tuple[Table, Column[Any]]]:
    """Every column that is encrypted at rest."""
    tables = Base.metadata.sorted_tables
    return [
        (table, column) for table in tables for column in table.columns if isinstance(column.type, Sealed)
    ]


_methods: Any = PaymentMethod.__table__


def _keys(table: Table, column: Column[Any]) -> Iterator[list[Any]]:
    """The primary keys of the rows that hold something, in their order, some at a time."""
    key = _key(table)
    filled = select(key).where(column.is_not(None)).order_by(key).limit(AT_ONCE)
    some = list(_read(filled))
    while some:
        yield some
        some = list(_read(filled.where(key > some[-1])))


def _read(asked: Any) -> list[Any]:
    with db.engine.connect() as connection:
        return list(connection.execute(asked).scalars())


def _key(table: Table) -> Column[Any]:
    (key,) = table.primary_key.columns
    return key


def _batch(table: Table, column: Column[Any], keys: list[Any], found: Rotated) -> int:
    """Seal some rows anew; one that was changed meanwhile was sealed with the newest key by that."""
    key, raw = _key(table), type_coerce(column, LargeBinary)
    done = 0
    with transaction() as session:
        rows = session.execute(select(key, raw).where(key.in_(keys), column.is_not(None)).order_by(key)).all()
        for one, sealed in rows:
            if vault().is_newest(sealed):
                continue
            try:
                anew = vault().rotate(sealed)
            except SecretUnreadable:
                found.unreadable.append(f"{table.name}.{column.name} {one}")
                continue
            done += _put(session, table, {"key": one, "old": sealed, "new": anew, "column": column})
    return done


def _put(session: Session, table: Table, row: dict[str, Any]) -> bool:
    column = row["column"]
    unchanged = type_coerce(column, LargeBinary) == type_coerce(row["old"], LargeBinary)
    written = update(table).where(_key(table) == row["key"], unchanged)
    return changed(session.execute(written.values({column: type_coerce(row["new"], LargeBinary)})))


def _mend_fingerprints(keys: list[Any]) -> int:
    """Fingerprints hang on the oldest key: once it was taken out they are made anew, each by itself."""
    done = 0
    for key in keys:
        # One that cannot be opened was named already.
        with suppress(SecretUnreadable), transaction() as session:
            done += methods.mend_fingerprint(session, key)
    return done

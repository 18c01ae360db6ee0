"""Column types that every noun shares."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, Identity, LargeBinary, Numeric, TypeDecorator
from sqlalchemy.orm import Mapped, mapped_column

from portal.secrets import vault

Amount = Numeric(12, 2)


def identity() -> Mapped[int]:
    """A 64-bit primary key made by the database."""
    return mapped_column(BigInteger, Identity(always=False), primary_key=True)


def one_of(kind: type[StrEnum], name: str) -> Enum:
    """A column that holds one word of *kind* as text and lets the database refuse any other."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda e: [str(m) for m in e],
    )


class Moment(TypeDecorator[datetime]):
    """An aware moment in UTC; a naive one is refused before it reaches the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Refuse what has no zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Give UTC back whatever the session's zone is."""
        return None if value is None else value.astimezone(UTC)


class Sealed(TypeDecorator[bytes]):
    """Bytes that are encrypted in the database and plain in Python."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Encrypt on the way in."""
        return None if value is None else vault().seal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Decrypt on the way out."""
        return None if value is None else vault().open(bytes(value))

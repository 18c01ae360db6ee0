"""Who did what, when, from where, before and after, and why: written with the act, never changed.

Each entry is sealed by a SHA-256 over what it says and the seal of the one before it. A change or a loss in
the middle breaks the chain; a cut at the end is found by whoever noted the last seal elsewhere
(``flask audit verify --head``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.orm import Session

from portal.database import before_commit, db, exclusive
from portal.models import AuditEntry

_entries: Any = AuditEntry.__table__

#: What the first entry is sealed with.
BEGINNING = "0" * 64
_LONGEST_REASON = 1000
#: Sealed in this order; ``id`` is not, since the database gives it.
_SEALED = (
    "at",
    "user_id",
    "actor",
    "address",
    "act",
    "subject_type",
    "subject_id",
    "before",
    "after",
    "reason",
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Whose act it is: an operator with the address they came from, or the command line."""

    user_id: int | None
    name: str
    address: str = ""


#: Whoever may run commands on the server.
COMMAND_LINE = Actor(None, "command line")


@dataclass(frozen=True, slots=True)
class Subject:
    """What the act was done to: the kind of thing and its number or name."""

    type: str
    id: str | int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the whole chain found."""

    entries: int
    #: The seal of the last entry: noted elsewhere, it proves that nothing before it was cut off.
    head: str
    #: The first entry whose seal does not fit, or whose predecessor is missing.
    broken_at: int | None
    #: Whether the seal that was asked about is one of the chain's.
    has_head: bool


def note(
    actor: Actor,
    act: str,
    subject: Subject,
    now: datetime,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Write down an act as the last word of the present transaction: both are kept, or neither.

    *before* and *after* hold what changed, and no secret. Dates and sums are kept as text.
    """
    told = {
        "at": now.astimezone(UTC),
        "user_id": actor.user_id,
        "actor": actor.name[:254],
        "address": actor.address[:45],
        "act": act,
        "subject_type": subject.type,
        "subject_id": str(subject.id)[:64],
        "before": _plain(before or {}),
        "after": _plain(after or {}),
        "reason": reason.strip()[:_LONGEST_REASON],
    }
    before_commit(lambda session: _write(session, told))


def of(subject: Subject) -> list[AuditEntry]:
    """Everything that was done to one thing, oldest first."""
    asked = select(AuditEntry).where(
        AuditEntry.subject_type == subject.type, AuditEntry.subject_id == str(subject.id)
    )
    return list(db.session.scalars(asked.order_by(AuditEntry.id)))


def verify(head: str | None = None) -> Verdict:
    """Seal every entry anew and compare; *head* is a seal that was noted elsewhere."""
    expected, count, has_head = BEGINNING, 0, head in {None, BEGINNING}
    with closing(_all()) as entries:
        for row in entries:
            count += 1
            if row["previous_hash"] != expected or _seal(row, expected) != row["hash"]:
                return Verdict(count, expected, row["id"], has_head)
            expected = row["hash"]
            has_head = has_head or expected == head
    return Verdict(count, expected, None, has_head)


def _write(session: Session, told: Mapping[str, Any]) -> None:
    """One at a time: each needs the seal of the one before it."""
    exclusive(session, "audit")
    last = select(_entries.c.hash).order_by(_entries.c.id.desc()).limit(1)
    previous = session.execute(last).scalar() or BEGINNING
    session.execute(insert(_entries).values(**told, previous_hash=previous, hash=_seal(told, previous)))


def _seal(told: Mapping[Any, Any], previous: str) -> str:
    said = [previous, *(_plain(told[name]) for name in _SEALED)]
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """What JSON can hold and PostgreSQL gives back as it was."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | Decimal):
        return str(value)
    return value


def _all() -> Generator[RowMapping, None, None]:
    """Every entry in its order, a thousand at a time."""
    with db.engine.connect() as connection:
        asked = select(_entries).order_by(_entries.c.id)
        with connection.execution_options(yield_per=1000).execute(asked) as found:
            yield from found.mappings()

"""Until when what is done in turn has been done: marks beside the settings, by names that no setting has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import extract, func, select

from portal.models import GatewayName, Setting


class Mark(NamedTuple):
    """What a mark says, and when it was moved last."""

    value: str
    at: datetime


Marks = Mapping[str, Mark]

#: The day of the last daily reconciliation.
RECONCILED = "reconciled daily"


def listed(gateway: GatewayName) -> str:
    """The mark of the last good look at a gateway's own list."""
    return f"listed until: {gateway.value}"


#: All marks as one value, for whoever has more to ask in the same statement; :func:`of` reads it.
ALL: Any = (
    select(
        func.jsonb_object_agg(
            Setting.name,
            func.jsonb_build_array(Setting.value, extract("epoch", Setting.updated_at)),
        )
    )
    .where(Setting.name.in_([RECONCILED, *map(listed, GatewayName)]))
    .scalar_subquery()
)


def of(told: Mapping[str, tuple[str, float]] | None) -> dict[str, Mark]:
    """The marks that :data:`ALL` found; those that were never set are left out."""
    return {name: Mark(value, datetime.fromtimestamp(at, UTC)) for name, (value, at) in (told or {}).items()}

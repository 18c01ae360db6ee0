"""What was asked of a gateway, written down with its answer for the story of a payment.

Notifications are not calls: they lie in the inbox. A page that asks every two seconds whether the money has
come writes one row that counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from portal.database import changed
from portal.models import GatewayCall, Operation

_calls: Any = GatewayCall.__table__

#: The gateway knows of no such payment or refund.
NOT_THERE = "not_there"


def note(
    session: Session,
    operation: Operation,
    said: str,
    now: datetime,
    *,
    payment_id: int | None = None,
    refund_id: int | None = None,
    detail: str = "",
) -> None:
    """Keep what a gateway said to a call; in the caller's transaction, which follows the call."""
    told = {"operation": operation, "said": said[:64], "detail": detail[:250]}
    this = _calls.c.payment_id == payment_id if refund_id is None else _calls.c.refund_id == refund_id
    last = select(_calls.c.id).where(this).order_by(_calls.c.id.desc()).limit(1).scalar_subquery()
    same = (_calls.c[name] == value for name, value in told.items())
    counted = update(_calls).where(_calls.c.id == last, *same)
    if changed(session.execute(counted.values(times=_calls.c.times + 1, last_at=now))):
        return
    row = told | {"payment_id": payment_id, "refund_id": refund_id, "at": now, "last_at": now, "times": 1}
    session.execute(insert(_calls).values(row))

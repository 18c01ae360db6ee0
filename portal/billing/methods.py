"""Keeping a method that the customer agreed to have kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.gateways.base import SavedMethod
from portal.models import Consent, GatewayName, PaymentMethod
from portal.secrets import vault

_methods: Any = PaymentMethod.__table__


def agreement_of(session: Session, payment_id: int, method: SavedMethod) -> int | None:
    """The agreement that the customer gave with this very payment to have the method kept, if it still holds.

    News of a payment may be late: a method that was unlinked since is not linked again by it.
    """
    agreed = select(Consent).where(Consent.payment_id == payment_id, Consent.withdrawn_at.is_(None))
    consent = session.scalar(agreed)
    if consent is None:
        return None
    unlinked = exists().where(
        PaymentMethod.user_id == consent.user_id,
        PaymentMethod.fingerprint.in_([_fingerprint(name, method.token) for name in GatewayName]),
        PaymentMethod.detached_at > consent.given_at,
    )
    return None if session.scalar(select(unlinked)) else consent.id


def keep(session: Session, user_id: int, gateway: GatewayName, method: SavedMethod, now: datetime) -> int:
    """Store a method, or find it when it is stored already; in the caller's transaction. Returns its id.

    A token belongs to one customer of one shop and is never shared (cloudpayments.md 7.15).
    """
    row = {
        "user_id": user_id,
        "gateway": gateway,
        "token": method.token.encode(),
        "fingerprint": _fingerprint(gateway, method.token),
        "kind": method.kind[:32],
        "title": method.title[:120],
        "last4": method.last4,
        "brand": method.brand and method.brand[:32],
        "expiry_month": method.expiry_month,
        "expiry_year": method.expiry_year,
        "bank": method.bank and method.bank[:120],
        "created_at": now,
        "preferred_at": now,
    }
    written = insert(_methods).values(row)
    # The update makes the statement return the row that was there; it was just chosen once more.
    kept = written.on_conflict_do_update(
        index_elements=["user_id", "gateway", "fingerprint"],
        index_where=_methods.c.detached_at.is_(None),
        set_={"title": written.excluded.title, "preferred_at": now},
    )
    return int(session.execute(kept.returning(_methods.c.id)).scalar_one())


def _fingerprint(gateway: GatewayName, token: str) -> str:
    return vault().fingerprint(f"{gateway.value}:{token}")

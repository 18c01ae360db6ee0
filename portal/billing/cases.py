"""Opening a case: a fact at a gateway that the portal will not decide alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.database import db
from portal.gateways.base import PaymentSnapshot
from portal.models import Case, CaseChoice, CaseKind, GatewayName

log = logging.getLogger(__name__)

_cases: Any = Case.__table__

#: The kinds that speak of money which a gateway took and which is no order's.
OF_MONEY_TAKEN = frozenset(CaseKind) - {
    CaseKind.UNKNOWN_REFUND,
    CaseKind.REFUND_ABOVE_CAPTURE,
    CaseKind.UNKNOWN_TOO_OLD,
    CaseKind.UNREADABLE,
    CaseKind.REFUND_FAILED,
    CaseKind.RENEWAL_REFUSED,
    CaseKind.NOTICE_UNSENT,
    CaseKind.CHARGEBACK,
    CaseKind.DRIFT,
}


def open_for_payment(
    session: Session,
    kind: CaseKind,
    gateway: GatewayName,
    told: PaymentSnapshot,
    payment_id: int | None,
    now: datetime,
) -> None:
    """Open a case about a payment the gateway speaks of; once per kind and gateway's id."""
    facts = {
        "reference": told.reference,
        "account": told.account,
        "shop": told.shop,
        "test": told.test,
        "outcome": told.outcome.value,
    }
    key = f"{gateway.value}:{kind.value}:{told.gateway_payment_id}"
    money = (told.amount, told.currency)
    open_case(session, kind, key, gateway, told.gateway_payment_id, payment_id, money, facts, now)


def open_case(
    session: Session,
    kind: CaseKind,
    dedupe_key: str,
    gateway: GatewayName,
    gateway_payment_id: str | None,
    payment_id: int | None,
    money: tuple[Any, str | None],
    facts: Mapping[str, Any],
    now: datetime,
) -> None:
    """Open a case unless *dedupe_key* already has one; in the caller's transaction."""
    amount, currency = money
    written = (
        insert(Case)
        .values(
            kind=kind,
            dedupe_key=dedupe_key[:160],
            gateway=gateway,
            gateway_payment_id=gateway_payment_id and gateway_payment_id[:64],
            payment_id=payment_id,
            amount=amount,
            currency=currency and currency[:8],
            facts=dict(facts),
            opened_at=now,
        )
        .on_conflict_do_nothing(index_elements=["dedupe_key"])
        .returning(Case.id)
    )
    case_id = session.execute(written).scalar()
    if case_id is not None:
        log.warning(
            "Case %s opened: %s at %s, payment %s", case_id, kind.value, gateway.value, gateway_payment_id
        )


def resolve(session: Session, dedupe_key: str, now: datetime) -> None:
    """Close a case that has settled itself; in the caller's transaction."""
    session.execute(
        update(_cases)
        .where(_cases.c.dedupe_key == dedupe_key[:160], _cases.c.resolved_at.is_(None))
        .values(resolved_at=now, resolution=CaseChoice.ITSELF)
    )


def open_count() -> int:
    """How many wait for a person; counted in an index that holds no others."""
    return db.session.scalar(select(func.count()).where(Case.resolved_at.is_(None))) or 0


def speaks_of(session: Session, gateway: GatewayName, gateway_payment_id: str | None) -> bool:
    """Whether there is, or was, a case that this payment of the gateway took money that is no order's."""
    if gateway_payment_id is None:
        return False
    found = select(Case.id).where(
        Case.gateway == gateway, Case.gateway_payment_id == gateway_payment_id, Case.kind.in_(OF_MONEY_TAKEN)
    )
    return session.execute(found.limit(1)).scalar() is not None

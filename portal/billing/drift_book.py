"""What comparing a day comes to, written down: totals, lines, cases, and which rows were seen to agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, case, update
from sqlalchemy.dialects.postgresql import insert

from portal.billing import cases
from portal.database import transaction
from portal.models import (
    CaseKind,
    Discrepancy,
    GatewayName,
    Payment,
    ReconciliationDay,
    ReconciliationLine,
    Refund,
    Remedy,
)
from portal.money import ZERO, to_wire

_payments: Any = Payment.__table__
_refunds: Any = Refund.__table__
_lines: Any = ReconciliationLine.__table__


@dataclass(slots=True)
class Totals:
    """A day's counts and sums, by their columns."""

    there_count: int = 0
    there_sum: Decimal = ZERO
    here_count: int = 0
    here_sum: Decimal = ZERO
    case_sum: Decimal = ZERO
    refunds_there_count: int = 0
    refunds_there_sum: Decimal = ZERO
    refunds_here_count: int = 0
    refunds_here_sum: Decimal = ZERO
    fee_sum: Decimal = ZERO

    def add(self, side: str, amount: Decimal) -> None:
        """One more on this side."""
        setattr(self, f"{side}_count", getattr(self, f"{side}_count") + 1)
        setattr(self, f"{side}_sum", getattr(self, f"{side}_sum") + amount)


@dataclass(frozen=True, slots=True)
class Found:
    """One difference, before it is written down."""

    what: Discrepancy
    remedy: Remedy
    object_id: str
    payment_id: int | None
    there: Decimal | None
    here: Decimal | None
    note: str = ""


class DriftBook:
    """The report of one day, as it grows."""

    def __init__(self, day: ReconciliationDay, now: datetime) -> None:
        """Nothing is found yet."""
        self.day, self.now, self.totals = day, now, Totals()
        self.gateway: GatewayName = day.gateway

    def drift(
        self, what: Discrepancy, object_id: str, row: Row[Any], there: Decimal | None, note: str
    ) -> None:
        """What nobody but a person can put right: a case, once per difference."""
        is_payment = hasattr(row, "transaction_id")
        payment_id = row.id if is_payment else row.payment_id
        key = f"{self.gateway.value}:{CaseKind.DRIFT.value}:{what.value}:{object_id}"
        facts = {"what": what.value, "here": to_wire(row.amount), "gateway_says": note}
        facts |= {"there": to_wire(there)} if there is not None else {}
        facts |= {} if is_payment else {"refund": object_id}
        theirs = object_id if is_payment else None
        money = (row.amount, row.currency)
        with transaction() as session:
            cases.open_case(
                session, CaseKind.DRIFT, key, self.gateway, theirs, payment_id, money, facts, self.now
            )
        self.note(Found(what, Remedy.CASE, object_id, payment_id, there, row.amount, note))

    def note(self, found: Found) -> None:
        """A line of the report; a day that is compared again keeps what it had found before."""
        row = {
            "run_id": self.day.run_id,
            "day_id": self.day.id,
            "gateway": self.gateway,
            "what": found.what,
            "remedy": found.remedy,
            "gateway_object_id": found.object_id,
            "payment_id": found.payment_id,
            "there_amount": found.there,
            "here_amount": found.here,
            "note": found.note[:200],
            "found_at": self.now,
        }
        with transaction() as session:
            session.execute(insert(_lines).values(row).on_conflict_do_nothing())

    def mark_payments(self, agreed: dict[int, Decimal | None]) -> None:
        """Seen in the gateway's list; what it keeps of each is written down where it says so."""
        fees = {number: fee for number, fee in agreed.items() if fee is not None}
        marked = update(_payments).where(_payments.c.id.in_(agreed), _payments.c.listed_at.is_(None))
        with transaction() as session:
            session.execute(marked.values(listed_at=self.now))
            if fees:
                told = case(fees, value=_payments.c.id)
                other = _payments.c.fee.is_distinct_from(told)
                session.execute(update(_payments).where(_payments.c.id.in_(fees), other).values(fee=told))

    def mark_refunds(self, agreed: list[int]) -> None:
        """The same for refunds."""
        marked = update(_refunds).where(_refunds.c.id.in_(agreed), _refunds.c.listed_at.is_(None))
        with transaction() as session:
            session.execute(marked.values(listed_at=self.now))

"""What comparing the gateways' own lists with ours came to: a run, its days, and each line that differed."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, Date, ForeignKey, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Amount, Moment, identity, one_of
from portal.models.payment import GatewayName

#: A sum over many payments.
Total = Numeric(16, 2)
_NOTHING = Decimal("0.00")


class RunOrigin(StrEnum):
    """Who wanted it."""

    SCHEDULE = "schedule"
    OPERATOR = "operator"
    COMMAND = "command"


class Discrepancy(StrEnum):
    """What differed between a gateway's list and ours."""

    PAID_THERE = "paid_there"
    PAID_HERE = "paid_here"
    REFUNDED_THERE = "refunded_there"
    REFUNDED_HERE = "refunded_here"
    AMOUNT = "amount"
    STATUS = "status"
    FEE = "fee"


class Remedy(StrEnum):
    """What was done about it."""

    HEALED = "healed"
    CASE = "case"


class ReconciliationRun(Base):
    """One comparison of both gateways' lists with ours."""

    __tablename__ = "reconciliation_runs"
    __table_args__ = (
        Index(
            "ix_reconciliation_runs_next_attempt_at",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = identity()
    created_at: Mapped[datetime] = mapped_column(Moment)
    origin: Mapped[RunOrigin] = mapped_column(one_of(RunOrigin, "origin"))
    actor: Mapped[str] = mapped_column(String(254), default="")
    #: When it is carried on; empty when it is over.
    next_attempt_at: Mapped[datetime | None] = mapped_column(Moment)
    #: Until when somebody is at work on it.
    claimed_until: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class ReconciliationDay(Base):
    """One gateway's day, as the gateway dates what it lists, on the shop's clock."""

    __tablename__ = "reconciliation_days"
    __table_args__ = (UniqueConstraint("run_id", "gateway", "day"),)

    id: Mapped[int] = identity()
    run_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("reconciliation_runs.id"))
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    day: Mapped[date] = mapped_column(Date)
    starts_at: Mapped[datetime] = mapped_column(Moment)
    ends_at: Mapped[datetime] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(default=0)
    #: Why the list could not be had.
    error: Mapped[str | None] = mapped_column(String(250))
    compared_at: Mapped[datetime | None] = mapped_column(Moment)

    #: Captured there; the same payments paid here, once what was missing was healed.
    there_count: Mapped[int] = mapped_column(default=0)
    there_sum: Mapped[Decimal] = mapped_column(Total, default=_NOTHING)
    here_count: Mapped[int] = mapped_column(default=0)
    here_sum: Mapped[Decimal] = mapped_column(Total, default=_NOTHING)
    #: Of what was captured there: money that stands in a case.
    case_sum: Mapped[Decimal] = mapped_column(Total, default=_NOTHING)
    refunds_there_count: Mapped[int] = mapped_column(default=0)
    refunds_there_sum: Mapped[Decimal] = mapped_column(Total, default=_NOTHING)
    refunds_here_count: Mapped[int] = mapped_column(default=0)
    refunds_here_sum: Mapped[Decimal] = mapped_column(Total, default=_NOTHING)
    fee_sum: Mapped[Decimal] = mapped_column(Total, default=_NOTHING)


class ReconciliationLine(Base):
    """One payment or refund that differed, and what was done about it."""

    __tablename__ = "reconciliation_lines"
    __table_args__ = (UniqueConstraint("day_id", "what", "gateway_object_id"),)

    id: Mapped[int] = identity()
    run_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("reconciliation_runs.id"), index=True)
    day_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("reconciliation_days.id"))
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    what: Mapped[Discrepancy] = mapped_column(one_of(Discrepancy, "what"))
    remedy: Mapped[Remedy] = mapped_column(one_of(Remedy, "remedy"))
    gateway_object_id: Mapped[str] = mapped_column(String(64))
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payments.id"))
    there_amount: Mapped[Decimal | None] = mapped_column(Amount)
    here_amount: Mapped[Decimal | None] = mapped_column(Amount)
    note: Mapped[str] = mapped_column(String(200), default="")
    found_at: Mapped[datetime] = mapped_column(Moment)

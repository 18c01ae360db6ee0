"""Money that went back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Amount, Moment, identity, one_of
from portal.models.payment import GatewayName


class RefundStatus(StrEnum):
    """Where a refund stands."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


#: The table of moves. What was given up may still turn out to have gone through: a truth that came late.
MOVES: Mapping[RefundStatus, frozenset[RefundStatus]] = {
    RefundStatus.PENDING: frozenset({RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.UNKNOWN}),
    RefundStatus.UNKNOWN: frozenset({RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.PENDING}),
    RefundStatus.FAILED: frozenset({RefundStatus.SUCCEEDED}),
    # A chargeback alone: the shop was right, and the bank gave the money back to it.
    RefundStatus.SUCCEEDED: frozenset({RefundStatus.FAILED}),
}

#: On its way: the money may still go back without another word of ours.
UNDER_WAY = frozenset({RefundStatus.PENDING, RefundStatus.UNKNOWN})


class RefundSource(StrEnum):
    """Who wanted it. GATEWAY: made in the gateway's own cabinet. BANK: a chargeback, which the shop did not
    make.
    """

    CUSTOMER = "customer"
    OPERATOR = "operator"
    GATEWAY = "gateway"
    BANK = "bank"


class Refund(Base):
    """One refund of one payment, whole or in part; or of money that was no order's, by the case it became."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("(payment_id IS NULL) = (case_id IS NOT NULL)", name="of_payment_or_case"),
        Index(
            "uq_refunds_gateway_refund_id",
            "gateway",
            "gateway_refund_id",
            unique=True,
            postgresql_where=text("gateway_refund_id IS NOT NULL"),
        ),
        Index("ix_refunds_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index(
            "ix_refunds_unlisted",
            "gateway",
            "finished_at",
            postgresql_where=text("status = 'succeeded' AND listed_at IS NULL"),
        ),
        Index(
            "ix_refunds_next_check_at", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")
        ),
        # What an operator gave back today.
        Index(
            "ix_refunds_ordered_by",
            "ordered_by",
            "created_at",
            postgresql_where=text("ordered_by IS NOT NULL"),
        ),
    )

    id: Mapped[int] = identity()
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payments.id"), index=True)
    #: The case whose money it is, where that was no order's.
    case_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("cases.id"), index=True)
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    gateway_refund_id: Mapped[str | None] = mapped_column(String(64))
    #: Idempotency key, stored before the call.
    key: Mapped[str] = mapped_column(String(36), unique=True)
    amount: Mapped[Decimal] = mapped_column(Amount)
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[RefundStatus] = mapped_column(one_of(RefundStatus, "status"), default=RefundStatus.PENDING)
    source: Mapped[RefundSource] = mapped_column(one_of(RefundSource, "source"))
    reason: Mapped[str] = mapped_column(String(250), default="")
    #: The operator who ordered it.
    ordered_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id"))
    #: One rendered form orders once, however often it is sent.
    form_key: Mapped[str | None] = mapped_column(String(36), unique=True)
    failure_code: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment)
    #: When the gateway first heard of the present key; keys are forgotten.
    called_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When it is carried on; empty when there is nothing left to do.
    next_check_at: Mapped[datetime | None] = mapped_column(Moment)
    checks: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When the gateway's own list, or its answer about this very refund, was first seen to agree.
    listed_at: Mapped[datetime | None] = mapped_column(Moment)


def may_move(old: RefundStatus, new: RefundStatus) -> bool:
    """Whether the table allows the move; staying is none."""
    return old is new or new in MOVES[old]

"""Quota that was used: append-only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity

#: How the keys of our own records begin, which a change of plan and its undoing write.
CARRIED, GIVEN_BACK = "carried:", "given back:"


class UsageRecord(Base):
    """So many e-mails out of one paid period. The caller's key makes a repeat count once."""

    __tablename__ = "usage_records"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index("uq_usage_records_key", "user_id", "idempotency_key", unique=True),
        Index("ix_usage_records_period", "purchased_plan_id", "created_at"),
    )

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"))
    purchased_plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("purchased_plans.id"))
    quantity: Mapped[int]
    idempotency_key: Mapped[str] = mapped_column(String(120))
    #: What was left in the period then: the answer to a repeat.
    emails_left: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)

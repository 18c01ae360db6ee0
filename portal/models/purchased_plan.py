"""One paid period of a plan."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity, one_of


class Revocation(StrEnum):
    """Why a period counts no more."""

    REFUNDED = "refunded"
    CANCELED = "canceled"
    #: Another plan took its place; its unused value was credited.
    REPLACED = "replaced"


class PurchasedPlan(Base):
    """One paid period, made by exactly one payment."""

    __tablename__ = "purchased_plans"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="period_forward"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_because IS NULL)", name="revoked_for_a_reason"),
        CheckConstraint("emails_used >= 0 AND emails_used <= email_quota", name="used_within_quota"),
        # A customer's other periods are told from it alone: the figures ask for each that begins or ends.
        Index(
            "ix_purchased_plans_user_id_ends_at",
            "user_id",
            "ends_at",
            postgresql_include=("starts_at", "revoked_at", "id"),
        ),
        Index("ix_purchased_plans_starts_at", "starts_at"),
        Index("ix_purchased_plans_ends_at", "ends_at"),
        Index(
            "ix_purchased_plans_revoked_because",
            "revoked_because",
            text("id DESC"),
            postgresql_where=text("revoked_because IS NOT NULL"),
        ),
        Index("ix_purchased_plans_over_at", text("LEAST(ends_at, revoked_at)")),
    )

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"))
    subscription_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("subscriptions.id"), index=True)
    payment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("payments.id"), unique=True)
    plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("plans.id"))
    plan_code: Mapped[str] = mapped_column(String(64))
    plan_title: Mapped[str] = mapped_column(String(120))
    starts_at: Mapped[datetime] = mapped_column(Moment)
    ends_at: Mapped[datetime] = mapped_column(Moment)
    email_quota: Mapped[int]
    emails_used: Mapped[int] = mapped_column(default=0)
    #: The money went back, or another plan took its place; the period counts no more.
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_because: Mapped[Revocation | None] = mapped_column(one_of(Revocation, "revoked_because"))
    created_at: Mapped[datetime] = mapped_column(Moment)

    @property
    def emails_left(self) -> int:
        """What may still be sent in this period."""
        return self.email_quota - self.emails_used

"""Existing subscribers moved to another price of their plan: announced, dated, and never charged unagreed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Amount, Moment, identity, one_of


class PriceOutcome(StrEnum):
    """How a subscriber came out of a move."""

    MOVED = "moved"
    #: A higher price that was not agreed to: renewal ended instead.
    STOPPED = "stopped"
    #: Nothing to move any more: no renewal, another plan, or that price already.
    LEFT = "left"
    CALLED_OFF = "called_off"


class PriceMove(Base):
    """The owner's decision about one plan."""

    __tablename__ = "price_moves"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("moves_at > created_at", name="announced_before"),
        Index("uq_price_moves_open", "plan_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[int] = identity()
    plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("plans.id"))
    amount: Mapped[Decimal] = mapped_column(Amount)
    currency: Mapped[str] = mapped_column(String(3))
    moves_at: Mapped[datetime] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(String(1000))
    created_at: Mapped[datetime] = mapped_column(Moment)
    called_off_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When nobody was left to move, or it was called off.
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class PriceNotice(Base):
    """One subscriber of a move: told when, what they agreed to, how it ended."""

    __tablename__ = "price_notices"
    __table_args__ = (
        UniqueConstraint("price_move_id", "subscription_id"),
        Index("ix_price_notices_look_at", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )

    id: Mapped[int] = identity()
    price_move_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("price_moves.id"))
    subscription_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("subscriptions.id"), index=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"), index=True)
    old_amount: Mapped[Decimal] = mapped_column(Amount)
    told_at: Mapped[datetime | None] = mapped_column(Moment)
    #: The agreement to the higher sum; in force from the move on.
    consent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("consents.id"))
    #: When there is something to do for it; empty when it is over.
    look_at: Mapped[datetime | None] = mapped_column(Moment)
    outcome: Mapped[PriceOutcome | None] = mapped_column(one_of(PriceOutcome, "outcome"))

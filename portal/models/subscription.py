"""The standing agreement with a customer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.database import Base
from portal.models.base import Moment, identity, one_of
from portal.models.plan import Plan


class SubscriptionStatus(StrEnum):
    """Where an agreement stands.

    "Will not renew" is a flag: the customer keeps what is paid until the period ends.
    """

    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELED = "canceled"
    EXPIRED = "expired"


MOVES: dict[SubscriptionStatus, frozenset[SubscriptionStatus]] = {
    SubscriptionStatus.ACTIVE: frozenset(
        {SubscriptionStatus.PAST_DUE, SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED}
    ),
    SubscriptionStatus.PAST_DUE: frozenset(
        {SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED}
    ),
    SubscriptionStatus.CANCELED: frozenset(),
    SubscriptionStatus.EXPIRED: frozenset(),
}


#: In these a customer has an agreement that may still be used or renewed.
LIVE = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


def may_move(old: SubscriptionStatus, new: SubscriptionStatus) -> bool:
    """Whether the table allows the move; staying is none."""
    return old is new or new in MOVES[old]


class Subscription(Base):
    """One run of service; a customer has at most one that lives."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("current_period_end >= current_period_start", name="period_forward"),
        Index(
            "uq_subscriptions_live",
            "user_id",
            unique=True,
            postgresql_where=text("status IN ('active', 'past_due')"),
        ),
        Index(
            "ix_subscriptions_live_end",
            "current_period_end",
            postgresql_where=text("status IN ('active', 'past_due')"),
        ),
        # What the scheduler looks through: its cost grows with what is due, not with what exists.
        Index("ix_subscriptions_look_at", "look_at", postgresql_where=text("look_at IS NOT NULL")),
        Index(
            "ix_subscriptions_charge_look_at",
            "charge_look_at",
            postgresql_where=text("charge_look_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"), index=True)
    #: The plan bought last: the one that a renewal would buy again.
    plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("plans.id"))
    status: Mapped[SubscriptionStatus] = mapped_column(
        one_of(SubscriptionStatus, "status"), default=SubscriptionStatus.ACTIVE
    )
    #: First and last moment of all that is paid without a gap.
    current_period_start: Mapped[datetime] = mapped_column(Moment)
    current_period_end: Mapped[datetime] = mapped_column(Moment)
    auto_renew: Mapped[bool] = mapped_column(default=False)
    payment_method_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment_methods.id"))
    #: The agreement in force: its terms are those of the next renewal.
    consent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("consents.id"))
    #: When the saved method is charged next; empty when it will not be.
    charge_due_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When the scheduler next hands the charge to a worker: then, or later when one has it already.
    charge_look_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When the next word to the customer, or the end, falls due.
    look_at: Mapped[datetime | None] = mapped_column(Moment)
    #: The charge is held back since then, because its notice could not be sent.
    held_since: Mapped[datetime | None] = mapped_column(Moment)
    #: While a renewal is being tried, what was paid may be used until then; otherwise the period's end.
    grace_until: Mapped[datetime | None] = mapped_column(Moment)
    #: The end whose renewal may be charged though its letter has not left: an operator saw to it.
    waived_for: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)

    plan: Mapped[Plan] = relationship(lazy="raise")

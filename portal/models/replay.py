"""Many notifications carried out once more: what was asked for, and how far it is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity, one_of
from portal.models.payment import GatewayName
from portal.models.webhook_event import EventStatus


class Replay(Base):
    """A range of the inbox that an operator asked to be replayed, oldest first."""

    __tablename__ = "replays"
    __table_args__ = (
        Index(
            "ix_replays_next_attempt_at",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = identity()
    created_at: Mapped[datetime] = mapped_column(Moment)
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id"))
    actor: Mapped[str] = mapped_column(String(254))
    address: Mapped[str] = mapped_column(String(45), default="")
    reason: Mapped[str] = mapped_column(Text)

    gateway: Mapped[GatewayName | None] = mapped_column(one_of(GatewayName, "gateway"))
    event_status: Mapped[EventStatus | None] = mapped_column(one_of(EventStatus, "event_status"))
    since: Mapped[datetime | None] = mapped_column(Moment)
    until: Mapped[datetime | None] = mapped_column(Moment)
    #: The newest notification when it was ordered: what comes later is none of its business.
    last_event_id: Mapped[int] = mapped_column(BigInteger)

    #: The notification that was done last.
    done_event_id: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    moved: Mapped[int] = mapped_column(default=0)
    cases: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    #: When it is carried on; empty when it is over.
    next_attempt_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)

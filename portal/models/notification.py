"""The outbox of words to customers: one row per event and channel, written with what it tells about."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity, one_of


class Channel(StrEnum):
    """Where the customer reads it."""

    PORTAL = "portal"
    EMAIL = "email"


class Notification(Base):
    """One message to one customer by one channel, sent once however often its cause is retried."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index(
            "ix_notifications_unsent",
            "next_attempt_at",
            postgresql_where=text("sent_at IS NULL AND channel = 'email'"),
        ),
        Index("ix_notifications_of_user", "user_id", text("id DESC")),
    )

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    #: payment_succeeded, payment_failed, confirm_email, ...: the name of the letter's template.
    kind: Mapped[str] = mapped_column(String(40))
    #: Where a letter goes instead of the account's address: to one that is not it yet, or not it any more.
    address: Mapped[str | None] = mapped_column(String(254))
    channel: Mapped[Channel] = mapped_column(one_of(Channel, "channel"))
    #: Event and channel: the second attempt to say the same thing conflicts here.
    dedupe_key: Mapped[str] = mapped_column(String(120), unique=True)
    #: Facts for the template; nothing secret.
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    created_at: Mapped[datetime] = mapped_column(Moment)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    read_at: Mapped[datetime | None] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(Moment)
    last_error: Mapped[str | None] = mapped_column(Text)
    #: The letter that an operator sent once more by this one.
    copy_of_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("notifications.id", ondelete="CASCADE")
    )

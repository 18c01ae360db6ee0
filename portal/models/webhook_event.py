"""The inbox: what gateways told us, exactly as it came."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, Sealed, identity, one_of
from portal.models.payment import GatewayName


class EventStatus(StrEnum):
    """received -> handled | ignored | case. A case waits for a person."""

    RECEIVED = "received"
    HANDLED = "handled"
    IGNORED = "ignored"
    CASE = "case"


#: Among an event's headers, the name of the one whose signature was right stands under this.
PROVED_BY = "proved by"


class WebhookEvent(Base):
    """One authentic notification. The row is committed before the gateway gets its answer."""

    __tablename__ = "webhook_events"
    __table_args__ = (
        Index("ix_webhook_events_waiting", "next_attempt_at", postgresql_where=text("status = 'received'")),
    )

    id: Mapped[int] = identity()
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    #: Pay, Fail, ... or payment.succeeded, ...: told from the body, not from the URL.
    kind: Mapped[str] = mapped_column(String(40))
    #: Kind and SHA-256 of the bytes: a repeated delivery conflicts here and costs nothing more.
    dedupe_key: Mapped[str] = mapped_column(String(120), unique=True)
    #: Encrypted at rest, since CloudPayments sends card tokens; in Python the bytes exactly as received.
    raw_payload: Mapped[bytes] = mapped_column(Sealed)
    content_type: Mapped[str] = mapped_column(String(120), default="")
    #: The URL's kind where the gateway has one URL per kind.
    url_kind: Mapped[str | None] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(45), default="")
    #: Headers that tell who called and which signature was right; signatures by their beginning only.
    headers: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict, server_default=text("'{}'::jsonb"))
    #: The object it speaks of, in the gateway's words.
    gateway_object_id: Mapped[str | None] = mapped_column(String(64), index=True)
    #: For the runbook (WebhookLog's metadata.billing_mode): as the notification says it, or as the payment
    #: that it turned out to speak of has it.
    billing_mode: Mapped[str | None] = mapped_column(String(20))
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payments.id"), index=True)
    status: Mapped[EventStatus] = mapped_column(one_of(EventStatus, "status"), default=EventStatus.RECEIVED)
    #: One line on why it was ignored or became a case.
    verdict: Mapped[str] = mapped_column(String(200), default="")
    received_at: Mapped[datetime] = mapped_column(Moment)
    handled_at: Mapped[datetime | None] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(Moment)
    last_error: Mapped[str | None] = mapped_column(Text)

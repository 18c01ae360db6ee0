"""What the portal would not decide alone: a person looks, with the money visible."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Amount, Moment, identity, one_of
from portal.models.payment import GatewayName


class CaseKind(StrEnum):
    """What does not fit."""

    UNKNOWN_PAYMENT = "unknown_payment"
    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    ACCOUNT_MISMATCH = "account_mismatch"
    SHOP_MISMATCH = "shop_mismatch"
    TEST_MODE_MISMATCH = "test_mode_mismatch"
    GATEWAY_MISMATCH = "gateway_mismatch"
    SECOND_CAPTURE = "second_capture"
    UNKNOWN_REFUND = "unknown_refund"
    REFUND_ABOVE_CAPTURE = "refund_above_capture"
    UNKNOWN_TOO_OLD = "unknown_too_old"
    UNREADABLE = "unreadable"
    REFUND_FAILED = "refund_failed"
    RENEWAL_REFUSED = "renewal_refused"
    NOTICE_UNSENT = "notice_unsent"
    #: The customer's bank took the money back, or gave it back to the shop.
    CHARGEBACK = "chargeback"
    #: A gateway's list differs from ours.
    DRIFT = "drift"


class CaseChoice(StrEnum):
    """What was decided. A case that settled itself was decided by nobody."""

    GIVE_BACK = "give_back"
    ACCEPT = "accept"
    DECLARE_FAILED = "declare_failed"
    TRY_AGAIN = "try_again"
    BY_HAND = "by_hand"
    STOP = "stop"
    RELEASE = "release"
    END_PLAN = "end_plan"
    #: The money is with the shop after all.
    WON = "won"
    CLOSE = "close"
    #: What was asked about turned out to be decided.
    ITSELF = "itself"


class Case(Base):
    """One fact at a gateway that does not fit ours. Repeats of the same fact are the same case."""

    __tablename__ = "cases"
    __table_args__ = (Index("ix_cases_open", "opened_at", postgresql_where=text("resolved_at IS NULL")),)

    id: Mapped[int] = identity()
    kind: Mapped[CaseKind] = mapped_column(one_of(CaseKind, "kind"))
    dedupe_key: Mapped[str] = mapped_column(String(160), unique=True)
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    gateway_payment_id: Mapped[str | None] = mapped_column(String(64))
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payments.id"), index=True)
    #: The money in question, as the gateway says it.
    amount: Mapped[Decimal | None] = mapped_column(Amount)
    currency: Mapped[str | None] = mapped_column(String(8))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    opened_at: Mapped[datetime] = mapped_column(Moment)
    resolved_at: Mapped[datetime | None] = mapped_column(Moment)
    resolution: Mapped[CaseChoice | None] = mapped_column(one_of(CaseChoice, "resolution"))
    #: Who decided; empty for what settled itself.
    resolved_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id"))
    resolution_note: Mapped[str] = mapped_column(Text, default="", server_default="")

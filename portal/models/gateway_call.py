"""What the portal asked of a gateway about one payment or refund, and what it heard."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity, one_of


class Operation(StrEnum):
    """What was asked."""

    START = "start"
    CHARGE = "charge"
    ASK = "ask"
    REFUND = "refund"


class GatewayCall(Base):
    """One call; calls in a row that brought the same answer are one row that counts them."""

    __tablename__ = "gateway_calls"

    id: Mapped[int] = identity()
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payments.id"), index=True)
    refund_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("refunds.id"), index=True)
    operation: Mapped[Operation] = mapped_column(one_of(Operation, "operation"))
    #: The state that the gateway told of, or the code of an answer that could not be used.
    said: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(String(250), default="")
    at: Mapped[datetime] = mapped_column(Moment)
    last_at: Mapped[datetime] = mapped_column(Moment)
    times: Mapped[int] = mapped_column(default=1)

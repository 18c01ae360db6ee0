"""The moves of a payment from state to state, as its story keeps them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity, one_of
from portal.models.payment import PaymentStatus


class PaymentMove(Base):
    """One move, written by the statement that makes it. A second refusal of the same order is one too."""

    __tablename__ = "payment_moves"

    id: Mapped[int] = identity()
    payment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("payments.id"), index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    before: Mapped[PaymentStatus] = mapped_column(one_of(PaymentStatus, "before"))
    after: Mapped[PaymentStatus] = mapped_column(one_of(PaymentStatus, "after"))
    #: The gateway's or our code, where it was refused.
    code: Mapped[str | None] = mapped_column(String(64))

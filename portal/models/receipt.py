"""A fiscal receipt that a gateway's cash register reported (54-ФЗ; cloudpayments.md 3.6)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity, one_of
from portal.models.payment import GatewayName


class Receipt(Base):
    """One receipt as the register made it."""

    __tablename__ = "receipts"

    id: Mapped[int] = identity()
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payments.id"), index=True)
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    gateway_receipt_id: Mapped[str] = mapped_column(String(64), unique=True)
    #: Income, IncomeReturn, Expense, ExpenseReturn.
    kind: Mapped[str] = mapped_column(String(20))
    #: Where the customer may read it.
    url: Mapped[str] = mapped_column(String(1024), default="")
    #: Fiscal attributes as reported.
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    created_at: Mapped[datetime] = mapped_column(Moment)

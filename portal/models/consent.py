"""The evidence that a customer let us keep a method."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Amount, Moment, identity


class Consent(Base):
    """What a customer agreed to when a method was to be kept: the words, the sum, the moment, the place."""

    __tablename__ = "consents"

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"), index=True)
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payments.id"), index=True)
    text_version: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(Amount)
    currency: Mapped[str] = mapped_column(String(3))
    period_days: Mapped[int]
    # The rest of the terms on which renewals are charged: editing a plan changes no agreement.
    plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("plans.id"))
    plan_code: Mapped[str] = mapped_column(String(64))
    plan_title: Mapped[str] = mapped_column(String(120))
    email_quota: Mapped[int]
    address: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(255))
    given_at: Mapped[datetime] = mapped_column(Moment)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)
    #: stopped, unlinked, replaced, canceled, ended, refunded, operator, not_saved (billing.stopping.Because)
    withdrawn_because: Mapped[str | None] = mapped_column(String(20))

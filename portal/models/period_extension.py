"""Days that an operator gave to a paid period."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity


class PeriodExtension(Base):
    """So many days more than were paid for: a period is as long as its payment bought and its extensions
    gave.
    """

    __tablename__ = "period_extensions"
    __table_args__ = (CheckConstraint("days > 0", name="days_positive"),)

    id: Mapped[int] = identity()
    purchased_plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("purchased_plans.id"), index=True)
    days: Mapped[int]
    reason: Mapped[str] = mapped_column(String(250))
    #: Who gave them; empty for the command line.
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id"))
    #: One rendered form gives once, however often it is sent.
    form_key: Mapped[str] = mapped_column(String(36), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)

"""When what runs by itself last ran, and how it went."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment


class ScheduleRun(Base):
    """One schedule's last runs: the last at all, and the last that failed."""

    __tablename__ = "schedule_runs"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    ran_at: Mapped[datetime | None] = mapped_column(Moment)
    result: Mapped[str] = mapped_column(String(200), default="")
    failed_at: Mapped[datetime | None] = mapped_column(Moment)
    error: Mapped[str] = mapped_column(String(200), default="")

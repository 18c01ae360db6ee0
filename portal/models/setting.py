"""What an operator set at run time; it stands above the environment's first value."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, Sealed


class Setting(Base):
    """One setting: a plain value, or a sealed one for a secret."""

    __tablename__ = "settings"
    __table_args__ = (CheckConstraint("value IS NULL OR secret IS NULL", name="plain_or_sealed"),)

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[bytes | None] = mapped_column(Sealed)
    updated_at: Mapped[datetime] = mapped_column(Moment)

"""Keys by which the shop's own product asks what a customer may use."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity


class ApiKey(Base):
    """One key. Only its hash is kept: the key itself is shown once, when it is made."""

    __tablename__ = "api_keys"

    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(String(120))
    #: The key's first characters, to tell keys apart on a screen.
    prefix: Mapped[str] = mapped_column(String(16))
    #: SHA-256; a key is random and long, so nothing slower is needed.
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)

"""A sign-in that can be ended from our side, which a signed cookie alone cannot."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.database import Base
from portal.models.base import Moment, identity
from portal.models.user import User


class UserSession(Base):
    """One sign-in on one browser. The cookie carries its key; the database keeps only the key's SHA-256."""

    __tablename__ = "user_sessions"

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    #: Moved at most once a minute.
    seen_at: Mapped[datetime] = mapped_column(Moment)
    #: When this browser last proved its person by the password, and by a code of the phone: the desk asks.
    password_at: Mapped[datetime | None] = mapped_column(Moment)
    code_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When the desk was last used; moved at most once a minute.
    desk_seen_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)

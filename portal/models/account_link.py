"""A link in a letter: to confirm an address, to take another one, or to set a new password."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity, one_of


class LinkPurpose(StrEnum):
    """What opening the link is good for."""

    CONFIRM_EMAIL = "confirm_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, not a password
    CHANGE_EMAIL = "change_email"


class AccountLink(Base):
    """One signed, expiring link that works once.

    The link itself is made when the letter is, from this row's id and SECRET_KEY.
    """

    __tablename__ = "account_links"

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[LinkPurpose] = mapped_column(one_of(LinkPurpose, "purpose"))
    #: The address it was sent to, which is the wanted one where the account's is to change. A link dies when
    #: the account's address changes.
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)

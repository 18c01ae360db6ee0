"""Who signs in and pays."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, Sealed, identity, one_of
from portal.wording import SOURCE


class Role(StrEnum):
    """What an operator may do at the desk; each may all that the one before it may."""

    #: Looks and changes nothing.
    VIEWER = "viewer"
    #: Serves customers, and gives money back up to a daily sum.
    SUPPORT = "support"
    #: Everything.
    OWNER = "owner"


_RANK: Mapping[Role, int] = {role: rank for rank, role in enumerate(Role)}


class User(Base):
    """A customer, or an operator where ``role`` names one."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint("language IN ('ru', 'en')", name="language_known"),
        # The desk searches by any part of an address.
        Index(
            "ix_users_email_parts",
            "email",
            postgresql_using="gin",
            postgresql_ops={"email": "gin_trgm_ops"},
        ),
    )

    id: Mapped[int] = identity()
    #: What gateways know the payer by (CloudPayments' AccountId): tells a stranger nothing.
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=lambda: str(uuid.uuid4()))
    #: Lower case, the way it is compared.
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    #: In which letters are written; pages follow the browser's choice.
    language: Mapped[str] = mapped_column(String(2), default=SOURCE, server_default=SOURCE)
    role: Mapped[Role | None] = mapped_column(one_of(Role, "role"))
    #: Made by ``make run``; a production start refuses to serve while one exists.
    is_demo: Mapped[bool] = mapped_column(default=False)
    email_confirmed_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When the privacy terms were accepted.
    privacy_accepted_at: Mapped[datetime | None] = mapped_column(Moment)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When the owner closed it last; stays when it is opened again. Money for orders made before goes back.
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    #: The key that the operator's phone shares with us (RFC 6238); it counts once a code proved that it does.
    totp_secret: Mapped[bytes | None] = mapped_column(Sealed)
    totp_since: Mapped[datetime | None] = mapped_column(Moment)
    #: The half minute whose code was used last: a code that was seen over a shoulder is of no more use.
    totp_last_step: Mapped[int | None]

    @property
    def is_admin(self) -> bool:
        """Whether this is an operator, of whatever role."""
        return self.role is not None

    def may(self, least: Role) -> bool:
        """Whether this is an operator whose role is *least* or above."""
        return self.role is not None and _RANK[self.role] >= _RANK[least]

    @property
    def is_active(self) -> bool:
        """Flask-Login's word: may this person be signed in?"""
        return self.disabled_at is None

    @property
    def is_authenticated(self) -> bool:
        """Flask-Login's word: a loaded user is one who signed in."""
        return True

    @property
    def is_anonymous(self) -> bool:
        """Flask-Login's word."""
        return False

    def __repr__(self) -> str:
        """No address in a log."""
        return f"<User {self.id}>"

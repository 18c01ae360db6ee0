"""Who signs in and pays."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity


class User(Base):
    """A customer, or an operator where ``is_admin`` says so."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email_lower"),)

    id: Mapped[int] = identity()
    #: What gateways know the payer by (CloudPayments' AccountId): tells a stranger nothing.
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=lambda: str(uuid.uuid4()))
    #: Lower case, the way it is compared.
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    is_admin: Mapped[bool] = mapped_column(default=False)
    #: Made by ``make run``; a production start refuses to serve while one exists.
    is_demo: Mapped[bool] = mapped_column(default=False)
    email_confirmed_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When the privacy terms were accepted.
    privacy_accepted_at: Mapped[datetime | None] = mapped_column(Moment)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)

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

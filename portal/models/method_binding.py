"""A zero-amount binding on its way: the customer saves a method without paying (yookassa.md 3.4)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity, one_of
from portal.models.payment import GatewayName


class BindingStatus(StrEnum):
    """Where a binding stands.

    There is no notification of a failure: it is asked about until its hour has passed.
    """

    PENDING = "pending"
    ACTIVE = "active"
    FAILED = "failed"


class MethodBinding(Base):
    """One request to save a method."""

    __tablename__ = "method_bindings"
    __table_args__ = (
        Index(
            "ix_method_bindings_next_check_at",
            "next_check_at",
            postgresql_where=text("next_check_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = identity()
    #: Public id and idempotency key.
    key: Mapped[str] = mapped_column(String(36), unique=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"), index=True)
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    gateway_method_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    status: Mapped[BindingStatus] = mapped_column(
        one_of(BindingStatus, "status"), default=BindingStatus.PENDING
    )
    confirmation_url: Mapped[str | None] = mapped_column(String(2048))
    payment_method_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment_methods.id"))
    created_at: Mapped[datetime] = mapped_column(Moment)
    next_check_at: Mapped[datetime | None] = mapped_column(Moment)
    checks: Mapped[int] = mapped_column(default=0)

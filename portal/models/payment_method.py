"""Methods that a customer let us keep."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, Sealed, identity, one_of
from portal.models.payment import GatewayName


class PaymentMethod(Base):
    """A card, or SBP, SberPay, a wallet, that a gateway will charge again for us.

    Unlinking erases the token.
    """

    __tablename__ = "payment_methods"
    __table_args__ = (
        CheckConstraint("(token IS NULL) = (detached_at IS NOT NULL)", name="token_erased_when_detached"),
        Index(
            "uq_payment_methods_live",
            "user_id",
            "gateway",
            "fingerprint",
            unique=True,
            postgresql_where=text("detached_at IS NULL"),
        ),
        Index("ix_payment_methods_last4", "last4", postgresql_where=text("last4 IS NOT NULL")),
    )

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"), index=True)
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    #: Encrypted at rest; empty once detached.
    token: Mapped[bytes | None] = mapped_column(Sealed)
    #: Keyed hash of the token: the same method saved twice is one row.
    fingerprint: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    title: Mapped[str] = mapped_column(String(120))
    last4: Mapped[str | None] = mapped_column(String(4))
    brand: Mapped[str | None] = mapped_column(String(32))
    expiry_month: Mapped[int | None]
    expiry_year: Mapped[int | None]
    bank: Mapped[str | None] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(Moment)
    #: When the customer last chose it; the latest is the one to charge.
    preferred_at: Mapped[datetime] = mapped_column(Moment)
    #: A refusal that forbids another try (gateways.declines, STOP), and its code.
    stopped_at: Mapped[datetime | None] = mapped_column(Moment)
    stop_code: Mapped[str | None] = mapped_column(String(64))
    detached_at: Mapped[datetime | None] = mapped_column(Moment)

"""What can be bought."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Amount, Moment, identity


class Plan(Base):
    """A tariff: so many e-mails for so many days at a price.

    What was bought is frozen elsewhere; editing a plan changes no purchase.
    """

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint("price > 0", name="price_positive"),
        CheckConstraint("discount >= 0 AND discount < price", name="discount_below_price"),
        CheckConstraint("period_days > 0", name="period_positive"),
        CheckConstraint("email_quota >= 0", name="quota_not_negative"),
    )

    id: Mapped[int] = identity()
    #: Stable, in URLs and in the gateways' metadata: PRO_MONTHLY.
    code: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text, default="")
    #: The list price, in roubles.
    price: Mapped[Decimal] = mapped_column(Amount)
    #: Taken off the list price, in roubles.
    discount: Mapped[Decimal] = mapped_column(Amount, default=Decimal("0.00"))
    currency: Mapped[str] = mapped_column(String(3), default="RUB")
    period_days: Mapped[int]
    #: E-mails in one period.
    email_quota: Mapped[int]
    on_sale: Mapped[bool] = mapped_column(default=True)
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)

    def get_final_price(self) -> Decimal:
        """What is charged: the list price less the discount, in roubles."""
        return self.price - self.discount

    def __repr__(self) -> str:
        """The code says which."""
        return f"<Plan {self.code}>"

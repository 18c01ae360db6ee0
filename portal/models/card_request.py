"""Who was asked by letter to save a card at the other gateway, so that nobody is asked twice by accident."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import Moment, identity, one_of
from portal.models.payment import GatewayName


class CardRequest(Base):
    """One customer asked towards one gateway, and when for the last time."""

    __tablename__ = "card_requests"
    __table_args__ = (UniqueConstraint("user_id", "gateway", name="uq_card_requests_user_id_gateway"),)

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    #: Where the card is to be saved.
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    times: Mapped[int]
    asked_at: Mapped[datetime] = mapped_column(Moment)
    #: The form by which they were asked last: sent twice, it asks once.
    form_key: Mapped[str] = mapped_column(String(36))

"""What the shop's statistics are added up from: figures of days that are over, and what changed since."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import ARRAY, Boolean, Date, DateTime, Index, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base
from portal.models.base import identity, one_of


class FigureFamily(StrEnum):
    """Figures that are counted together, and a day of which is closed at once."""

    PAYMENTS = "payments"
    PERIODS = "periods"
    RENEWALS = "renewals"


class FigureDay(Base):
    """A day that is over and whose figures of one family are written down."""

    __tablename__ = "figure_days"

    #: The clock by which it is a day: a shop that moves to another zone counts anew.
    zone: Mapped[str] = mapped_column(String(64), primary_key=True)
    family: Mapped[FigureFamily] = mapped_column(one_of(FigureFamily, "family"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)


class DailyFigure(Base):
    """One figure of one closed day, for one kind of payments. Computed from the rows, never edited."""

    __tablename__ = "daily_figures"
    __table_args__ = (Index("ix_daily_figures_day", "zone", "family", "day"),)

    id: Mapped[int] = identity()
    zone: Mapped[str] = mapped_column(String(64))
    family: Mapped[FigureFamily] = mapped_column(one_of(FigureFamily, "family"))
    day: Mapped[date] = mapped_column(Date)
    gateway: Mapped[str] = mapped_column(String(20))
    billing_mode: Mapped[str] = mapped_column(String(20))
    test_mode: Mapped[bool] = mapped_column(Boolean)
    purpose: Mapped[str] = mapped_column(String(20))
    plan_code: Mapped[str] = mapped_column(String(64))
    #: Which figure: portal.billing.figures says what each of them counts.
    name: Mapped[str] = mapped_column(String(20))
    #: Its part: an outcome, a reason, a source.
    detail: Mapped[str] = mapped_column(String(64))
    n: Mapped[int]
    amount: Mapped[Decimal] = mapped_column(Numeric(18, 2))


class FigureTouch(Base):
    """Moments whose days count otherwise since a row was changed: written by triggers, with that change."""

    __tablename__ = "figure_touches"

    id: Mapped[int] = identity()
    moments: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))

"""What a card says about a plan, wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from portal.models import Plan
from portal.money import KOPECK

#: From this many days on a plan is shown as one for a year, with its price per month.
YEAR_DAYS = 360
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Offer:
    """One plan as a card shows it, in roubles. The price is exact, what compares it is rounded."""

    plan: Plan
    price: Decimal
    list_price: Decimal | None
    saving: Decimal | None
    saving_percent: int  # rounded down: never more than there is
    per_month: Decimal | None
    per_thousand: Decimal | None
    is_mine: bool = False

    @classmethod
    def of(cls, plan: Plan, *, mine: str | None = None) -> Offer:
        """What a card says about *plan*; *mine* is the code of the plan that the reader has now."""
        price = plan.get_final_price()
        yearly = plan.period_days >= YEAR_DAYS
        return cls(
            plan=plan,
            price=price,
            list_price=plan.price if plan.discount else None,
            saving=plan.discount or None,
            saving_percent=int(plan.discount * 100 // plan.price),
            per_month=_rounded(price / _MONTHS) if yearly else None,
            per_thousand=_rounded(price * 1000 / plan.email_quota) if plan.email_quota >= 1000 else None,
            is_mine=plan.code == mine,
        )


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(KOPECK, ROUND_HALF_UP)

"""The home page and the tariffs on sale: also for a visitor."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from flask import Blueprint, render_template
from flask_login import current_user

from portal import clock
from portal.billing import plans, subscriptions
from portal.models import Plan
from portal.money import KOPECK

bp = Blueprint("plans", __name__)

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
            per_month=_rounded(price / _MONTHS) if yearly else None,
            per_thousand=_rounded(price * 1000 / plan.email_quota) if plan.email_quota >= 1000 else None,
            is_mine=plan.code == mine,
        )


@bp.get("/")
def home() -> str:
    """What this place is, and what it costs."""
    return render_template(
        "plans/home.html", monthly=[offer for offer in _offers() if offer.per_month is None]
    )


@bp.get("/plans")
def index() -> str:
    """All plans on sale, the monthly ones first."""
    offers = _offers()
    return render_template(
        "plans/index.html",
        monthly=[offer for offer in offers if offer.per_month is None],
        yearly=[offer for offer in offers if offer.per_month is not None],
    )


def _offers() -> list[Offer]:
    mine = _my_plan()
    return [Offer.of(plan, mine=mine) for plan in plans.on_sale()]


def _my_plan() -> str | None:
    """The code of the plan that the reader has now."""
    if not current_user.is_authenticated:
        return None
    current = subscriptions.standing(current_user.id, clock.now()).current
    return current.plan_code if current else None


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(KOPECK, ROUND_HALF_UP)

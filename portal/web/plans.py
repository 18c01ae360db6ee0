"""The home page and the tariffs on sale: also for a visitor."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask_login import current_user

from portal import clock
from portal.billing import checkout, doors, plans, subscriptions
from portal.billing.offers import Offer

bp = Blueprint("plans", __name__)


@bp.get("/")
def home() -> str:
    """What this place is, what it costs, and what people ask before they pay."""
    offers, gateways = _offers(), doors.offered()
    quotas = [offer.plan.email_quota for offer in offers]
    return render_template(
        "plans/home.html",
        monthly=_for(offers, "month"),
        has_yearly=bool(_for(offers, "year")),
        least=min(quotas, default=0),
        most=max(quotas, default=0),
        recurring=checkout.recurring_offered(),
        closed=not gateways,
        only=gateways[0] if len(gateways) == 1 else None,
    )


@bp.get("/plans")
def index() -> str:
    """The plans for a month or, with ``?period=year``, for a year; below them all plans side by side."""
    offers = _offers()
    ways = [period for period in ("month", "year") if _for(offers, period)]
    wanted = request.args.get("period", "")
    period = wanted if wanted in ways else next(iter(ways), "month")
    return render_template(
        "plans/index.html",
        shown=_for(offers, period),
        everything=offers,
        ways=ways,
        period=period,
        savings=sorted({offer.saving_percent for offer in _for(offers, "year")}),
        recurring=checkout.recurring_offered(),
        closed=not doors.offered(),
    )


def _for(offers: list[Offer], period: str) -> list[Offer]:
    """Those of *offers* that are for a year, or those that are not."""
    return [offer for offer in offers if (offer.per_month is not None) == (period == "year")]


def _offers() -> list[Offer]:
    mine = _my_plan()
    return [Offer.of(plan, mine=mine) for plan in plans.on_sale()]


def _my_plan() -> str | None:
    """The code of the plan that the reader has now."""
    if not current_user.is_authenticated:
        return None
    current = subscriptions.standing(current_user.id, clock.now()).current
    return current.plan_code if current else None

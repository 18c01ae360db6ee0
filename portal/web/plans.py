"""The home page and the tariffs on sale: also for a visitor."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_login import current_user

from portal import clock
from portal.billing import plans, subscriptions
from portal.billing.offers import Offer

bp = Blueprint("plans", __name__)


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

"""The customer's own pages: what is left, what was paid, what was told."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, render_template
from flask_login import current_user, login_required

from portal import clock
from portal.billing import (
    daily_use,
    leading,
    notices,
    outlook,
    payments,
    plan_changes,
    plans,
    refunds,
    subscriptions,
)
from portal.billing.daily_use import DailyUse
from portal.billing.subscriptions import Standing
from portal.models import PaymentStatus
from portal.web import use_chart, words

bp = Blueprint("dashboard", __name__, url_prefix="/dashboard")

_LAST = 5
_NOTICES = 5


@bp.get("/")
@login_required
def show() -> str:
    """Plan and status, what is left, renewal, the saved method, the last payments and notices."""
    now = clock.now()
    last = payments.history(current_user.id, _LAST, None)
    undecided = {PaymentStatus.UNKNOWN, PaymentStatus.AUTHORIZED}
    standing = subscriptions.standing(current_user.id, now)
    use = daily_use.of(current_user.id, now)
    return render_template(
        "dashboard/show.html",
        now=now,
        standing=standing,
        outlook=outlook.of(standing, now),
        may_buy_again=standing.current is not None and plans.is_on_sale(standing.current.plan_code),
        coming=plan_changes.coming_after(standing),
        use=use,
        chart=use_chart.drawn(use) if use else None,
        lasts=_lasts(use, standing),
        payments=last.payments,
        going_back=refunds.going_back(payment.id for payment in last.payments),
        more_payments=last.next_cursor is not None,
        lead_to=leading.asked_to(current_user.id),
        undecided=next((payment for payment in last.payments if payment.status in undecided), None),
        notices=[told for told in map(words.told, notices.recent(current_user.id, _NOTICES)) if told],
    )


def _lasts(use: DailyUse | None, standing: Standing) -> date | str:
    """Whether the e-mails last until the end of the period at the present pace ("enough"), or the day on
    which they run out; empty where the pace says nothing.
    """
    current = standing.current
    if use is None or not use.pace or current is None or standing.ends_at is None or not current.emails_left:
        return ""
    return use.runs_out_before(current.emails_left, current.ends_at) or "enough"

"""Another plan: what each would mean, what the chosen one means to the kopeck, and the click that does it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_required

from portal import clock, written
from portal.billing import changing, checkout, doors, plan_changes
from portal.billing.changing import ChangedMeanwhile, ChangeMustWait, Done
from portal.billing.plan_changes import Choice, Means, Situation
from portal.database import db
from portal.errors import PortalError
from portal.gateways.base import GatewayError, GatewayForbidden, GatewayUnknown
from portal.models import Plan, User
from portal.web import headers
from portal.web.api import client_info, take_turn
from portal.web.checkout import lead
from portal.web.forms import ChangeForm

bp = Blueprint("plan_changes", __name__, url_prefix="/dashboard/plan")


@bp.get("")
@login_required
def index() -> str:
    """The plans side by side: what each would cost now, or from when on it would follow."""
    now = clock.now()
    seen = plan_changes.situation(db.session(), current_user.id, now)
    return render_template(
        "dashboard/plans.html",
        choices=plan_changes.choices(seen, now),
        seen=seen,
        coming=plan_changes.coming(seen),
    )


@bp.get("/<plan_code>")
@login_required
def show(plan_code: str) -> ResponseReturnValue:
    """What the click will do, before it; a plan that is simply bought has the checkout for a page."""
    now = clock.now()
    plan = plan_changes.plan_by_code(current_user.id, plan_code, now)
    seen = plan_changes.situation(db.session(), current_user.id, now)
    choice = plan_changes.choose(db.session(), seen, plan, now)
    if choice.means in {Means.BUY, Means.NOTHING}:
        return _nothing_to_change(choice)
    return _page(seen, choice, _form(seen), now)


@bp.post("")
@login_required
def change() -> ResponseReturnValue:
    """Carry it out: to the payment for an upgrade, else back to the dashboard with what was arranged."""
    now = clock.now()
    plan = plan_changes.plan_by_code(current_user.id, request.form.get("plan_code", ""), now)
    seen = plan_changes.situation(db.session(), current_user.id, now)
    form = _form(seen)
    if not form.validate():
        return _page(seen, plan_changes.choose(db.session(), seen, plan, now), form, now), 400
    try:
        done = _change(plan, form, now)
    except GatewayForbidden:
        raise  # the whole shop lacks a right: a page of its own says so
    except GatewayUnknown as error:
        return _left_undecided(plan, form, error, now)
    except (GatewayError, ChangeMustWait, ChangedMeanwhile) as error:
        return _again(plan, form, error, now)
    if done.order is not None:
        return lead(done.order)
    if done.choice.means in {Means.BUY, Means.NOTHING}:
        return _nothing_to_change(done.choice)
    flash(_arranged(done.choice), "good")
    return redirect(url_for("dashboard.show"), 303)


def _change(plan: Plan, form: Any, now: datetime) -> Done:
    take_turn(current_user.id)
    return changing.change(
        db.session.get_one(User, current_user.id),
        plan.code,
        form.gateway.data,
        accept_recurring=bool("accept_recurring" in form and form.accept_recurring.data),
        client=client_info(),
        now=now,
    )


def _form(seen: Situation) -> Any:
    """The way that renewals are paid is offered first; where renewal is on there is no box to tick."""
    saved = seen.renewal.method.gateway.value if seen.renewal else None
    return ChangeForm.offering(
        doors.offered(),
        recurring=checkout.recurring_offered() and seen.renewal is None,
        preferred=request.args.get("gateway") or saved,
    )


def _left_undecided(plan: Plan, form: Any, error: GatewayUnknown, now: datetime) -> ResponseReturnValue:
    """Nobody knows what became of the order: the return page asks, and tells."""
    left = checkout.preview(current_user.id, plan, now).open_payment
    if left is None:
        return _again(plan, form, error, now)
    return redirect(url_for("payment.come_back", transaction_id=left.transaction_id), 303)


def _again(plan: Plan, form: Any, error: PortalError, now: datetime) -> ResponseReturnValue:
    """The page once more, with why it was not done."""
    seen = plan_changes.situation(db.session(), current_user.id, now)
    choice = plan_changes.choose(db.session(), seen, plan, now)
    return _page(seen, choice, form, now, trouble=error), error.status


def _page(
    seen: Situation, choice: Choice, form: Any, now: datetime, trouble: PortalError | None = None
) -> str:
    headers.allow_payment_page()
    return render_template(
        "dashboard/plan.html",
        seen=seen,
        choice=choice,
        form=form,
        trouble=trouble,
        now=now,
        gateways=doors.offered(),
        must_wait=changing.must_wait(seen.undecided) if seen.undecided and trouble is None else None,
    )


def _nothing_to_change(choice: Choice) -> ResponseReturnValue:
    if choice.means is Means.BUY:
        return redirect(url_for("checkout.show", plan_code=choice.plan.code), 303)
    flash(_("Тариф «%(title)s» уже выбран, менять нечего.", title=choice.plan.title), "info")
    return redirect(url_for("plan_changes.index"), 303)


def _arranged(choice: Choice) -> str:
    title, since = choice.plan.title, written.day(choice.starts_at or clock.now())
    sum_ = written.money(choice.price, choice.plan.currency)
    if choice.means is Means.STAY:
        return _("Тариф «%(title)s» остаётся. Следующее продление: %(sum)s.", title=title, sum=sum_)
    return _(
        "С %(day)s — тариф «%(title)s», %(sum)s. До списания можно передумать.",
        day=since,
        title=title,
        sum=sum_,
    )

"""The customer's renewal: switched off and on, paid after a refusal, and what was agreed to."""

from __future__ import annotations

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_required

from portal import clock
from portal.billing import agreements, consents, outlook, overdue, price_notices, subscriptions
from portal.billing.agreements import Offer
from portal.errors import InvalidRequest
from portal.web import paying
from portal.web.api import client_info

bp = Blueprint("renewal", __name__)


@bp.get("/dashboard/renewal")
@login_required
def show() -> ResponseReturnValue:
    """What switching renewal off, or on, will mean."""
    now = clock.now()
    seen = outlook.of(subscriptions.standing(current_user.id, now), now)
    if seen is None:
        flash(_("Действующего тарифа нет, продлевать нечего."), "info")
        return redirect(url_for("dashboard.show"), 303)
    if seen.state is not outlook.State.OFF:
        return render_template("renewal/stop.html", outlook=seen, now=now)
    found, trouble = _offer(current_user.id)
    return render_template("renewal/resume.html", outlook=seen, offer=found, trouble=trouble)


@bp.post("/dashboard/renewal")
@login_required
def change() -> ResponseReturnValue:
    """Switch renewal off (``action`` = stop) or on (resume)."""
    action = request.form.get("action")
    if action == "stop":
        agreements.stop(current_user.id, clock.now())
        flash(_("Продление выключено. Сами мы больше ничего не спишем."), "good")
    elif action == "resume":
        agreements.resume(current_user.id, client_info(), clock.now())
        flash(_("Продление включено."), "good")
    else:
        raise InvalidRequest
    return redirect(url_for("dashboard.show"), 303)


@bp.get("/dashboard/price")
@login_required
def price() -> ResponseReturnValue:
    """The higher price that the customer is asked about, and what each answer means."""
    asked = price_notices.waiting_for(current_user.id)
    if asked is None:
        flash(_("О новой цене сейчас ничего решать не нужно."), "info")
        return redirect(url_for("dashboard.show"), 303)
    notice, move, agreement = asked
    return render_template("renewal/price.html", notice=notice, move=move, agreement=agreement)


@bp.post("/dashboard/price")
@login_required
def agree_to_price() -> ResponseReturnValue:
    """Agree to it; saying nothing, or stopping renewal, is the other answer."""
    price_notices.agree(current_user.id, client_info(), clock.now())
    flash(_("Согласие записано. Новая цена спишется не раньше указанного дня."), "good")
    return redirect(url_for("dashboard.show"), 303)


@bp.get("/dashboard/renewal/pay")
@login_required
def pay() -> ResponseReturnValue:
    """What is due after a refused renewal, and the ways to pay it."""
    found = overdue.of_customer(current_user.id, clock.now())
    if found is None:
        return redirect(url_for("dashboard.show"), 303)
    return paying.page(found, url_for("renewal.pay"))


@bp.post("/dashboard/renewal/pay")
@login_required
def paid() -> ResponseReturnValue:
    """Pay it: with the saved method once more, or another way."""
    found = overdue.of_customer(current_user.id, clock.now())
    if found is None:
        return redirect(url_for("dashboard.show"), 303)
    return paying.act(found, current_user.id, url_for("renewal.pay"))


@bp.get("/dashboard/consents", endpoint="agreements")
@login_required
def all_agreements() -> ResponseReturnValue:
    """Every agreement of this customer, for reading and printing; for a program with ``?format=json``."""
    if request.args.get("format") == "json":
        answer = jsonify({"email": current_user.email, "agreements": consents.export(current_user.id)})
        answer.headers["Content-Disposition"] = 'attachment; filename="agreements.json"'
        return answer
    return render_template("renewal/agreements.html", agreements=consents.given_by(current_user.id))


def _offer(user_id: int) -> tuple[Offer | None, InvalidRequest | None]:
    try:
        return agreements.offer(user_id, clock.now()), None
    except InvalidRequest as trouble:
        return None, trouble

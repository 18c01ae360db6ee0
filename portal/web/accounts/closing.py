"""Closing one's account: the page that says what will happen, to the kopeck, and the click that does it."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_required

from portal import clock, written
from portal.accounts import closing, present, sign_in
from portal.billing import cancellation, methods
from portal.database import db
from portal.models import User
from portal.web import guards
from portal.web.accounts.blueprint import address, bp
from portal.web.accounts.forms import CloseForm


@bp.get("/account/close")
@login_required
def ask_to_close() -> ResponseReturnValue:
    """What ends, what goes back, what stays, and what else could be done instead."""
    closing.demand_customer(present.user())
    return _page(CloseForm(formdata=None))


@bp.post("/account/close")
@login_required
def close() -> ResponseReturnValue:
    """Close the account; a second click finds it closed and says the same."""
    user_id, email, form = current_user.id, current_user.email, CloseForm()
    if not form.validate_on_submit():
        return _page(form), 400
    try:
        sign_in.verify(email, form.current.data, address())
    except sign_in.BadCredentials:
        if db.session.get_one(User, user_id, populate_existing=True).is_active:
            form.current.errors = [_("Это не ваш нынешний пароль.")]
            return _page(form), 400
    closing.close(user_id, address(), clock.now())
    guards.sign_out()
    flash(_("Аккаунт закрыт. Подробности — в письме на %(email)s.", email=email), "good")
    return redirect(url_for("accounts.login"), 303)


def _page(form: Any) -> str:
    seen = cancellation.preview(current_user.id, clock.now())
    sums = seen.sums if seen else []
    return render_template(
        "accounts/close.html",
        form=form,
        seen=seen,
        sum=" + ".join(written.money(amount, currency) for amount, currency in sums),
        methods=methods.of(current_user.id),
    )

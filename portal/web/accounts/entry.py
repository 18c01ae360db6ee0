"""Getting in and out: registration, sign-in, sign-out."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import clock
from portal.accounts import registration, sign_in
from portal.billing import plans
from portal.models import Plan
from portal.web import guards
from portal.web.accounts.blueprint import address, bp, go_on, next_path, take_turn
from portal.web.accounts.forms import LoginForm, RegisterForm


@bp.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    """A new account, and on to where the person was going: an address need not be confirmed to buy."""
    if current_user.is_authenticated:
        return go_on()
    form = RegisterForm()
    if not form.validate_on_submit():
        return _page("register", form)
    take_turn("register")
    try:
        user = registration.register(form.email.data, form.password.data, address(), clock.now())
    except registration.AddressTaken as taken:
        return _page("register", form, trouble=taken)
    guards.sign_in(user)
    if user.email_confirmed_at is None:
        flash(
            _(
                "Вы вошли. Мы отправили письмо на %(email)s: подтвердите адрес, когда будет удобно.",
                email=user.email,
            ),
            "good",
        )
    return go_on()


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Sign in and go on."""
    if current_user.is_authenticated:
        return go_on()
    form = LoginForm()
    if not form.validate_on_submit():
        return _page("login", form)
    try:
        user = sign_in.verify(form.email.data, form.password.data, address())
    except sign_in.BadCredentials as refused:
        return _page("login", form, trouble=refused)
    guards.sign_in(user)
    return go_on()


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """End this browser's session. Whoever is out already is out."""
    guards.sign_out()
    flash(_("Вы вышли."), "good")
    return redirect(url_for("accounts.login"), 303)


def _page(name: str, form: Any, trouble: Any = None) -> ResponseReturnValue:
    page = render_template(
        f"accounts/{name}.html", form=form, trouble=trouble, next=next_path(), ahead=_plan_ahead()
    )
    return page, trouble.status if trouble else (400 if form.errors else 200)


def _plan_ahead() -> Plan | None:
    """The plan that the person was about to buy, where the way leads on to its checkout."""
    _nothing, checkout, rest = (next_path() or "").partition("/checkout/")
    try:
        return plans.on_sale_by_code(rest.partition("?")[0]) if checkout else None
    except plans.PlanNotFound:
        return None

"""Another address for one's account: the form, and the page behind the link that was sent there."""

from __future__ import annotations

from flask import flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_required

from portal import clock
from portal.accounts import links, new_address, present, sign_in, throttle
from portal.web.accounts import recovery
from portal.web.accounts.blueprint import address, bp
from portal.web.accounts.forms import ChangeEmailForm

#: Letters to other addresses that one person may have sent: they may be strangers'.
OFTEN = "5 per hour"


@bp.route("/account/email", methods=["GET", "POST"])
@login_required
def change_email() -> ResponseReturnValue:
    """Ask for another address. The answer is the same whether or not it has an account."""
    form = ChangeEmailForm()
    form.owner = current_user.email
    if not form.validate_on_submit():
        return render_template("accounts/change_email.html", form=form), 400 if form.errors else 200
    try:
        user = sign_in.verify(current_user.email, form.current.data, address())
    except sign_in.BadCredentials:
        form.current.errors = [_("Это не ваш нынешний пароль.")]
        return render_template("accounts/change_email.html", form=form), 400
    throttle.take(throttle.requests_of("change-email", str(user.id), OFTEN))
    with recovery.taking(recovery.ANSWER_SECONDS):
        new_address.ask(user, form.email.data, clock.now())
    return render_template("accounts/change_email_sent.html", email=form.email.data.strip())


@bp.get("/email/change/<token>")
@login_required
def new_email(token: str) -> ResponseReturnValue:
    """Show which address the button will give to the account of whoever is signed in."""
    try:
        wanted = new_address.wanted_by(current_user.id, token, clock.now())
    except links.LinkDead as dead:
        return _dead(dead)
    return render_template("accounts/new_email.html", wanted=wanted)


@bp.post("/email/change/<token>")
@login_required
def take_new_email(token: str) -> ResponseReturnValue:
    """Use the link; the other browsers are signed out."""
    user = present.user()
    try:
        new_address.take(user.id, token, clock.now(), place=address(), but_session=g.session_id)
    except links.LinkDead as dead:
        return _dead(dead)
    flash(
        _("Адрес аккаунта теперь %(email)s. На других устройствах вы вышли.", email=present.user().email),
        "good",
    )
    return redirect(url_for("accounts.account"), 303)


def _dead(error: links.LinkDead) -> ResponseReturnValue:
    return render_template("accounts/link_dead.html", error=error, purpose="change_email"), error.status

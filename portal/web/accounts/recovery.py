"""The pages behind the links of letters. Opening one changes nothing (mail scanners open links too): its
button does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import clock
from portal.accounts import links, recovery
from portal.models import LinkPurpose
from portal.web import guards
from portal.web.accounts.blueprint import bp, take_turn
from portal.web.accounts.forms import ForgotForm, NewPasswordForm

#: Every answer to "I forgot" takes this long. Writing a letter down takes some milliseconds, and they must
#: not tell that there was somebody to write to (ASVS 5.0.0, V6.3.8).
ANSWER_SECONDS = 0.15


@bp.route("/password/forgot", methods=["GET", "POST"])
def forgot() -> ResponseReturnValue:
    """Ask for a letter with a link. The answer is the same whether or not the address has an account."""
    form = ForgotForm()
    if not form.validate_on_submit():
        return render_template("accounts/forgot.html", form=form), 400 if form.errors else 200
    take_turn("forgot")
    with taking(ANSWER_SECONDS):
        recovery.send_reset(form.email.data, clock.now())
    return render_template("accounts/forgot_sent.html", email=form.email.data.strip())


@bp.route("/password/reset/<token>", methods=["GET", "POST"])
def reset(token: str) -> ResponseReturnValue:
    """Set a new password; every session of the account ends, this browser's too."""
    try:
        owner = links.holder(token, LinkPurpose.RESET_PASSWORD, clock.now())
        form = NewPasswordForm()
        form.owner = owner.email
        if not form.validate_on_submit():
            page = render_template("accounts/reset.html", form=form, owner=owner)
            return page, 400 if form.errors else 200
        recovery.reset(token, form.password.data, clock.now())
    except links.LinkDead as dead:
        return _dead(dead, LinkPurpose.RESET_PASSWORD)
    guards.sign_out()
    flash(_("Пароль изменён. Войдите с новым паролем."), "good")
    return redirect(url_for("accounts.login"), 303)


@bp.get("/email/confirm/<token>")
def confirm(token: str) -> ResponseReturnValue:
    """Show whose address the button will confirm."""
    try:
        owner = links.holder(token, LinkPurpose.CONFIRM_EMAIL, clock.now())
    except links.LinkDead as dead:
        return _dead(dead, LinkPurpose.CONFIRM_EMAIL)
    return render_template("accounts/confirm.html", owner=owner)


@bp.post("/email/confirm/<token>")
def confirmed(token: str) -> ResponseReturnValue:
    """Use the link."""
    try:
        recovery.confirm(token, clock.now())
    except links.LinkDead as dead:
        return _dead(dead, LinkPurpose.CONFIRM_EMAIL)
    flash(_("Почта подтверждена."), "good")
    return redirect(url_for("dashboard.show" if current_user.is_authenticated else "accounts.login"), 303)


def _dead(error: links.LinkDead, purpose: LinkPurpose) -> ResponseReturnValue:
    """A link that does not work, and the way to another one."""
    return render_template("accounts/link_dead.html", error=error, purpose=str(purpose)), error.status


@contextmanager
def taking(seconds: float) -> Iterator[None]:
    """Let what stands inside take this long, however quick it was."""
    began = time.monotonic()
    try:
        yield
    finally:
        threading.Event().wait(max(0.0, began + seconds - time.monotonic()))

"""One's own account: the address, the password, the browsers that are signed in."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, g, json, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_required

from portal import clock
from portal.accounts import own_data, passwords, present, recovery, sessions, sign_in, throttle
from portal.accounts.wall_clock import wall_now
from portal.errors import NotFound
from portal.web.accounts.blueprint import address, bp
from portal.web.accounts.devices import device
from portal.web.accounts.forms import ChangePasswordForm

#: Letters with a confirmation link that one person may ask for.
RESEND = "5 per hour"
#: PostgreSQL's bigint ends here.
_LARGEST_ID = 2**63 - 1


@bp.get("/account/")
@login_required
def account() -> ResponseReturnValue:
    """What the portal knows of the person, and what can be changed."""
    return _page(ChangePasswordForm(formdata=None))


@bp.get("/account/data")
@login_required
def data() -> Response:
    """All of one's own data as one file, for reading and for taking elsewhere."""
    text = json.dumps(own_data.of(present.user(), clock.now()), ensure_ascii=False, indent=2, sort_keys=False)
    answer = Response(text, mimetype="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return answer


@bp.post("/account/password")
@login_required
def change_password() -> ResponseReturnValue:
    """Set a new password; the other browsers are signed out."""
    form = ChangePasswordForm()
    form.owner = current_user.email
    if not form.validate_on_submit():
        return _page(form), 400
    try:
        user = sign_in.verify(current_user.email, form.current.data, address())
    except sign_in.BadCredentials:
        form.current.errors = [_("Это не ваш нынешний пароль.")]
        return _page(form), 400
    passwords.change(user, form.password.data, clock.now(), but_session=g.session_id)
    flash(_("Пароль изменён. На других устройствах вы вышли."), "good")
    return redirect(url_for("accounts.account"), 303)


@bp.post("/account/confirmation")
@login_required
def resend_confirmation() -> ResponseReturnValue:
    """Send the letter with the confirmation link once more."""
    throttle.take(throttle.requests_of("confirmation", str(current_user.id), RESEND))
    recovery.send_confirmation(present.user(), clock.now())
    flash(_("Письмо отправлено на %(email)s.", email=current_user.email), "good")
    return redirect(url_for("accounts.account"), 303)


@bp.post("/account/sessions/<int:session_id>/end")
@login_required
def end_session(session_id: int) -> ResponseReturnValue:
    """Sign one other browser out. Another person's session is not there."""
    # A number that no row can have is no row's: the database would not even compare it.
    if session_id > _LARGEST_ID or not sessions.end_one(current_user.id, session_id, wall_now()):
        raise NotFound
    flash(_("На том устройстве вы вышли."), "good")
    return redirect(url_for("accounts.account"), 303)


@bp.post("/account/sessions/end-others")
@login_required
def end_other_sessions() -> ResponseReturnValue:
    """Sign every other browser out."""
    sessions.end_all(current_user.id, wall_now(), but=g.session_id)
    flash(_("На других устройствах вы вышли."), "good")
    return redirect(url_for("accounts.account"), 303)


def _page(form: Any) -> str:
    found = sorted(sessions.of(current_user.id, wall_now()), key=lambda one: one.id != g.session_id)
    open_sessions = [(session, device(session.user_agent)) for session in found]
    return render_template("accounts/account.html", form=form, sessions=open_sessions, here=g.session_id)

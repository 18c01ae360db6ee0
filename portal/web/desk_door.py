"""The door of the operator's desk: the password once more, the phone's code, the second factor itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import segno
from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from markupsafe import Markup

from portal import clock, running
from portal.accounts import desk_door, present, sign_in, two_factor
from portal.accounts.desk_door import Missing
from portal.accounts.wall_clock import wall_now
from portal.billing import settings
from portal.errors import PortalError
from portal.models import User
from portal.web.accounts.forms import CodeForm, PasswordForm
from portal.web.guards import own_path

blueprint = Blueprint("desk_door", __name__, url_prefix="/account/desk")


@blueprint.before_request
@login_required
def operators_only() -> None:
    """A customer is told that there is no such page."""
    if not current_user.is_admin:
        abort(404)


@blueprint.route("/", methods=["GET", "POST"])
def prove() -> ResponseReturnValue:
    """Ask for what is missing, one thing at a time, and go on to where the operator was going."""
    wanted = _wanted()
    if wanted is None:
        return _go_on()
    if wanted is Missing.ENROLMENT:
        return redirect(url_for("desk_door.two_factor", next=_next()), 303)
    if request.method == "GET":
        return _page(wanted)
    try:
        _PROOFS[wanted](present.user(), request.form.get(wanted.value, ""))
    except (sign_in.BadCredentials, two_factor.WrongCode) as refused:
        return _page(wanted, trouble=refused), refused.status
    desk_door.proved(g.session_id, wanted, wall_now())
    return redirect(url_for("desk_door.prove", next=_next(), money=request.form.get("money")), 303)


@blueprint.get("/two-factor", endpoint="two_factor")
def two_factor_page() -> ResponseReturnValue:
    """Set the second factor up, or see that it is on."""
    if closed := _closed():
        return closed
    return _two_factor_page()


@blueprint.post("/two-factor/on")
def turn_on() -> ResponseReturnValue:
    """Take the phone's first code; the recovery codes are shown on the answer and nowhere else."""
    if closed := _closed():
        return closed
    user = present.user()
    try:
        codes = two_factor.enrol(user, request.form.get("code", ""), present.actor(), wall_now(), clock.now())
    except two_factor.WrongCode as refused:
        return _two_factor_page(trouble=refused), refused.status
    desk_door.proved(g.session_id, Missing.CODE, wall_now())
    return render_template("accounts/recovery_codes.html", codes=codes, next=_next())


@blueprint.post("/two-factor/codes")
def new_codes() -> ResponseReturnValue:
    """Ten new recovery codes in place of the old ones."""
    if closed := _closed(fresh=True):
        return closed
    codes = two_factor.new_recovery_codes(present.user(), present.actor(), clock.now())
    return render_template("accounts/recovery_codes.html", codes=codes, next=_next())


@blueprint.post("/two-factor/off")
def turn_off() -> ResponseReturnValue:
    """Forget the phone."""
    if closed := _closed(fresh=True):
        return closed
    two_factor.turn_off(present.user(), present.actor(), clock.now())
    flash(_("Второй фактор выключен."), "good")
    return redirect(url_for("desk_door.two_factor"), 303)


def _wanted() -> Missing | None:
    """What is missing for the desk; where ``money`` is about to leave, what is missing for that."""
    now, session = wall_now(), desk_door.session_of(g.session_id)
    missing = desk_door.missing(present.user(), session, now)
    if missing is None and request.values.get("money"):
        missing = desk_door.missing_for_money(present.user(), session, now)
    return missing


def _closed(*, fresh: bool = False) -> ResponseReturnValue | None:
    """The way to the door, unless all but the second factor itself has been proved."""
    now, session = wall_now(), desk_door.session_of(g.session_id)
    missing = desk_door.missing(present.user(), session, now)
    if missing is None and fresh:
        missing = desk_door.missing_for_money(present.user(), session, now)
    if missing in {None, Missing.ENROLMENT}:
        return None
    here = url_for("desk_door.two_factor")
    return redirect(url_for("desk_door.prove", next=here, money="1" if fresh else None), 303)


def _prove_password(user: User, password: str) -> None:
    sign_in.verify(user.email, password, request.remote_addr or "")


def _prove_code(user: User, code: str) -> None:
    two_factor.verify(user, code, request.remote_addr or "", wall_now())


_PROOFS: dict[Missing, Callable[[User, str], None]] = {
    Missing.PASSWORD: _prove_password,
    Missing.CODE: _prove_code,
}


_FORMS: dict[Missing, type[FlaskForm]] = {Missing.PASSWORD: PasswordForm, Missing.CODE: CodeForm}


def _form_of(wanted: Missing, trouble: PortalError | None) -> FlaskForm:
    """The one field that is asked for, empty; what was wrong with it stands at it and above it."""
    form = _FORMS[wanted](formdata=None)
    if trouble is not None:
        form[wanted.value].errors = [trouble.message]
    return form


def _page(wanted: Missing, trouble: PortalError | None = None) -> str:
    return render_template(
        "accounts/desk_door.html",
        wanted=wanted.value,
        form=_form_of(wanted, trouble),
        next=_next(),
        money=request.values.get("money"),
    )


def _two_factor_page(trouble: PortalError | None = None) -> str:
    user = present.user()
    facts: dict[str, Any] = {"is_on": two_factor.is_on(user), "must": desk_door.must_enrol(user)}
    if facts["is_on"]:
        facts["codes_left"] = two_factor.codes_left(user)
    else:
        secret = two_factor.begin(user)
        facts["secret"] = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        facts["picture"] = _picture(two_factor.address_of(user, secret, _shop()))
    form = _form_of(Missing.CODE, trouble)
    return render_template("accounts/two_factor.html", form=form, next=_next(), **facts)


def _picture(address: str) -> Markup:
    """The square that the phone reads, drawn here: the secret goes to nobody else."""
    drawn = segno.make(address, error="m").svg_inline(
        border=3, dark="#000", light="#fff", title="QR", omitsize=True
    )
    return Markup(drawn)  # noqa: S704 - segno draws rectangles; the address is in their places, not in the text


def _shop() -> str:
    return settings.current().seller_name or running.config().portal_base_url.partition("//")[2]


def _next() -> str | None:
    return own_path(request.values.get("next"))


def _go_on() -> ResponseReturnValue:
    return redirect(_next() or url_for("admin.index"), 303)

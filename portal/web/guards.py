"""Who are you, and is this your form: asked before every view, in that order.

Views say ``@login_required`` (Flask-Login's); what must not depend on anybody's memory stands here: every
request that changes something carries a CSRF token, every call of the JSON API comes from somebody signed in.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import validate_csrf
from werkzeug.exceptions import HTTPException
from wtforms import ValidationError

from portal.accounts import sessions
from portal.accounts.wall_clock import wall_now
from portal.errors import PortalError
from portal.extensions import login_manager
from portal.models import User
from portal.web import reader
from portal.wording import marked

#: Routes that authenticate each request by themselves (a signature, a network, a bearer key, loopback) and
#: know no cookie. Nothing else is exempt from CSRF.
SIGNED_OTHERWISE = ("/billing/webhook/", "/api/v1/", "/billing/sandbox/")

#: The JSON API of the signed-in customer: whoever is not signed in is told so before anything else.
CUSTOMER_API = "/billing/api/"

#: Answers here are JSON whatever the client says it accepts.
ALWAYS_JSON = re.compile(r"/(?:billing/(?:api|webhook|sandbox)|api)(?:/|$)|/billing/payment/[^/]*/status$")

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

# Flask-Login's name for "who": here the key of a UserSession, never a user's id.
_KEY = "_user_id"


class AuthRequired(PortalError):
    """Nobody is signed in."""

    code = "AUTH_REQUIRED"
    status = 401
    message = marked("Войдите, чтобы продолжить.")


class CsrfFailed(PortalError):
    """The request does not prove that it was sent from a page of ours, in this session."""

    code = "CSRF_FAILED"
    status = 400
    message = marked("Страница устарела. Обновите её и повторите действие.")


def init_app(app: Flask) -> None:
    """Stand before every view of *app*."""
    # The session's own row decides (see accounts.sessions): a changed address or browser version must not
    # sign anybody out.
    login_manager.session_protection = None
    login_manager.user_loader(_load)
    login_manager.unauthorized_handler(_ask_to_sign_in)
    app.before_request(_guard)


def _guard() -> None:
    """Refuse what is not signed in or not ours. What has no route is left to become a 404 or 405."""
    if request.url_rule is None or request.url_rule.rule.startswith(SIGNED_OTHERWISE):
        return
    if request.url_rule.rule.startswith(CUSTOMER_API) and not current_user.is_authenticated:
        raise AuthRequired
    if request.method in CHANGING and current_app.config.get("WTF_CSRF_ENABLED", True):
        _check_csrf()


def _check_csrf() -> None:
    """Compare the token of the form or the header with the session's. Raises CsrfFailed."""
    names = current_app.config["WTF_CSRF_HEADERS"]
    token = request.form.get("csrf_token") or next(filter(None, map(request.headers.get, names)), None)
    try:
        validate_csrf(token)
    except ValidationError as error:
        raise CsrfFailed from error
    g.csrf_valid = True  # Flask-WTF's mark: its forms need not look again


def _load(key: str) -> User | None:
    """Flask-Login's question: whose session is this, if it still lasts?"""
    found = sessions.find(key, wall_now())
    g.session_id = found.id if found else None
    # Nobody reads this: it keeps the row alive, which SQLAlchemy's identity map holds by a weak reference
    # only, so that whoever asks for the session of this id finds it without a question to the database.
    g.session_found = found
    return found.user if found else None


def _ask_to_sign_in() -> ResponseReturnValue:
    """What ``@login_required`` answers to a stranger: 401 to a program, the sign-in page to a person."""
    if wants_json():
        raise AuthRequired
    return redirect(url_for("accounts.login", next=page_to_return_to()), 303)


def page_to_return_to() -> str | None:
    """The page asked for, or the one that holds the form that was sent, when there is one."""
    if request.method in {"GET", "HEAD"}:
        return own_path(request.full_path.rstrip("?"))
    try:
        current_app.create_url_adapter(request).match(request.path, method="GET")  # type: ignore[union-attr]  # never None here
    except HTTPException:
        return None
    return own_path(request.path)


def own_path(target: str | None) -> str | None:
    """Give *target* back when it is a path of this site and nothing else, or None.

    Browsers forgive much (backslashes, tabs inside a scheme, missing slashes), so nothing is repaired here:
    what is not plainly ours is refused. ASVS 5.0.0, V3.7.2.
    """
    if not target or len(target) > 1000 or not target.startswith("/") or target.startswith("//"):
        return None
    # Printable ASCII only: everything else arrives percent-encoded from our own pages.
    if "\\" in target or not all("!" <= sign <= "~" for sign in target):
        return None
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    # Servers and browsers disagree about what "/a/..//host" or "/%2F/host" means; our own pages need neither.
    decoded = (
        parts.path.lower().replace("%2f", "/").replace("%5c", "\\").replace("%2e", ".").replace("%09", "\t")
    )
    strange = "//" in decoded or "\\" in decoded or "/.." in decoded or "/./" in decoded or "\t" in decoded
    return None if parts.scheme or parts.netloc or strange else target


def wants_json() -> bool:
    """Whether this request is a program's."""
    if ALWAYS_JSON.match(request.path):
        return True
    accepts = request.accept_mimetypes
    return accepts["application/json"] > accepts["text/html"]


def sign_in(user: User) -> None:
    """Begin a session for *user* in this browser: everything the browser held before is forgotten, the CSRF
    token too.
    """
    ended = session.get(_KEY)
    session.clear()
    g.pop("csrf_token", None)
    key = sessions.begin(
        user,
        address=request.remote_addr or "",
        user_agent=request.user_agent.string,
        now=wall_now(),
        instead_of=ended,
    )
    session[_KEY] = key
    session.permanent = True
    reader.follow(user)
    login_manager._update_request_context_with_user(user)  # noqa: SLF001 - what login_user() does, without a user's id in the cookie


def sign_out() -> None:
    """End this browser's session, here and in the database."""
    key = session.get(_KEY)
    if key:
        sessions.end(key, wall_now())
    session.clear()
    g.pop("csrf_token", None)
    login_manager._update_request_context_with_user()  # noqa: SLF001 - what logout_user() does

"""The switch between Russian and English that stands under every page."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.accounts import languages
from portal.errors import InvalidRequest
from portal.web import reader
from portal.web.guards import own_path, page_to_return_to
from portal.wording import LANGUAGES, language

bp = Blueprint("language", __name__)

#: Each language in its own words, for those who read no other.
_NAMES = {"ru": "Русский", "en": "English"}


@dataclass(frozen=True, slots=True)
class Other:
    """The language that the switch leads to, and the page that it leads back to."""

    code: str
    name: str
    here: str | None


@bp.app_template_global()
def other_language() -> Other:
    """What the switch of this page offers."""
    code = next(code for code in LANGUAGES if code != language())
    return Other(code, _NAMES[code], page_to_return_to())


@bp.post("/language")
def switch() -> ResponseReturnValue:
    """Answer this browser, and write to this account, in the other language; then back to where one was."""
    wanted = request.form.get("to", "")
    if wanted not in LANGUAGES:
        raise InvalidRequest
    reader.remember(wanted)
    if current_user.is_authenticated:
        languages.choose(current_user.id, wanted)
    return redirect(own_path(request.form.get("next")) or url_for("plans.home"), 303)

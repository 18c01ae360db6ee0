"""Which language the reader reads: Russian, unless the switch under every page said otherwise.

What the browser says it accepts is not asked: many in Russia have an English browser and read Russian. The
choice is kept in a cookie, so that no page needs the database to know it, and in the account, for letters.
"""

from __future__ import annotations

from flask import Flask, Response, after_this_request, has_request_context, request
from flask_babel import refresh

from portal import running
from portal.accounts import languages
from portal.models import User
from portal.wording import LANGUAGES, SOURCE

_A_YEAR = 365 * 24 * 3600
#: The operators' desk is written in Russian only.
_RUSSIAN_ONLY = "/admin/"


def init_app(app: Flask) -> None:
    """Let every request of *app* begin with its own reader's language."""
    app.before_request(refresh)


def choose_locale() -> str:
    """The language of this answer; outside requests (commands, jobs) the one the texts are written in."""
    if not has_request_context() or request.path.startswith(_RUSSIAN_ONLY):
        return SOURCE
    return _shown_in() or _kept() or SOURCE


def remember(language: str) -> None:
    """Let this browser be answered in *language* from now on."""

    @after_this_request
    def keep(answer: Response) -> Response:
        secure = running.config().secure
        answer.set_cookie(
            _cookie(), language, max_age=_A_YEAR, secure=secure, httponly=True, samesite="Lax", path="/"
        )
        return answer


def follow(user: User) -> None:
    """Bring browser and account together at sign-in: what was chosen here counts, if anything was."""
    chosen = _kept()
    if chosen is None and user.language != SOURCE:
        remember(user.language)
    elif chosen is not None and chosen != user.language:
        languages.choose(user.id, chosen)


def _kept() -> str | None:
    kept = request.cookies.get(_cookie())
    return kept if kept in LANGUAGES else None


def _shown_in() -> str | None:
    """The language in which a form was shown that somebody agrees by: what is recorded is what was read, even
    if the switch was pressed in another tab meanwhile.
    """
    shown = request.args.get("shown_in") if request.method == "POST" else None
    return shown if shown in LANGUAGES else None


def _cookie() -> str:
    return "__Host-language" if running.config().secure else "language"

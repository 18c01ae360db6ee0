"""Every letter that the portal writes, with sample facts: how it looks in the light, in the dark, and in a
mail program that knows no style sheet and turns colours round by itself.

Registered only while the sandbox is on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import NotFound

from portal import mail
from portal.mail import Letter
from portal.web import headers, letter_samples
from portal.wording import LANGUAGES, SOURCE

blueprint = Blueprint("styleguide_mail", __name__, url_prefix="/styleguide/mail")

#: How a letter is looked at: what becomes of its question for the dark, and of its style sheet.
LOOKS = ("light", "dark", "inverted")
_DARK = "@media (prefers-color-scheme: dark)"
_SHEET = re.compile(r"<style>.*?</style>", re.DOTALL)
# What lies behind a whole document is not filtered with it; the body's own background is.
_INVERTED = (
    "<style>html { background: #000; } body { min-height: 100vh; background: #fff;"
    " filter: invert(1) hue-rotate(180deg); }</style>"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One letter of the list."""

    kind: str
    which: str
    subject: str


@blueprint.get("")
def index() -> str:
    """All letters by their subjects."""
    tongue = _tongue()
    samples = [
        Sample(kind, which, _letter(kind, which, tongue).subject)
        for kind, ways in letter_samples.SAMPLES.items()
        for which in ways
    ]
    return render_template("styleguide/mail.html", samples=samples, tongue=tongue, languages=LANGUAGES)


@blueprint.get("/<kind>")
def show(kind: str) -> Response:
    """One letter: its subject, its page in three looks, its text."""
    which, tongue = request.args.get("which", _first(kind)), _tongue()
    page = render_template(
        "styleguide/letter.html",
        kind=kind,
        which=which,
        ways=letter_samples.SAMPLES[kind],
        letter=_letter(kind, which, tongue),
        looks=LOOKS,
        tongue=tongue,
        languages=LANGUAGES,
    )
    answer = make_response(page)
    answer.headers["Content-Security-Policy"] = f"{headers.content_security_policy()}; frame-src 'self'"
    return answer


@blueprint.get("/<kind>/<any(light, dark, inverted):look>")
def letter(kind: str, look: str) -> Response:
    """The letter alone, for a frame: mail programs allow its styles, so here they are allowed too."""
    html = _letter(kind, request.args.get("which", _first(kind)), _tongue()).html
    if look == "inverted":
        html = _SHEET.sub(_INVERTED, html)
    else:
        html = html.replace(_DARK, "@media all" if look == "dark" else "@media not all")
    answer = make_response(html)
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
    )
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


def _first(kind: str) -> str:
    """The first of the ways in which a letter is written; 404 for no letter of ours."""
    if kind not in letter_samples.SAMPLES:
        raise NotFound
    return next(iter(letter_samples.SAMPLES[kind]))


def _letter(kind: str, which: str, tongue: str) -> Letter:
    facts = letter_samples.SAMPLES[kind].get(which)
    if facts is None:
        raise NotFound
    return mail.compose(kind, {**letter_samples.COMMON, **facts}, tongue)


def _tongue() -> str:
    wanted = request.args.get("lang", SOURCE)
    return wanted if wanted in LANGUAGES else SOURCE

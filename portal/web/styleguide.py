"""The design system on one page: every part in all its states, in both schemes, with the call that makes it.

Registered only while the sandbox is on. A part is a file of ``templates/styleguide/parts``, shown rendered
and as its source. It stands there twice, so the second copy gets ids of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from flask import Blueprint, Response, current_app, render_template
from markupsafe import Markup
from wtforms import BooleanField, Form, PasswordField, SelectField, StringField, TextAreaField

blueprint = Blueprint("styleguide", __name__, url_prefix="/styleguide")

_PARTS = "styleguide/parts"
#: Attributes that name an element of the same page.
_NAMES = re.compile(
    r'\b(id|for|name|popovertarget|data-reveal|aria-describedby|aria-labelledby|aria-label|href)="([^"]+)"'
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the system: its name, its source, and what it looks like in each scheme."""

    name: str
    source: str
    light: Markup
    dark: Markup


class Sample(Form):
    """A field of every kind."""

    email = StringField("Почта")
    password = PasswordField("Пароль")
    period = SelectField("Срок", choices=["На месяц", "На год"])
    reason = TextAreaField("Причина")
    accept = BooleanField("Принимаю условия оферты")
    renew = BooleanField("Продлевать автоматически")


@blueprint.get("")
def index() -> str:
    """All parts, light and dark side by side."""
    folder = Path(str(current_app.template_folder)) / _PARTS
    return render_template(
        "styleguide/index.html", parts=[_part(path) for path in sorted(folder.glob("*.html"))]
    )


@blueprint.get("/schemes.css")
def schemes() -> Response:
    """The tokens of both schemes for a part of a page: out of portal.css, so that they are written once."""
    css = (Path(str(current_app.static_folder)) / "css" / "portal.css").read_text(encoding="utf-8")
    light = re.search(r"^:root \{\n(.*?)^\}", css, re.MULTILINE | re.DOTALL)
    dark = re.search(r"color-scheme: dark\) \{\n  :root \{\n(.*?)^  \}", css, re.MULTILINE | re.DOTALL)
    assert light
    assert dark
    rules = (
        f".scheme {{ {light[1]} color-scheme: light; }}",
        f".scheme--dark {{ {dark[1]} color-scheme: dark; }}",
    )
    return Response("\n".join(rules), mimetype="text/css")


def _part(path: Path) -> Part:
    rendered = render_template(f"{_PARTS}/{path.name}", right=Sample(), wrong=_wrong(), row=_ROW)
    quiet = rendered.replace(" autofocus", "")
    return Part(
        name=path.stem.partition("_")[2].replace("_", " ").capitalize(),
        source=path.read_text(encoding="utf-8").strip(),
        light=Markup(quiet),  # noqa: S704 - a template of ours, rendered with everything escaped
        dark=Markup(_NAMES.sub(_of_its_own, quiet)),  # noqa: S704 - the same
    )


def _of_its_own(found: re.Match[str]) -> str:
    """The attribute with every id marked as the second copy's; a link elsewhere stays as it is."""
    name, value = found.groups()
    if name == "href" and not value.startswith("#"):
        return found[0]
    if name == "aria-label":
        return f'{name}="{value}, dark"'
    return f'{name}="{" ".join(f"{one}-dark" for one in value.split())}"'


def _wrong() -> Sample:
    """The same form, sent empty."""
    form = Sample(prefix="wrong-")
    form.email.errors = ["Укажите почту."]
    form.password.errors = ["Введите пароль."]
    form.accept.errors = ["Чтобы оплатить, нужно принять условия оферты."]
    return form


_ROW = SimpleNamespace(title="Про", email_quota=50_000, period_days=30, price="990.00")

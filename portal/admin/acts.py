"""The page before an act: what it will do, in plain words, the reason, and the button.

Each rendered form carries a key of its own; the verbs take one key once, so a second click does nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView

from portal.errors import PortalError


@dataclass(frozen=True, slots=True)
class Input:
    """One more field of the form."""

    name: str
    label: str
    hint: str = ""
    #: The input's: number, money, date, text; or radio with *options*.
    kind: str = "text"
    value: str = ""
    options: tuple[tuple[str, str], ...] = ()
    #: So many characters at most.
    most: int = 20


@dataclass(frozen=True, slots=True)
class Act:
    """An act that is about to be done."""

    title: str
    #: What it will do, a sentence each.
    says: tuple[str, ...]
    button: str
    #: Where the crumb, "do nothing" and the end of it lead.
    back: str
    back_label: str
    inputs: tuple[Input, ...] = ()
    #: Facts above the sentences: pairs of a label and a value.
    facts: tuple[tuple[str, Any], ...] = ()
    hint: str = "Останется в журнале: кто, когда и почему."
    #: Fields that the address carries and the form has to bring back.
    kept: dict[str, str] = field(default_factory=dict)


def carried_out(room: BaseView, act: Act, verb: Callable[[str, str], str]) -> ResponseReturnValue:
    """The page on GET. On POST *verb* gets the reason and the form's key and tells what was done.

    What it refuses is told on the same form, with what was typed.
    """
    if request.method == "GET":
        return _page(room, act, str(uuid.uuid4()), None)
    key = request.form.get("form_key", "")
    try:
        done = verb(request.form.get("reason", ""), key)
    except PortalError as refused:
        return _page(room, act, key or str(uuid.uuid4()), refused), refused.status
    flash(done, "good")
    return redirect(act.back, 303)


def _page(room: BaseView, act: Act, key: str, trouble: PortalError | None) -> str:
    typed = request.form if trouble is not None else {}
    page: str = room.render("admin/act.html", act=act, form_key=key, trouble=trouble, typed=typed)
    return page

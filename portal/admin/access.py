"""Who may open which page of the desk and press which button.

The rule is closed by default: a page is for whom its room is, a button that is not marked with :func:`needs`
is the owner's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from flask import abort, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, BaseView
from flask_login import current_user

from portal.accounts import desk_door, present
from portal.accounts.wall_clock import wall_now
from portal.errors import NotAllowed
from portal.models import Role

_View = TypeVar("_View", bound=Callable[..., Any])

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
#: Flask-Admin's own views that change something, though some of them open by GET.
_WRITING = frozenset({"create_view", "edit_view", "delete_view", "action_view", "ajax_update"})


#: What :func:`needs` said of a view: its least role, and whether it asks once more who is there.
_MARKED: dict[Callable[..., Any], tuple[Role, bool]] = {}


def needs(least: Role, *, fresh: bool = False) -> Callable[[_View], _View]:
    """Open this view to operators from *least* up; a *fresh* one asks once more who is there."""

    def mark(view: _View) -> _View:
        _MARKED[view] = (least, fresh)
        return view

    return mark


class Guarded:
    """A room of the desk. A stranger signs in first; a customer is told that there is no such page."""

    #: Whose room it is.
    least: Role = Role.VIEWER
    #: Who may press the buttons in it that say nothing else.
    least_to_write: Role = Role.OWNER

    def is_accessible(self) -> bool:
        """Whether the room stands in this person's menu."""
        return bool(current_user.is_authenticated and current_user.may(self.least))

    def asked_of(self, name: str, *, reading: bool) -> tuple[Role, bool]:
        """From which role the view *name* of this room is open, and whether it asks again who is there."""
        # Flask-Admin wraps each view; the mark is on what it wraps.
        marked = _MARKED.get(inspect.unwrap(getattr(type(self), name)))
        if marked is not None:
            return marked
        writing = name in _WRITING or not reading
        return (self.least_to_write if writing else self.least), False

    def _handle_view(self, name: str, /, **_kwargs: Any) -> ResponseReturnValue | None:
        """Flask-Admin asks here before every view."""
        least, fresh = self.asked_of(name, reading=request.method in _READING)
        return _demand(least, fresh=fresh)

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Once: Flask-Admin's own would take a TypeError inside a view for a reason to call it again."""
        return fn(self, *args, **kwargs)


class Room(Guarded, BaseView):
    """A page of ours in the desk."""


class Index(Guarded, AdminIndexView):
    """The desk's first page."""


def _demand(least: Role, *, fresh: bool) -> ResponseReturnValue | None:
    """Let through, send to the door, or refuse."""
    if not current_user.is_authenticated:
        return redirect(url_for("accounts.login", next=_way_back()), 303)
    if not current_user.is_admin:
        abort(404)
    now, session = wall_now(), desk_door.session_of(g.session_id)
    missing = desk_door.missing(present.user(), session, now)
    if missing is None:
        desk_door.note_seen(session, now)
        if not current_user.may(least):
            raise NotAllowed(_OPEN_TO[least])
        if fresh and desk_door.missing_for_money(present.user(), session, now):
            return redirect(url_for("desk_door.prove", next=_way_back(), money="1"), 303)
        return None
    return redirect(url_for("desk_door.prove", next=_way_back()), 303)


def _way_back() -> str:
    """The page asked for, or the one that held the form; the door looks whether it is ours."""
    if request.method in _READING:
        return request.full_path.rstrip("?")
    referrer = request.referrer or ""
    own = request.host_url
    return "/" + referrer.removeprefix(own) if referrer.startswith(own) else url_for("admin.index")


_OPEN_TO = {
    Role.VIEWER: "Это открыто сотрудникам.",
    Role.SUPPORT: "Это открыто поддержке и владельцу.",
    Role.OWNER: "Это открыто только владельцу.",
}
ROLES = {Role.VIEWER: "Наблюдатель", Role.SUPPORT: "Поддержка", Role.OWNER: "Владелец"}

"""The shop's settings: what is in force and whence, changed group by group."""

from __future__ import annotations

from collections.abc import Mapping

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal import clock
from portal.accounts import present
from portal.admin import setting_words
from portal.admin.access import Room, needs
from portal.admin.setting_words import BY_KEY, BY_NAME, GROUPS
from portal.billing import settings, shop_setup
from portal.billing.shop_setup import Origin, WrongSettings
from portal.models import Role

ORIGINS = {
    Origin.HERE: ("задано здесь", "good"),
    Origin.ENVIRONMENT: ("из окружения", "plain"),
    Origin.DEFAULT: ("по умолчанию", "plain"),
}


class Settings(Room):
    """Everything that is set without a restart. The owner's; asked once more who is there before a change."""

    least = Role.OWNER
    what = (
        "Изменение действует во всех процессах через несколько секунд, без перезапуска. "
        "Каждое остаётся в журнале."
    )

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """All groups with their values."""
        return self.render(
            "admin/settings/index.html",
            groups=GROUPS,
            standing=shop_setup.standing(),
            origins=ORIGINS,
            shown=setting_words.shown,
        )

    @expose("/<key>")
    @needs(Role.OWNER, fresh=True)
    def edit_view(self, key: str) -> ResponseReturnValue:
        """The form of one group."""
        return self._form(key, {}, {})

    @expose("/<key>", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def save_view(self, key: str) -> ResponseReturnValue:
        """Set the whole group, or nothing of it."""
        group = BY_KEY.get(key) or abort(404)
        typed = {told.name: request.form.get(told.name, "") for told in group.settings}
        try:
            changed = shop_setup.put(typed, present.actor(), clock.now())
        except WrongSettings as wrong:
            return self._form(key, typed, wrong.errors), 400
        flash("Сохранено." if changed else "Ничего не изменилось.", "good" if changed else "info")
        return redirect(url_for(".index_view", _anchor=key), 303)

    @expose("/give-back/<name>")
    @needs(Role.OWNER, fresh=True)
    def ask_back_view(self, name: str) -> ResponseReturnValue:
        """What giving a value back to the environment would do."""
        group, told = BY_NAME.get(name) or abort(404)
        return self.render(
            "admin/settings/give_back.html",
            group=group,
            told=told,
            now=shop_setup.standing()[name],
            origins=ORIGINS,
            shown=setting_words.shown,
        )

    @expose("/give-back/<name>", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def give_back_view(self, name: str) -> ResponseReturnValue:
        """Forget what was set here."""
        group, told = BY_NAME.get(name) or abort(404)
        if shop_setup.give_back(name, present.actor(), clock.now()):
            flash(f"«{told.label}»: значение, заданное здесь, забыто.", "good")
        return redirect(url_for(".index_view", _anchor=group.key), 303)

    def _form(self, key: str, typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
        """The group's form; it keeps what was typed, but no secret."""
        group = BY_KEY.get(key) or abort(404)
        standing = shop_setup.standing()
        in_force = {told.name: setting_words.written(standing[told.name].value) for told in group.settings}
        values = {
            name: "" if name in settings.SECRETS else typed.get(name, value)
            for name, value in in_force.items()
        }
        page: str = self.render(
            "admin/settings/edit.html",
            group=group,
            standing=standing,
            values=values,
            errors=errors,
        )
        return page

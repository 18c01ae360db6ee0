"""Keys by which the shop's product asks what a customer may use: made, told apart, revoked."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal import clock
from portal.accounts import present
from portal.admin.access import Room, needs
from portal.billing import api_keys
from portal.errors import PortalError
from portal.models import Role


class ApiKeys(Room):
    """The keys, and one form to make another."""

    least = Role.OWNER
    what = (
        "По ключу товар магазина спрашивает, что клиенту можно, и списывает письма. Сам ключ виден один раз."
    )

    @expose("/")
    def index(self) -> str:
        """All of them, revoked ones last."""
        return self._page()

    @expose("/new", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def create(self) -> ResponseReturnValue:
        """Make one; the answer is the only place where it can be read, so it is no redirect."""
        try:
            key = api_keys.create(request.form.get("name", ""), clock.now(), present.actor())
        except PortalError as error:
            flash(error.message, "bad")
            return redirect(url_for(".index"), 303)
        return self._page(key)

    @expose("/<int:key_id>/revoke", methods=("POST",))
    def revoke(self, key_id: int) -> ResponseReturnValue:
        """Refuse it from now on."""
        was_valid = api_keys.revoke(min(key_id, 2**63 - 1), clock.now(), present.actor())
        flash("Ключ отозван." if was_valid else "Ключ был отозван раньше.", "good")
        return redirect(url_for(".index"), 303)

    def _page(self, made: str = "") -> str:
        keys = sorted(api_keys.listed(), key=lambda key: (key.revoked_at is not None, key.id))
        return self.render("admin/api_keys.html", keys=keys, made=made)

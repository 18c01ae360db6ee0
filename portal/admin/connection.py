"""Checking the connection to both gateways, and the addresses to enter in their cabinets."""

from __future__ import annotations

from flask import abort, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal.admin.access import Room, needs
from portal.admin.words import moment
from portal.billing import connection, doors
from portal.billing.connection import Answer
from portal.models import GatewayName, Role


class Connection(Room):
    """Asks each gateway in its own words; nothing is taken, saved or changed by it."""

    least = Role.OWNER
    what = (
        "Проверка ничего не списывает и не меняет. У ЮKassa она на час заводит пустую привязку "
        "карты, чтобы узнать о праве на автоплатежи."
    )

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """The addresses, and a button for each gateway."""
        return self._page({})

    @expose("/", methods=("POST",))
    @needs(Role.OWNER)
    def check_view(self) -> ResponseReturnValue:
        """Ask one gateway and show what it says."""
        name = next((one for one in GatewayName if one.value == request.form.get("gateway")), None)
        if name is None or not connection.is_set_up(name):
            abort(404)
        return self._page({name: connection.check(name)})

    def _page(self, answers: dict[GatewayName, Answer]) -> str:
        page: str = self.render(
            "admin/connection.html",
            gateways=[(name, connection.addresses(name), answers.get(name)) for name in GatewayName],
            is_set_up=connection.is_set_up,
            misses=connection.misses,
            test_mode=doors.test_mode,
            moment=moment,
        )
        return page

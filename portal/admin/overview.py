"""The desk's first page."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal import clock
from portal.accounts import present
from portal.admin.access import Index
from portal.billing import card_letters, leading, overview
from portal.models import Role


class Overview(Index):
    """What waits, how the gateways are, today's money, and on a new shop the way to the first order."""

    what = ""

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Read anew each time: everything on it is counted from the latest rows."""
        led_to = leading.target()
        return self.render(
            "admin/index.html",
            waiting=overview.waiting(),
            gateways=overview.gateways(),
            money_today=overview.today(clock.now()),
            renewing_at=leading.renewing_at(),
            led_to=led_to,
            led=card_letters.progress(led_to) if led_to else None,
            steps=overview.missing_steps(),
            is_owner=present.user().may(Role.OWNER),
        )

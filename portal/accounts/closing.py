"""An account closed by its owner. Only an operator opens it again."""

from __future__ import annotations

import logging
from datetime import datetime

from portal.accounts import letters, links, sessions
from portal.billing import audit, leaving, locks
from portal.billing.audit import Actor, Subject
from portal.database import transaction
from portal.errors import NotAllowed
from portal.models import User
from portal.wording import marked

log = logging.getLogger(__name__)


class OfStaff(NotAllowed):
    """Whoever works at the desk first gives the role back."""

    code = "AN_OPERATOR"
    message = marked("Это аккаунт сотрудника: закрыть его можно, когда владелец магазина снимет роль.")


def demand_customer(user: User) -> None:
    """Raise :class:`OfStaff` for whoever works at the desk."""
    if user.is_admin:
        raise OfStaff


def close(user_id: int, place: str, now: datetime) -> bool:
    """End the plan with what goes back, forget the saved methods, sign everybody out, and write a letter.

    What was paid stays on record, as the law wants it. Tells whether the account was open: closing it twice
    closes it once. Raises OfStaff.
    """
    with transaction() as session:
        locks.lock_customer(session, user_id)
        user = session.get_one(User, user_id, populate_existing=True)
        demand_customer(user)
        if user.disabled_at is not None:
            return False
        seen = leaving.leave(session, user_id, now)
        user.disabled_at = user.closed_at = now
        links.void_all(user_id, now)
        sessions.end_all(user_id, now)
        letters.account_closed(user, seen, now)
        actor, told = Actor(user_id, user.email, place), {"disabled_at": now}
        audit.note(actor, "close-account", Subject("user", user_id), now, after=told)
    log.info("Account closed by its owner: %s", user)
    return True

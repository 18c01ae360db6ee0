"""An account switched off by an operator, and on again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from portal.accounts import sessions
from portal.billing import audit, giving_back
from portal.billing.audit import Actor, Subject
from portal.database import transaction
from portal.errors import NotAllowed, NotFound
from portal.models import User


class AnOperator(NotAllowed):
    """Whoever works at the desk first gives the role back."""

    code = "AN_OPERATOR"
    message = "Это сотрудник: сначала владелец снимает роль в разделе «Сотрудники»."


def disable(user_id: int, actor: Actor, reason: str, now: datetime) -> bool:
    """Let nobody sign in to a customer's account: sessions end, nothing is charged any more, money stays.

    Tells whether it was on. Raises NotFound, NoReason and AnOperator.
    """
    return _put(user_id, now, actor, reason, now)


def enable(user_id: int, actor: Actor, reason: str, now: datetime) -> bool:
    """Open the account again; renewal stays as it is. Tells whether the account was closed."""
    return _put(user_id, None, actor, reason, now)


def _put(user_id: int, disabled_at: datetime | None, actor: Actor, reason: str, now: datetime) -> bool:
    why = giving_back.demand_reason(reason)
    with transaction() as session:
        user = session.scalars(select(User).where(User.id == user_id).with_for_update()).one_or_none()
        if user is None:
            raise NotFound
        if user.is_admin:
            raise AnOperator
        if (user.disabled_at is None) is (disabled_at is None):
            return False
        before, user.disabled_at = user.disabled_at, disabled_at
        act, told = ("disable" if disabled_at else "enable"), {"disabled_at": disabled_at}
        subject = Subject("user", user_id)
        audit.note(actor, act, subject, now, before={"disabled_at": before}, after=told, reason=why)
        if disabled_at is not None:
            sessions.end_all(user_id, now)
    return True

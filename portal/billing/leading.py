"""Leading subscribers from one gateway to the other: they are asked to save a card there, and nothing else.

Whoever saves one is charged there from then on, as with any method saved last; whoever does not is renewed
where their card is, as before. Nobody is charged for being asked.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from portal import running
from portal.billing import doors, settings
from portal.database import db
from portal.models import GatewayName, PaymentMethod, Subscription
from portal.models.subscription import LIVE


def asked_to(user_id: int) -> GatewayName | None:
    """The gateway at which this customer is asked to save a card; ``None``: nothing is asked."""
    wanted = target()
    if wanted is None:
        return None
    mine = _renewing().where(Subscription.user_id == user_id, PaymentMethod.gateway != wanted)
    return wanted if db.session.scalar(mine.limit(1)) is not None else None


def renewing_at() -> dict[GatewayName, int]:
    """How many subscriptions renew at each gateway: how far the shop has come."""
    counted = _renewing().with_only_columns(PaymentMethod.gateway, func.count())
    rows = db.session.execute(counted.group_by(PaymentMethod.gateway)).all()
    found: dict[Any, int] = {row[0]: row[1] for row in rows}
    return {name: found.get(name, 0) for name in GatewayName}


def target() -> GatewayName | None:
    """Where the shop leads to, while a card can be saved there."""
    wanted, config = settings.current().lead_to_gateway, running.config()
    if not wanted or not config.billing_recurring_enabled:
        return None
    return next((name for name in doors.offered() if name.value == wanted), None)


def _renewing() -> Any:
    return (
        select(PaymentMethod.gateway)
        .join(Subscription, Subscription.payment_method_id == PaymentMethod.id)
        .where(Subscription.status.in_(LIVE), Subscription.auto_renew)
    )

"""The methods that a customer let us keep: kept, listed, let go.

Whoever keeps one or lets one go holds the customer's lock (:mod:`portal.billing.locks`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.billing import agenda, locks, stopping
from portal.database import db, transaction
from portal.errors import NotFound
from portal.gateways.base import SavedMethod
from portal.models import Consent, GatewayName, PaymentMethod, PaymentPurpose, Subscription, User
from portal.models.subscription import LIVE
from portal.secrets import vault
from portal.wording import marked

_methods: Any = PaymentMethod.__table__

#: The largest id that the database can hold: whatever is above belongs to nobody.
_LARGEST_ID = 2**63 - 1


class MethodNotFound(NotFound):
    """No such method, or somebody else's: the two are told alike."""

    message = marked("Такого способа оплаты нет.")


def of(user_id: int) -> list[PaymentMethod]:
    """The customer's methods that are not unlinked, the one that is charged first in front."""
    kept = select(PaymentMethod).where(PaymentMethod.user_id == user_id, PaymentMethod.detached_at.is_(None))
    found = list(
        db.session.scalars(kept.order_by(PaymentMethod.preferred_at.desc(), PaymentMethod.id.desc()))
    )
    charged = db.session.scalar(
        select(Subscription.payment_method_id).where(
            Subscription.user_id == user_id, Subscription.status.in_(LIVE), Subscription.auto_renew
        )
    )
    return sorted(found, key=lambda method: method.id != charged)


def owned(user_id: int, method_id: int) -> PaymentMethod:
    """One method of this customer, an unlinked one too.

    Raises MethodNotFound alike for a strange id and for somebody else's method.
    """
    found = db.session.get(PaymentMethod, method_id) if 0 < method_id <= _LARGEST_ID else None
    if found is None or found.user_id != user_id:
        raise MethodNotFound
    return found


def is_usable(method: PaymentMethod, now: datetime) -> bool:
    """Whether a renewal may be charged to it: linked, not refused for good, not past its month."""
    runs_out = agenda.card_runs_out(method)
    return method.detached_at is None and method.stopped_at is None and (runs_out is None or now < runs_out)


def unlink(user_id: int, method_id: int, now: datetime) -> None:
    """Erase the method's token and end charging it, at once and always. A second time there is nothing to do.

    What a worker has in its hands already reads this before it charges (law 10). Raises MethodNotFound.
    """
    with transaction() as session:
        locks.lock_customer(session, user_id)
        method = owned_locked(session, user_id, method_id)
        if method.detached_at is not None:
            return
        charging = session.scalars(
            select(Subscription.id).where(
                Subscription.user_id == user_id,
                Subscription.payment_method_id == method.id,
                Subscription.status.in_(LIVE),
            )
        ).all()
        for subscription_id in charging:
            stopping.stop_charging(session, subscription_id, stopping.Because.UNLINKED, now)
        method.token, method.detached_at = None, now


def closed_since(session: Session, user_id: int, since: datetime) -> bool:
    """Whether the customer closed the account after *since*, or has it closed now: what was begun before
    keeps nothing.
    """
    closed = exists().where(User.id == user_id, (User.closed_at > since) | locks.IS_CLOSED)
    return bool(session.scalar(select(closed)))


def owned_locked(session: Session, user_id: int, method_id: int) -> PaymentMethod:
    """One method of this customer, locked and read anew. Raises MethodNotFound."""
    owned(user_id, method_id)
    return session.get_one(PaymentMethod, method_id, with_for_update=True, populate_existing=True)


def keep_agreed(
    session: Session, payment: Row[Any], saved: SavedMethod | None, now: datetime
) -> tuple[int, int] | None:
    """Keep the method of a captured payment where the customer agreed to that with this very payment.

    Gives the method and the agreement. Without a method a purchase's agreement ends unused: not everything
    can be saved (SberPay at CloudPayments), and news may come after the method was unlinked. That of a change
    may be meant for a method saved before (:mod:`portal.billing.replacing`).
    """
    agreed = select(Consent).where(Consent.payment_id == payment.id, Consent.withdrawn_at.is_(None))
    consent = session.scalar(agreed)
    if consent is None:
        return None
    if saved is not None and not was_unlinked(session, consent.user_id, saved, consent.given_at):
        return keep(session, payment.user_id, payment.gateway, saved, now), consent.id
    if payment.purpose is PaymentPurpose.PURCHASE:
        because = stopping.Because.UNLINKED if saved is not None else stopping.Because.NOT_SAVED
        stopping.withdraw(session, consent.id, because, now)
    return None


def was_unlinked(session: Session, user_id: int, method: SavedMethod, since: datetime) -> bool:
    """Whether the customer unlinked this very method after *since*, at either gateway, or closed the account
    and all of them with it.
    """
    if closed_since(session, user_id, since):
        return True
    unlinked = exists().where(
        PaymentMethod.user_id == user_id,
        PaymentMethod.fingerprint.in_([_fingerprint(name, method.token) for name in GatewayName]),
        PaymentMethod.detached_at > since,
    )
    return bool(session.scalar(select(unlinked)))


def keep(session: Session, user_id: int, gateway: GatewayName, method: SavedMethod, now: datetime) -> int:
    """Store a method, or find it when it is stored already; in the caller's transaction. Returns its id.

    A token belongs to one customer of one shop and is never shared (cloudpayments.md 7.15). A method that was
    refused for good and that its owner has just confirmed anew may be charged again.
    """
    row = {
        "user_id": user_id,
        "gateway": gateway,
        "token": method.token.encode(),
        "fingerprint": _fingerprint(gateway, method.token),
        "kind": method.kind[:32],
        "title": method.title[:120],
        "last4": method.last4,
        "brand": method.brand and method.brand[:32],
        "expiry_month": method.expiry_month,
        "expiry_year": method.expiry_year,
        "bank": method.bank and method.bank[:120],
        "created_at": now,
        "preferred_at": now,
    }
    written = insert(_methods).values(row)
    # The update makes the statement return the row that was there; it was just chosen once more.
    kept = written.on_conflict_do_update(
        index_elements=["user_id", "gateway", "fingerprint"],
        index_where=_methods.c.detached_at.is_(None),
        set_={
            **{name: written.excluded[name] for name in ("title", "expiry_month", "expiry_year")},
            "preferred_at": now,
            "stopped_at": None,
            "stop_code": None,
        },
    )
    return int(session.execute(kept.returning(_methods.c.id)).scalar_one())


def mend_fingerprint(session: Session, method_id: int) -> bool:
    """Make a method's fingerprint anew where the key that it hung on is gone; in the caller's transaction.

    Where the same method was saved once more meanwhile there would be two of it: then this one is left.
    """
    method = session.get(PaymentMethod, method_id, with_for_update=True, populate_existing=True)
    if method is None or method.token is None:
        return False
    wanted = _fingerprint(method.gateway, method.token.decode())
    taken = select(PaymentMethod.id).where(
        PaymentMethod.user_id == method.user_id,
        PaymentMethod.gateway == method.gateway,
        PaymentMethod.fingerprint == wanted,
        PaymentMethod.detached_at.is_(None),
    )
    if method.fingerprint == wanted or session.scalar(taken) is not None:
        return False
    method.fingerprint = wanted
    return True


def _fingerprint(gateway: GatewayName, token: str) -> str:
    return vault().fingerprint(f"{gateway.value}:{token}")

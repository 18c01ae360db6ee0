"""Who works at the desk, and in which role."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from portal.accounts import passwords, registration, sessions, two_factor
from portal.billing import audit
from portal.billing.audit import Actor, Subject
from portal.database import db, exclusive, transaction
from portal.errors import NotAllowed, NotFound
from portal.models import Role, User


class LastOwner(NotAllowed):
    """Nobody would be left who may give roles."""

    code = "LAST_OWNER"
    message = "Это единственный владелец: сначала назначьте другого."


def create(email: str, password: str, role: Role, actor: Actor, now: datetime) -> User:
    """Make an operator of a new address, or of an existing user, whose password becomes this one.

    Raises ``WeakPassword`` and ``InvalidRequest``; :class:`LastOwner` when the only owner would become less.
    """
    wanted = registration.usable_address(email)
    passwords.demand_good(password, wanted)
    with passwords.slot():
        kept = passwords.hashed(password)
    with transaction() as session:
        user = registration.insert_user(wanted, kept, now, email_confirmed_at=now)
        if user is None:
            user = session.scalars(select(User).where(User.email == wanted).with_for_update()).one()
            user.disabled_at = None
            passwords.put(user, kept, now)
        before, subject = _put_role(user, role), Subject("user", user.id)
        audit.note(actor, "create-admin", subject, now, before={"role": before}, after={"role": role})
    return user


def give_role(user_id: int, role: Role | None, actor: Actor, reason: str, now: datetime) -> bool:
    """Make the user an operator of this role, or a customer again; tells whether anything changed.

    Their sessions end, so that no browser keeps what the person may no longer do. Raises NotFound and
    :class:`LastOwner`.
    """
    with transaction() as session:
        user = session.scalars(select(User).where(User.id == user_id).with_for_update()).one_or_none()
        if user is None:
            raise NotFound
        if user.role is role:
            return False
        before, subject = _put_role(user, role), Subject("user", user.id)
        audit.note(actor, "role", subject, now, before={"role": before}, after={"role": role}, reason=reason)
        sessions.end_all(user.id, now)
    return True


def reset_two_factor(email: str, actor: Actor, now: datetime) -> None:
    """Forget the second factor of an operator who lost the phone and the codes. Raises NotFound."""
    with transaction() as session:
        user = session.scalars(
            select(User).where(User.email == email.strip().lower()).with_for_update()
        ).one_or_none()
        if user is None or not user.is_admin:
            raise NotFound
        two_factor.turn_off(user, actor, now)
        sessions.end_all(user.id, now)


def owners() -> int:
    """How many may do everything."""
    counted = select(func.count()).where(User.role == Role.OWNER, User.disabled_at.is_(None))
    return db.session.execute(counted).scalar_one()


def _put_role(user: User, role: Role | None) -> Role | None:
    """Set the role and tell the one before it. Two owners who make each other less at the same time must not
    both succeed.
    """
    old = user.role
    if old is Role.OWNER and role is not Role.OWNER:
        exclusive(db.session(), "owners")
        if owners() <= 1:
            raise LastOwner
    user.role = role
    if role is None:
        two_factor.forget(user)
    return old

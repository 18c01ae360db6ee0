"""Who works at the desk: roles given and taken, a lost phone forgotten."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import func, select
from werkzeug.exceptions import NotFound as NoSuchPage

from portal import clock
from portal.accounts import operators, present
from portal.admin.access import ROLES, Room, needs
from portal.database import db
from portal.errors import InvalidRequest, NotFound, PortalError
from portal.models import Role, User, UserSession

CUSTOMER = "customer"


class Operators(Room):
    """The list of operators, and a form for each."""

    least = Role.OWNER
    what = (
        "Наблюдатель смотрит, поддержка служит клиентам и возвращает деньги до дневной суммы, "
        "владелец может всё."
    )

    @expose("/")
    def index(self) -> str:
        """Everybody who may enter, and when they last did."""
        seen = (
            select(UserSession.user_id, func.max(UserSession.desk_seen_at).label("at"))
            .group_by(UserSession.user_id)
            .subquery()
        )
        asked = (
            select(User, seen.c.at)
            .outerjoin(seen, seen.c.user_id == User.id)
            .where(User.role.is_not(None))
            .order_by(User.email)
        )
        return self.render("admin/operators.html", people=db.session.execute(asked).all(), roles=ROLES)

    @expose("/role", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def give_role(self) -> ResponseReturnValue:
        """Make somebody an operator, another one, or a customer again."""
        try:
            user = _by_email(request.form.get("email", ""))
            role, reason = _role(request.form.get("role", "")), request.form.get("reason", "").strip()
            if not reason:
                raise InvalidRequest("Напишите, почему меняется роль: это останется в журнале.")
            changed = operators.give_role(user.id, role, present.actor(), reason, clock.now())
        except PortalError as error:
            flash(error.message, "bad")
        else:
            now_is = ROLES[role].lower() if role else "клиент"
            flash(f"{user.email}: {now_is}." if changed else "Роль и была такой.", "good")
        return redirect(url_for(".index"), 303)

    @expose("/<int:user_id>/two-factor/forget", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def forget_phone(self, user_id: int) -> ResponseReturnValue:
        """The phone and the recovery codes are lost."""
        user = db.session.get(User, user_id) if user_id < 2**63 else None
        if user is None or not user.is_admin:
            raise NoSuchPage
        operators.reset_two_factor(user.email, present.actor(), clock.now())
        flash(f"{user.email}: второй фактор забыт, при входе настроят новый.", "good")
        return redirect(url_for(".index"), 303)


def _by_email(email: str) -> User:
    found = db.session.scalar(select(User).where(User.email == email.strip().lower()))
    if found is None:
        raise NotFound("Такого аккаунта нет: человек должен сначала зарегистрироваться.")
    return found


def _role(word: str) -> Role | None:
    if word == CUSTOMER:
        return None
    try:
        return Role(word)
    except ValueError as error:
        raise InvalidRequest("Такой роли нет.") from error

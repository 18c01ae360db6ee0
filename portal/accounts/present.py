"""Who is at this request: the user's own row, and the actor that the record of acts names."""

from __future__ import annotations

from flask import request
from flask_login import current_user

from portal.billing.audit import Actor
from portal.database import db
from portal.models import User


def user() -> User:
    """The signed-in user's row, which the session holds already. Only behind a guard: there is a user."""
    return db.session.get_one(User, current_user.id)


def actor() -> Actor:
    """The operator at this request, with the address by the trusted proxies' word."""
    return Actor(current_user.id, current_user.email, request.remote_addr or "")

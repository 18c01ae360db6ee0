"""The file with all of one's own data, for reading and for taking elsewhere (GDPR, articles 15 and 20; the
Russian law 152 on personal data, article 14).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.billing import dossier
from portal.database import db
from portal.models import User, UserSession


def of(user: User, now: datetime) -> dict[str, Any]:
    """Everything that is kept of *user* and is no secret, nobody else's and not the shop's own."""
    return {
        "made_at": now.isoformat(),
        "account": {
            "email": user.email,
            "customer_id": user.public_id,
            "language": user.language,
            "works_at_the_desk_as": user.role,
            "created_at": user.created_at.isoformat(),
            "email_confirmed_at": _moment(user.email_confirmed_at),
            "privacy_accepted_at": _moment(user.privacy_accepted_at),
            "closed_at": _moment(user.closed_at),
        },
        "sign_ins": _sign_ins(user.id),
        **dossier.of(user.id, user.email, now),
    }


def _sign_ins(user_id: int) -> list[dict[str, Any]]:
    """Where the account was entered, the oldest first. The key of a session is in no file."""
    one = UserSession
    wanted = select(one.created_at, one.seen_at, one.ended_at, one.address, one.user_agent)
    return [
        {
            "began_at": _moment(row.created_at),
            "last_seen_at": _moment(row.seen_at),
            "ended_at": _moment(row.ended_at),
            "address": row.address,
            "user_agent": row.user_agent,
        }
        for row in db.session.execute(wanted.where(one.user_id == user_id).order_by(one.id))
    ]


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None

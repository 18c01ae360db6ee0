"""The language in which an account is written to."""

from __future__ import annotations

from sqlalchemy import update

from portal.database import transaction
from portal.models import User
from portal.wording import LANGUAGES


def choose(user_id: int, language: str) -> None:
    """Write to this account in *language* from now on."""
    assert language in LANGUAGES
    with transaction() as session:
        session.execute(update(User).where(User.id == user_id).values(language=language))

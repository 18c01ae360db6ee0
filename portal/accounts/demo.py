"""The demo accounts' passwords are printed on the wall, so nothing real is served while they exist."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from config import ConfigError
from portal import running
from portal.database import db
from portal.models import User


def refuse_in_production() -> None:
    """Raise ConfigError where a demo account exists and the sandbox is off."""
    config = running.config()
    if config.sandbox:
        return
    try:
        with db.engine.connect() as connection:
            found = connection.scalars(select(User.email).where(User.is_demo).order_by(User.email)).all()
    except SQLAlchemyError as error:
        raise ConfigError(
            f"the database cannot be asked ({type(error).__name__}): is it running, and migrated?"
        ) from error
    if found:
        raise ConfigError(
            f"the sandbox's demo accounts ({', '.join(found)}) are in this database: "
            "use another one, or delete them first."
        )

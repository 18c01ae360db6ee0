"""The demo accounts' passwords are printed on the wall, so nothing real is served while they exist."""

from __future__ import annotations

from flask import current_app
from sqlalchemy import exists, select

from config import Config, ConfigError
from portal.database import db
from portal.models import User


def refuse_in_production() -> None:
    """Raise ConfigError where a demo account exists and the sandbox is off."""
    config: Config = current_app.extensions["portal_config"]
    if config.sandbox:
        return
    with db.engine.connect() as connection:
        if connection.execute(select(exists().where(User.is_demo))).scalar():
            raise ConfigError(
                "the demo accounts of the sandbox are in this database: use another database, or delete them first."
            )

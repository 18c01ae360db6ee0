"""How Alembic reaches the database: through the application that runs it."""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy.types import TypeDecorator

from portal.database import Base, db

#: Two migrations at once (a deployment on two machines) take turns.
LOCK = 0x6D696772617465


def render_item(kind: str, thing: Any, autogen_context: Any) -> str | bool:
    """Write our own column types as what they are in the database: a migration must outlive the code."""
    if kind == "type" and isinstance(thing, TypeDecorator):
        implementation = thing.impl_instance if hasattr(thing, "impl_instance") else thing.impl
        return f"sa.{implementation!r}"
    return False


def run() -> None:
    """Run the migrations that are asked for in one transaction."""
    with db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=False,
            render_item=render_item,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            # An index of a large table takes longer than any page may.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            context.run_migrations()


run()

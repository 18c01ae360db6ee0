from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import Engine, create_engine, inspect, text

from config import load
from portal import clock, create_app
from portal.database import Base, db
from tests.servers import Servers, sandbox_environment

EVERYTHING = """
SELECT 'column', table_name, column_name, data_type || coalesce(character_maximum_length::text, '')
    || is_nullable || coalesce(column_default, '')
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
"""


@pytest.fixture(scope="module")
def address(servers: Servers, worker_name: str) -> str:
    """A migrated database that this file may take apart."""
    return servers.database(f"{worker_name}_migrations")


@pytest.fixture(scope="module")
def engine(address: str) -> Iterator[Engine]:
    found = create_engine(address)
    yield found
    found.dispose()


@pytest.fixture
def migrating(address: str, servers: Servers) -> Iterator[Flask]:
    """A portal on that database; what it sets for the whole process is put back."""
    file, handlers = clock._file, list(logging.getLogger().handlers)
    app = create_app(load(sandbox_environment(address, servers.redis)))
    yield app
    with app.app_context():
        db.engine.dispose()
    clock.movable(file)
    logging.getLogger().handlers = handlers


def everything(engine: Engine) -> list[tuple[str, ...]]:
    """Columns, indexes and constraints, as PostgreSQL itself describes them."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(EVERYTHING))]


def test_models_and_migrations_agree(engine: Engine) -> None:
    """The newest schema is the one that the models describe: columns, types, indexes, constraints."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_checks_agree_too(engine: Engine) -> None:
    """Alembic does not compare CHECK constraints, so they are compared by name."""
    found = inspect(engine)
    for table in Base.metadata.sorted_tables:
        wanted = {str(one.name) for one in table.constraints if type(one).__name__ == "CheckConstraint"}
        assert {one["name"] for one in found.get_check_constraints(table.name)} == wanted, table.name


def test_down_to_nothing_and_up_again(engine: Engine, migrating: Flask) -> None:
    """Every migration can be undone to the empty database and done again, with the same schema at the end."""
    before = everything(engine)
    assert before
    with migrating.app_context():
        downgrade(revision="base")
        assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
        upgrade()
    assert everything(engine) == before


def test_up_twice_does_nothing_twice(engine: Engine, migrating: Flask) -> None:
    """A second upgrade, as a second machine would run it, changes nothing."""
    before = everything(engine)
    with migrating.app_context():
        upgrade()
    assert everything(engine) == before


def test_the_partial_indexes_are_partial(engine: Engine) -> None:
    """The indexes that carry the laws hold for the rows they speak of and no others."""
    definitions = {name: what for kind, _, name, what in everything(engine) if kind == "index"}
    for name in (
        "uq_payments_open_order",
        "uq_payments_gateway_payment_id",
        "uq_subscriptions_live",
        "uq_refunds_gateway_refund_id",
        "uq_payment_methods_live",
    ):
        assert "UNIQUE" in definitions[name]
        assert " WHERE " in definitions[name]

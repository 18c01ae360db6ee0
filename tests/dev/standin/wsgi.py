"""A portal of nothing but what the supervisor touches, so that its tests are about the supervisor alone."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from pathlib import Path

import click
import psycopg
from flask import Flask
from flask.cli import AppGroup
from redis import Redis
from rq import Queue, Worker

app = Flask(__name__)
database = AppGroup("db")
app.cli.add_command(database)


def _connect() -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_URL"].replace("+psycopg", ""))


@app.get("/healthz")
def healthz() -> str:
    return "alive"


@app.get("/readyz")
def readyz() -> str:
    """How often this database was migrated: once per start."""
    with _connect() as connection:
        row = connection.execute("SELECT count(*) FROM starts").fetchone()
    return str(row[0] if row else 0)


@database.command("upgrade")
def upgrade() -> None:
    with _connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz)")
        connection.execute("INSERT INTO starts VALUES (now())")


@app.cli.command("create-extended-plans")
def create_extended_plans() -> None:
    if os.environ.get("STANDIN_BREAKS"):
        raise SystemExit("the plans are broken")


@app.cli.command("demo-accounts")
def demo_accounts() -> None:
    pass


@app.cli.command("worker")
def worker() -> None:
    connection = Redis.from_url(os.environ["REDIS_URL"])
    Worker([Queue("standin", connection=connection)], connection=connection).work()


def long_job(mark: str, *, stubborn: bool = False) -> None:
    """Write our process id to *mark* and work for an hour; a *stubborn* job needs no database for that."""
    Path(mark).write_text(str(os.getpid()))
    while True:
        if not stubborn:  # a job of the portal fails when its database is gone
            with _connect() as connection:
                connection.execute("SELECT 1")
        time.sleep(0.2)


@app.cli.command("scheduler")
def scheduler() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        time.sleep(60)


@app.cli.command("create-api-key")
@click.argument("name")
def create_api_key(name: str) -> None:
    with _connect() as connection:
        connection.execute("SELECT count(*) FROM starts")
    click.echo(f"key-for-{name}")


# As the portal's own: what was imported for this is not searched for garbage, here or at the end.
gc.freeze()

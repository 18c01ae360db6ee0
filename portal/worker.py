"""The RQ worker, and the scheduler that sweeps.

RQ delivers ids and is never the truth (law 8). The scheduler reads what is due from the database every few
seconds and holds a PostgreSQL advisory lock, so that two of them are one.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from flask import Flask
from redis.exceptions import RedisError
from rq import Worker
from rq.serializers import JSONSerializer
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.billing import figures, machinery, sweep
from portal.database import db

log = logging.getLogger(__name__)

#: Seconds between two sweeps.
EVERY = 3.0
#: Seconds between two looks for days whose figures can be added up.
FIGURES_EVERY = 30.0
#: Seconds in which it adds up days before other work has its turn.
FIGURES_FOR = 5.0
#: The advisory lock's number: "portal" in ASCII.
LOCK = 0x706F7274616C


class PortalWorker(Worker):
    """Runs each job inside the application, in a process and on a database connection of its own."""

    app: Flask

    def perform_job(self, *args: Any, **kwargs: Any) -> bool:
        """Give the job what a request has."""
        with self.app.app_context():
            # The parent's connections came along with the fork and still belong to the parent.
            db.engine.dispose(close=False)
            return bool(super().perform_job(*args, **kwargs))


def work(app: Flask, *, burst: bool = False) -> None:
    """Take jobs until told to stop; with *burst* until there are none.

    Raises ``SystemExit`` where Redis is lost for good: whoever watches this process starts another one.
    """
    queue = app.extensions["portal_queue"]
    try:
        worker = PortalWorker(
            [queue],
            connection=queue.connection,
            serializer=JSONSerializer,
            worker_ttl=30,
            maintenance_interval=15,
        )
        worker.app = app
        worker.work(burst=burst, with_scheduler=False, logging_level="WARNING")
    except RedisError as error:
        log.warning("The worker lost Redis: %s", type(error).__name__)
        sys.exit(1)


def schedule(app: Flask) -> None:
    """Sweep every few seconds until SIGTERM or SIGINT. A second scheduler waits until the first is gone."""
    stop = threading.Event()

    def asked_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked_to_stop)
    with app.app_context():
        while not stop.is_set():
            try:
                with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    if _holds(connection):
                        _sweep_while(lambda: not stop.is_set() and _holds(connection), stop)
            except SQLAlchemyError as error:
                log.warning("The scheduler lost the database: %s", type(error).__name__)
            stop.wait(EVERY)


def _holds(connection: Connection) -> bool:
    """Whether this connection has the lock; taken again it is only counted, so asking twice is safe."""
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}).scalar())


def _sweep_while(goes_on: Callable[[], bool], stop: threading.Event) -> None:
    next_figures = 0.0
    while goes_on():
        try:
            done = sweep.sweep(clock.now())
            machinery.ran(machinery.SWEEP, str(done), clock.now())
            if time.monotonic() >= next_figures:
                # While days of a long past wait to be added up, after every sweep; then now and then.
                next_figures = 0.0 if _close_days(stop) else time.monotonic() + FIGURES_EVERY
        except SQLAlchemyError as error:
            log.warning("A sweep was cut short: %s", type(error).__name__)
            db.session.remove()
            _note_failure(error)
        stop.wait(EVERY)


def _close_days(stop: threading.Event) -> bool:
    """Add up days for some seconds, portion by portion; whether more may wait."""
    until = time.monotonic() + FIGURES_FOR
    while figures.close_days(clock.now()):
        if stop.is_set() or time.monotonic() >= until:
            return True
    return False


def _note_failure(error: SQLAlchemyError) -> None:
    """For the desk's page; a database that is away cannot be told of it."""
    try:
        machinery.failed(machinery.SWEEP, type(error).__name__, clock.now())
    except SQLAlchemyError:
        db.session.remove()

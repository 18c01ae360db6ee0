"""The rule of the pen: who writes to the database, when it is kept, and what may follow.

Only :func:`transaction` commits. What must follow a commit (a job, a letter) is asked for inside with
:func:`after_commit` and happens after; a rollback throws it away. No gateway is called while a transaction is
open: :func:`release` sees to it.
"""

from __future__ import annotations

import logging
import select as sockets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus
from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    ExceptionContext,
    MetaData,
    Result,
    event,
    func,
    select,
)
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry, Pool

log = logging.getLogger(__name__)

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables; constraints have names, so that a migration can speak of them."""

    metadata = MetaData(naming_convention=NAMES)


# Objects stay readable after the commit, so that reading one before a gateway's call opens no transaction
# around it.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
migrate = Migrate(compare_type=True)

ENGINE_OPTIONS: dict[str, Any] = {
    # An error's text goes into the log, and parameters hold tokens and whole notifications.
    "hide_parameters": True,
    "pool_size": 10,
    # The one used last knows the statements of the moment.
    "pool_use_lifo": True,
    "max_overflow": 10,
    "connect_args": {
        "connect_timeout": 5,
        # A lock or statement that waits longer than a customer would is a fault to report, not to wait for.
        # Statements are short: to compile one takes longer than to run it.
        "options": "-c timezone=UTC -c jit=off -c lock_timeout=8s -c statement_timeout=30s"
        " -c idle_in_transaction_session_timeout=60s",
    },
}


#: Seconds after which a connection that nobody used is asked whether the server still answers.
ASKED_AFTER = 10.0
_GIVEN_BACK = "given_back"


class Line(psycopg.Connection[Any]):
    """A connection that knows its prepared statements after a rollback as well.

    Every request that only reads ends by one. The driver forgets all statements then, with one trip more to
    say so, for fear of a table whose making was taken back
    (https://www.psycopg.org/psycopg3/docs/advanced/prepare.html); the portal makes no tables while it runs.
    """

    def rollback(self) -> None:
        """Take back what was not committed; whatever went wrong before is left to the driver's own way."""
        with self.lock:
            status, pipeline = self.pgconn.transaction_status, self.pgconn.pipeline_status
            healthy = status == TransactionStatus.INTRANS and pipeline == PipelineStatus.OFF
            if healthy and self.pgconn.exec_(b"ROLLBACK").status == ExecStatus.COMMAND_OK:
                return
        super().rollback()


class CallInsideTransaction(RuntimeError):
    """A gateway was about to be called while a transaction was open (law 1 of the design)."""


@contextmanager
def transaction() -> Iterator[Session]:
    """Write all or nothing. A block inside another joins it; the outermost one commits."""
    session = db.session()
    if session.info.get("open"):
        yield session
        return
    session.info["open"] = True
    last_words: list[Callable[[Session], None]] = []
    follow_ups: list[Callable[[], None]] = []
    session.info["last_words"], session.info["follow_ups"] = last_words, follow_ups
    try:
        yield session
        for last_word in last_words:
            last_word(session)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["open"] = False
        session.info.pop("last_words", None)
        session.info.pop("follow_ups", None)
    for follow_up in follow_ups:
        _run(follow_up)


class _OverError(Exception):
    """A rehearsal has come to its end."""


@contextmanager
def rehearsal() -> Iterator[Session]:
    """Carry something out to see what it would change: everything in the block is rolled back at its end,
    and what should have followed the commit is thrown away.
    """
    if db.session().info.get("open"):
        raise RuntimeError("a rehearsal inside a transaction would be kept with it")
    with suppress(_OverError), transaction() as session:
        yield session
        raise _OverError


def glance() -> Connection:
    """A connection for reading outside any transaction, to be used in a ``with`` block.

    Each statement stands alone: nothing has to be begun or ended around it, which are two trips saved.
    """
    return db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def planned_anew(connection: Connection) -> Iterator[None]:
    """Let each statement of this connection be planned for the very values that it is asked with.

    What is asked often is planned once for all values; that suits no question whose window is now a day and
    now all of the past.
    """
    line: Any = connection.connection.driver_connection
    usual, line.prepare_threshold = line.prepare_threshold, None
    try:
        yield
    finally:
        line.prepare_threshold = usual


def changed(result: Result[Any]) -> bool:
    """Whether an UPDATE found its row: how a guarded update says that it was the first."""
    return isinstance(result, CursorResult) and result.rowcount > 0


def before_commit(last_word: Callable[[Session], None]) -> None:
    """Write this as the last thing of the present transaction, and commit or roll back with it.

    For what takes a lock that everybody wants: taken last, it is held shortly and no other is waited for
    under it.
    """
    db.session().info["last_words"].append(last_word)


def after_commit(follow_up: Callable[[], None]) -> None:
    """Do this once the present transaction is committed; at once when none is open; never after a rollback.

    A follow-up is best effort: its failure is logged, and a sweep finds what it left undone.
    """
    follow_ups = db.session().info.get("follow_ups")
    if follow_ups is None:
        _run(follow_up)
    else:
        follow_ups.append(follow_up)


def exclusive(session: Session, name: str) -> None:
    """Let one holder of *name* at a time go on, until this transaction ends.

    For work that has no row to lock yet.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def release() -> None:
    """End a read that is still open, so that no database transaction spans the gateway's call that follows.

    Raises :class:`CallInsideTransaction` inside a :func:`transaction` block, or when something is left
    unwritten.
    """
    session = db.session()
    if session.info.get("open") or session.new or session.dirty or session.deleted:
        raise CallInsideTransaction("a gateway must not be called inside an open transaction")
    if session.in_transaction():
        session.commit()


def _run(follow_up: Callable[[], None]) -> None:
    try:
        follow_up()
    except Exception:  # the money is committed; whatever a follow-up lacks (Redis, say) a sweep makes up for
        log.exception("A follow-up of a commit failed")


@event.listens_for(Engine, "do_connect")
def _connect(
    _dialect: object, _entry: object, words: list[Any], names: dict[str, Any]
) -> psycopg.Connection[Any]:
    return Line.connect(*words, **names)


@event.listens_for(Engine, "handle_error")
def _drop_what_is_outdated(context: ExceptionContext) -> None:
    """Give up a connection whose statements were prepared for columns that a migration has changed since.

    The server refuses them for as long as the connection lives, and an operator migrates before the new
    code starts.
    """
    error = context.original_exception
    if isinstance(error, psycopg.errors.FeatureNotSupported) and "cached plan" in str(error):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


@event.listens_for(Pool, "checkin")
def _note_when(_connection: object, entry: ConnectionPoolEntry) -> None:
    entry.info[_GIVEN_BACK] = time.monotonic()


@event.listens_for(Pool, "checkout")
def _look_before_use(connection: psycopg.Connection[Any], entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Hand out no connection whose server has gone; the pool then begins anew with all of them.

    A server that ends a connection says so, and the socket has it: while that is silent and was used a
    moment ago, no trip to the server need be spent on a question. Otherwise it is asked.
    """
    given_back = entry.info.get(_GIVEN_BACK)
    if given_back is None:  # made this moment
        return
    rested = time.monotonic() - given_back
    if rested < ASKED_AFTER and not _has_news(connection):
        return
    try:
        _ask(connection)
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    """Whether something came in though nothing was asked: the end of the connection, or a mere notice."""
    if connection.closed:
        return True
    poll = sockets.poll()
    poll.register(connection.fileno(), sockets.POLLIN)
    return bool(poll.poll(0))


def _ask(connection: psycopg.Connection[Any]) -> None:
    connection.autocommit = True
    try:
        connection.execute("SELECT 1")
    finally:
        if not connection.closed:
            connection.autocommit = False

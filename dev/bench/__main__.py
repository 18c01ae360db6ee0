"""``make bench``: the product's API, served as in production, on a database with a million usage records.

With ``--statistics`` instead the desk's statistics and list of payments, on one with a million payments; with
``--pages`` the pages of a customer, on one with a hundred thousand.

Exit code 1 when a promise is broken: 99 of 100 calls of the API within 20 ms, and no large table walked
through; 95 of 100 of the desk's pages within 300 ms, within 3 seconds while nobody has added up any day yet;
half of the looks at each of a customer's pages within 30 ms.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

import config
from dev import ports
from dev.bench import calls as timed
from dev.bench import desk, pages, payments, rows
from dev.bench.calls import Product, Timing
from dev.bench.rows import Size
from dev.environment import ROOT, Place, for_children
from dev.processes import CannotStart, end, spawn, tail
from dev.servers import Postgres, Redis
from portal import create_app

PROMISED = 0.020  # seconds within which 99 of 100 calls are answered
PROMISED_TO_CUSTOMERS = 0.030  # seconds within which half of the looks at their pages are answered
PROMISED_PAGE = 0.300  # seconds within which 95 of 100 pages of the desk are answered
PROMISED_UNREADY = 3.0  # seconds, the same before any day of two years is added up
PROMISED_CLOSED = 120.0  # seconds in which one command adds up all days of a million payments
KINDS = ("entitlement", "usage")
_READY_WITHIN = 60.0
_MACHINE = "The same millisecond of computing, again and again, as far as others let this machine:"

Connection = psycopg.Connection[Any]


def main(arguments: list[str] | None = None) -> int:
    """Fill, serve, call, report."""
    options = _options().parse_args(arguments)
    try:
        with ExitStack() as stack:
            place, environment = stack.enter_context(_servers())
            _flask(environment, "db", "upgrade")
            _flask(environment, "create-extended-plans")
            connection = stack.enter_context(psycopg.connect(_address(environment)))
            say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; all of it on this machine")
            part = _of_the_desk if options.statistics else _of_the_product
            part = _of_the_customers if options.pages else part
            return part(options, place, environment, connection)
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1


def _of_the_product(
    options: argparse.Namespace, place: Place, environment: Mapping[str, str], connection: Connection
) -> int:
    """The product's API; the exit code."""
    size = Size(options.customers, options.records)
    key = _flask(environment, "create-api-key", "bench").splitlines()[-1]
    begun = time.perf_counter()
    records = rows.fill(connection, size, datetime.now(UTC))
    say(f"{size.customers} customers, {records} usage records ({time.perf_counter() - begun:.0f} s)")
    before = rows.walks(connection)
    with _web(place, environment):
        product = Product(place.port, key, size.customers)
        promised = _measure(product, options.calls, options.rate)
    walked = {name: scans - before[name] for name, scans in rows.walks(connection).items()}
    _books(environment)
    return _verdict(promised, walked)


def _of_the_desk(
    options: argparse.Namespace, place: Place, environment: Mapping[str, str], connection: Connection
) -> int:
    """The operator's pages; the exit code."""
    begun = time.perf_counter()
    there = payments.fill(connection, options.payments or 1_000_000, datetime.now(UTC), test=False)
    say(f"{there} payments of two years ({time.perf_counter() - begun:.0f} s)")
    operator = desk.Operator(place.portal_url)
    _flask(environment, "create-admin", desk.EMAIL, "--role", "viewer", "--password", operator.password)
    with _web(place, environment):
        operator.sign_in()
        say("Before any day is added up, one page after another:")
        looks = options.looks or 30
        unready = _look(operator, desk.NUMBERS, looks // 6)
        begun = time.perf_counter()
        said = _flask(environment, "close-days")
        took = time.perf_counter() - begun
        say(f"{said} ({took:.0f} s)")
        connection.execute("VACUUM ANALYZE")  # as autovacuum would have
        say(_MACHINE)
        say(timed.of_the_machine().line())
        say("The days added up, one page after another:")
        return _page_verdict(_look(operator, desk.PAGES, looks), unready, took)


def _of_the_customers(
    options: argparse.Namespace, place: Place, environment: Mapping[str, str], connection: Connection
) -> int:
    """A customer's pages; the exit code."""
    begun = time.perf_counter()
    there = payments.fill(connection, options.payments or 100_000, datetime.now(UTC))
    customer = pages.Customer(place.port)
    _flask(environment, "create-admin", pages.EMAIL, "--role", "viewer", "--password", customer.password)
    pages.prepare(connection)
    say(f"{there} payments of two years ({time.perf_counter() - begun:.0f} s)")
    with _web(place, environment):
        customer.sign_in()
        say(_MACHINE)
        say(timed.of_the_machine().line())
        say("A signed-in customer, one look after another:")
        timings = []
        for path, sent in customer.statements(create_app(config.load(environment))).items():
            customer.look(path, 30)  # every process has then seen every statement
            timings.append(customer.look(path, options.looks or 300))
            say(f"{timings[-1].line()}   {sent} statements")
    return _customers_verdict(timings)


def _look(operator: desk.Operator, names: Iterable[str], times: int) -> list[Timing]:
    """Each of these pages so many times."""
    timings = []
    for name in names:
        operator.look(name, 6)  # every process has then seen every statement
        timings.append(operator.look(name, times))
        say(timings[-1].line())
    return timings


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--statistics", action="store_true", help="time the desk's pages instead of the API")
    parser.add_argument("--pages", action="store_true", help="time a customer's pages instead of the API")
    parser.add_argument("--payments", type=int, help="with --statistics (a million) or --pages (100 000)")
    parser.add_argument("--looks", type=int, help="at each page: 30 with --statistics, 300 with --pages")
    parser.add_argument("--customers", type=int, default=Size().customers)
    parser.add_argument("--records", type=int, default=Size().records)
    parser.add_argument("--calls", type=int, default=1500, help="of each kind, in each of the two ways")
    parser.add_argument("--rate", type=int, default=30, help="calls a second in the second way")
    return parser


@contextmanager
def _servers() -> Iterator[tuple[Place, dict[str, str]]]:
    """A PostgreSQL that keeps what it commits and a Redis, both as under ``make run``; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user and has to walk through
    postgres, redis = Postgres(folder / "postgres"), Redis(folder / "redis")
    try:
        postgres.start()
        redis.start()
        postgres.ensure_database()
        port, sandbox_port = _free_port(), _free_port()
        where = {"VAR_DIR": str(folder), "PORT": str(port), "SANDBOX_PORT": str(sandbox_port)}
        place = Place.read({**os.environ, **where, "DATABASE_URL": "", "REDIS_URL": ""})
        yield place, for_children(place, os.environ, database_url=postgres.url(), redis_url=redis.url())
    finally:
        redis.stop()
        postgres.stop()
        postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _web(place: Place, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve as in production: gunicorn.conf.py says how many processes and threads."""
    log = place.var / "web.log"
    command = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    process = spawn(command, log=log, environment=environment, directory=ROOT)
    try:
        deadline = time.monotonic() + _READY_WITHIN
        while not ports.answers(place.port, "/readyz"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"The portal does not answer:\n{tail(log)}")
            time.sleep(0.1)
        yield
    finally:
        # The database's statistics are complete once its sessions have ended.
        end(process, signal.SIGTERM, seconds=30)


def _measure(product: Product, calls: int, rate: int) -> list[Timing]:
    """Both kinds, first one call after another, then together at random moments."""
    for kind in KINDS:
        product.one_after_another(kind, 200)  # every process has then seen every statement
    say(_MACHINE)
    say(timed.of_the_machine().line())
    say("One after another:")
    timings = [product.one_after_another(kind, calls) for kind in KINDS]
    for timing in timings:
        say(timing.line())
    say(f"Both together, {rate} calls a second at random moments:")
    together = product.at_random_moments(KINDS, rate, 2 * calls, clients=16)
    for timing in together:
        say(timing.line())
    return [*timings, *together]


def _books(environment: Mapping[str, str]) -> None:
    """What the calls left behind is in order."""
    for command in ("update-email-counts", "check-invariants"):
        begun = time.perf_counter()
        said = _flask(environment, command).splitlines()[-1]
        say(f"{command}: {said} ({time.perf_counter() - begun:.1f} s)")


def _verdict(timings: list[Timing], walked: Mapping[str, int]) -> int:
    slow = [timing for timing in timings if timing.percentile(99) > PROMISED]
    through = sorted(name for name, scans in walked.items() if scans)
    say(f"Tables walked through: {', '.join(through) or 'none'}.")
    within = "broken" if slow else "kept"
    say(f"99 of 100 calls within {PROMISED * 1000:.0f} ms: {within}.")
    return 1 if slow or through else 0


def _page_verdict(timings: list[Timing], unready: Sequence[Timing] = (), took: float = 0.0) -> int:
    """*unready*: pages looked at before any day was added up; *took*: how long adding all of them up took."""
    promises = (
        (f"95 of 100 pages within {PROMISED_PAGE * 1000:.0f} ms", timings, PROMISED_PAGE),
        (f"while no day is added up, within {PROMISED_UNREADY:.0f} s", unready, PROMISED_UNREADY),
    )
    broken = took > PROMISED_CLOSED
    for what, looked, within in promises:
        slow = any(timing.percentile(95) > within for timing in looked)
        say(f"{what}: {'broken' if slow else 'kept'}.")
        broken |= slow
    say(
        f"All days added up within {PROMISED_CLOSED:.0f} s: {'broken' if took > PROMISED_CLOSED else 'kept'}."
    )
    return 1 if broken else 0


def _customers_verdict(timings: list[Timing]) -> int:
    slow = [timing for timing in timings if timing.percentile(50) > PROMISED_TO_CUSTOMERS]
    within = "broken" if slow else "kept"
    say(f"Half of the looks at each page within {PROMISED_TO_CUSTOMERS * 1000:.0f} ms: {within}.")
    return 1 if slow else 0


def _flask(environment: Mapping[str, str], *words: str) -> str:
    """What a command says. Raises :class:`CannotStart` when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotStart(f"`flask {' '.join(words)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def _address(environment: Mapping[str, str]) -> str:
    """The database's address as psycopg reads it."""
    return environment["DATABASE_URL"].replace("+psycopg", "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: Any = probe.getsockname()
        return int(found[1])


def say(sentence: str) -> None:
    """Tell the person at the terminal, at once."""
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())

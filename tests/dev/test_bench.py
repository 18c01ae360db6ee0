"""The benchmark itself, on a small shop: rows in order, calls that arrive, a verdict that can be broken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from werkzeug.serving import make_server

from dev.bench import __main__ as bench
from dev.bench import desk as pages
from dev.bench import pages as front
from dev.bench import payments, rows
from dev.bench.calls import Product, Timing
from dev.bench.rows import Size
from portal.accounts import operators
from portal.billing import api_keys, recount
from portal.billing.audit import COMMAND_LINE
from portal.clock import now
from portal.models import Role
from tests import laws
from tests.desk import Desk

SIZE = Size(customers=10, records=600)


@pytest.fixture
def product(app: Flask, database_url: str) -> Iterator[Product]:
    """The benchmark's product at a small shop."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        assert rows.fill(connection, SIZE, datetime.now(UTC)) == 600
    with app.app_context():
        key = api_keys.create("bench", now())
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()
    yield Product(server.server_port, key, SIZE.customers)
    server.shutdown()


def test_the_calls_arrive(app: Flask, product: Product) -> None:
    """Every call is answered and timed, repeats are counted once, and no law is broken before or after."""
    with app.app_context():
        assert (recount.recount().recorded, laws.violations(now())) == (600, [])

    alone = product.one_after_another("usage", 21)
    together = product.at_random_moments(("entitlement", "usage"), rate=500, calls=20, clients=4)

    assert [(one.kind, len(one.waited)) for one in (alone, *together)] == [
        ("usage", 21),
        ("entitlement", 10),
        ("usage", 10),
    ]
    with app.app_context():
        # Of 31 uses the 11th, the 21st and the 31st repeat a key; nothing else is left out.
        assert recount.recount().recorded == 600 + 31 - 3
        assert laws.violations(now()) == []


def test_a_wrong_answer_ends_the_run(product: Product) -> None:
    """What is measured are good answers only."""
    product._headers["Authorization"] = "Bearer pk_wrong"
    with pytest.raises(RuntimeError, match="401"):
        product.one_after_another("entitlement", 1)


def test_percentiles() -> None:
    """The value that so many percent of the calls do not exceed."""
    timing = Timing("usage", tuple(number / 1000 for number in range(100, 0, -1)))
    assert [timing.percentile(percent) for percent in (1, 50, 99, 100)] == [0.001, 0.05, 0.099, 0.1]
    assert Timing("usage", (0.5,)).percentile(99) == 0.5


@pytest.mark.parametrize(("slowest", "walked", "code"), ((0.020, 0, 0), (0.021, 0, 1), (0.001, 1, 1)))
def test_the_verdict(slowest: float, walked: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A call of a hundred above 20 ms, or a large table read from end to end, breaks the promise."""
    timing = Timing("usage", (0.001,) * 98 + (slowest,) * 2)
    assert bench._verdict([timing], {"usage_records": walked, "users": 0}) == code
    assert ("usage_records" in capsys.readouterr().out) == bool(walked)


@pytest.fixture
def operator(desk: Desk, database_url: str) -> pages.Operator:
    """The benchmark's operator at a small shop, not signed in."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        assert payments.fill(connection, 500, datetime.now(UTC)) > 500
    found = pages.Operator(desk.url)
    with desk.app.app_context():
        operators.create(pages.EMAIL, found.password, Role.VIEWER, COMMAND_LINE, now())
    return found


def test_the_pages_come(operator: pages.Operator) -> None:
    """Every page of the desk is answered and timed as often as was asked."""
    operator.sign_in()
    found = [operator.look(name, 2) for name in pages.PAGES]
    assert [(one.kind, len(one.waited)) for one in found] == [(name, 2) for name in pages.PAGES]


def test_a_closed_desk_ends_the_run(operator: pages.Operator) -> None:
    """A redirect to the door is no page, and a wrong password opens nothing."""
    with pytest.raises(RuntimeError, match="answered 30"):
        operator.look("payments", 1)
    operator.password = "another one"
    with pytest.raises(RuntimeError, match="/login answered 4"):
        operator.sign_in()


@pytest.mark.parametrize(("slow", "code"), ((1, 0), (2, 1)))
def test_the_verdict_on_pages(slow: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """One page of thirty may be late, two may not."""
    timing = Timing("30 days", (0.300,) * (30 - slow) + (0.301,) * slow)
    assert bench._page_verdict([timing]) == code
    assert ("broken" in capsys.readouterr().out) == bool(code)


@pytest.mark.parametrize(("first", "took", "code"), ((2.9, 119, 0), (3.1, 119, 1), (2.9, 121, 1)))
def test_the_verdict_before_days_are_added_up(first: float, took: float, code: int) -> None:
    """Nobody waits longer than that for a page, or for all days to be added up."""
    unready = [Timing("a year", (first,))]
    assert bench._page_verdict([Timing("a year", (0.1,))], unready, took) == code


def test_a_customers_pages_come(desk: Desk, database_url: str) -> None:
    """Signed in, with two years of payments and something sent; the statements of each page are counted."""
    customer = front.Customer(int(urlsplit(desk.url).port or 0))
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        payments.fill(connection, 1000, datetime.now(UTC))
        with desk.app.app_context():
            operators.create(front.EMAIL, customer.password, Role.VIEWER, COMMAND_LINE, now())
        front.prepare(connection)

    customer.sign_in()

    found = [customer.look(path, 2) for path in front.PAGES]
    assert [(one.kind, len(one.waited)) for one in found] == [(path, 2) for path in front.PAGES]
    sent = customer.statements(desk.app)
    assert list(sent) == list(front.PAGES)
    assert all(3 < count < 20 for count in sent.values()), sent


@pytest.mark.parametrize(("middle", "code"), ((0.030, 0), (0.031, 1)))
def test_the_verdict_on_a_customers_pages(middle: float, code: int) -> None:
    """Half of the looks within 30 ms, whatever the other half took."""
    timing = Timing("/plans", (0.001,) * 99 + (middle,) + (9.0,) * 99)
    assert bench._customers_verdict([timing]) == code

"""What every test stands on: servers of this run's own and sockets that reach nobody else."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest

from tests.network import close_to_the_outside
from tests.servers import Servers

#: The portal's own fixtures, and a browser: loaded by whoever runs tests, not by whoever only hands them out.
PLUGINS = ("tests.desk", "tests.chromium")
pytest.register_assert_rewrite(*PLUGINS)  # a folder's own conftest.py may be the first to import them

# How quickly a busy machine thinks of an example, and tries it, says nothing about what is tried.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

gc.disable()  # until the tests are collected: what is imported for them stays

_SERVERS = pytest.StashKey[Servers]()
_OPEN_AGAIN = pytest.StashKey[Callable[[], None]]()


#: What takes longest is begun first, so that the workers of ``make test`` end together.
LONGEST = (
    "tests/dev/test_run.py",
    "tests/crash/",
    "tests/browser/",
    "tests/billing/test_price_moves.py",
    "tests/stories/",
    "tests/sandbox/test_cloudpayments_widget",
    "tests/dev/",
    "tests/web/desk/",
    "tests/billing/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in that order; within a file nothing changes."""
    places = {prefix: place for place, prefix in enumerate(LONGEST)}
    items.sort(
        key=lambda item: min(
            (place for prefix, place in places.items() if item.nodeid.startswith(prefix)), default=len(places)
        )
    )


def pytest_collection_finish() -> None:
    """Leave what the suite consists of out of every later search for garbage, and search more seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    """Close the outside before anything is collected."""
    config.stash[_OPEN_AGAIN] = close_to_the_outside()
    given = getattr(config, "workerinput", {}).get("servers")
    if given:
        config.stash[_SERVERS] = Servers(**given)
    if given or config.getoption("dist", "no") == "no":
        for name in PLUGINS:
            config.pluginmanager.import_plugin(name)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the xdist controller: start the servers once and tell each worker where they are."""
    if _SERVERS not in node.config.stash:
        gc.enable()  # here nothing is collected; the workers' reports come and go
        _running(node.config).migrate_early()
    node.workerinput["servers"] = _running(node.config).as_texts()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Whoever started the servers ends them."""
    if _SERVERS in config.stash and not hasattr(config, "workerinput"):
        config.stash[_SERVERS].stop()
    if _OPEN_AGAIN in config.stash:
        config.stash[_OPEN_AGAIN]()


def _running(config: pytest.Config) -> Servers:
    if _SERVERS not in config.stash:
        config.stash[_SERVERS] = Servers.start()
    return config.stash[_SERVERS]


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """This run's servers; the test is skipped with the reason where there can be none."""
    running = _running(request.config)
    if running.reason:
        pytest.skip(running.reason)
    return running


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    """A name that no other process of this run has: gw0, gw1 … or alone."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "alone"))


@pytest.fixture(scope="session")
def database_url(servers: Servers, worker_name: str) -> str:
    """The SQLAlchemy address of a migrated database that only this process uses."""
    return servers.database(worker_name)


@pytest.fixture(scope="session")
def redis_url(servers: Servers, worker_name: str) -> str:
    """The address of a Redis database that only this process uses."""
    return servers.redis_database(worker_name)

"""Workers killed, Redis emptied or away, schedulers doubled: in real processes, and no work is lost."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from redis import Redis
from rq import Queue, Worker
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy import text

from portal import clock, jobs
from portal.accounts import operators
from portal.billing import inbox, machinery
from portal.billing.audit import COMMAND_LINE
from portal.billing.machinery import Alarm
from portal.billing.orders import FIRST_CHECK
from portal.database import db
from portal.models import Role
from portal.worker import LOCK
from tests.desk import PASSWORD, Browser, Desk
from tests.nursery import Nursery, kill
from tests.servers import sandbox_environment
from tests.stories import books
from tests.stories.weather import has_plan, later, spoil, subjects

CARD = "5555555555554444"
NO_REDIS = "redis://127.0.0.1:1/0"
#: A process of Python, Flask and SQLAlchemy needs its time to begin on a busy machine.
PATIENCE = 60

Start = Callable[..., int]
Wait = Callable[..., Any]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Where the processes of this file come from."""
    home = Nursery()
    yield home
    home.close()


@pytest.fixture
def start(
    desk: Desk, nursery: Nursery, database_url: str, redis_url: str, clock_file: Path, tmp_path: Path
) -> Iterator[Callable[..., int]]:
    """``start("worker", …)``: run a command of the portal as its own process; its pid. All end by -9."""

    def begin(command: str, *, name: str = "", redis: str = redis_url) -> int:
        sandbox = desk.sandbox.url
        environment = {
            **{key: os.environ[key] for key in ("PATH", "LANG", "HOME") if key in os.environ},
            **sandbox_environment(database_url, redis),
            "PORTAL_BASE_URL": desk.url,
            "YOOKASSA_API_URL": f"{sandbox}/yookassa/v3",
            "YOOKASSA_SHOP_ID": "100500",
            "YOOKASSA_SECRET_KEY": "test_sandbox-secret-key",
            "CLOUDPAYMENTS_API_URL": f"{sandbox}/cloudpayments",
            "CLOUDPAYMENTS_PUBLIC_ID": "test_api_00000000000000000000002",
            "CLOUDPAYMENTS_API_SECRET": "sandbox-api-secret",
            "CLOUDPAYMENTS_TEST_MODE": "true",
            "MAIL_SANDBOX_URL": f"{sandbox}/mailbox",
            "SANDBOX_URL": sandbox,
            "CLOCK_FILE": str(clock_file),
            "PGAPPNAME": name or command,
        }
        return nursery.bear(command, environment, tmp_path / f"{name or command}-{len(nursery.born)}.log")

    yield begin
    nursery.kill_all()


def status(desk: Desk, order: Any) -> str:
    """Where an order stands, by the database: nobody asks a gateway for it."""
    with desk.app.app_context(), db.engine.connect() as connection:
        row = text("SELECT status FROM payments WHERE transaction_id = :id")
        return str(connection.execute(row, {"id": order["transaction_id"]}).scalar_one())


def is_settled(desk: Desk, order: Any) -> Callable[[], bool]:
    """A question for ``wait_until``."""
    return lambda: status(desk, order) == "succeeded"


def pay(desk: Desk, order: Any) -> None:
    """Pay, and let the gateway deliver its news."""
    desk.sandbox.pay(order["gateway"], order["transaction_id"], CARD)
    assert desk.sandbox.world.notifier.settle(20)


def agree(desk: Desk) -> None:
    """Both sides' books are the same."""
    assert not (found := books.disagreements(desk.app, desk.sandbox.ledger())), found


def test_a_worker_killed_and_redis_emptied(
    desk: Desk, start: Start, wait_until: Wait, redis_connection: Redis
) -> None:
    """The worker dies and Redis forgets, between a notification and its job: the sweep activates the plan."""
    worker = start("worker")
    ira, oleg = desk.customer(), desk.customer("oleg@example.com")
    first, second = ira.order("yookassa"), oleg.order("yookassa")
    pay(desk, first)
    wait_until(is_settled(desk, first), PATIENCE)  # so this worker works

    kill(worker)
    pay(desk, second)
    assert desk.app.extensions["portal_queue"].count > 0
    redis_connection.flushdb()
    assert status(desk, second) == "pending"

    desk.sweep()

    assert status(desk, second) == "succeeded"
    assert has_plan(oleg)
    agree(desk)


def test_a_worker_killed_in_the_middle_of_a_job(
    desk: Desk, start: Start, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies while YooKassa keeps it waiting leaves the notification to a try a minute later."""
    # The clock would wait for the job of the dead, which Redis believes to be under way.
    monkeypatch.setattr("portal.web.sandbox.WORKERS_SECONDS", 0.0)
    worker = start("worker")
    wait_until(lambda: Worker.count(desk.app.extensions["portal_queue"].connection), PATIENCE)
    ira = desk.customer()
    order = ira.order("yookassa")
    spoil(desk, "yookassa", "get_payment", "hang")

    pay(desk, order)
    faults = f"{desk.sandbox.url}/control/faults"
    wait_until(lambda: not requests.get(faults, timeout=10).json()["faults"], PATIENCE)
    kill(worker)

    desk.sweep()
    assert status(desk, order) == "pending"  # a claim lasts a minute: the dead worker might still be at it
    later(desk, "61s")
    assert status(desk, order) == "succeeded"
    start("worker")
    desk.work()
    assert books.count(desk.app, "purchased_plans") == 1
    agree(desk)


def test_the_desk_tells_of_a_killed_worker(
    desk: Desk, start: Start, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that says no farewell is missed within 45 seconds, its job is called abandoned; another takes
    its place, and what the dead one held is found, once.
    """
    monkeypatch.setattr("portal.web.sandbox.WORKERS_SECONDS", 0.0)
    queue = desk.app.extensions["portal_queue"]
    worker = start("worker")
    wait_until(lambda: Worker.count(queue.connection), PATIENCE)
    eye = an_operator(desk)
    assert shown(eye, "Рабочих процессов") == 1
    assert Alarm.WORKERS not in alarms(desk)
    order = desk.customer().order("yookassa")
    spoil(desk, "yookassa", "get_payment", "hang")
    pay(desk, order)
    # Only at the question that hangs, and once it hangs: a letter would be done before its worker is.
    wait_until(lambda: begun(queue) == [f"{inbox.__name__}.process"], PATIENCE)
    wait_until(lambda: not desk.sandbox.world.faults.all(), PATIENCE)
    assert shown(eye, "Выполняются") == 1

    kill(worker)
    (known,) = Worker.all(queue=queue)
    queue.connection.expire(known.key, 90 - 46)  # as it is 46 seconds after its last word

    assert (shown(eye, "Рабочих процессов"), shown(eye, "Процессов, которые замолчали")) == (0, 1)
    assert (shown(eye, "Выполняются"), shown(eye, "Брошены умершим процессом")) == (0, 1)
    assert Alarm.WORKERS in alarms(desk)
    assert "Нет ни одного рабочего процесса" in eye.get("/admin/payments/").text
    queue.connection.delete(known.key)
    start("worker")
    wait_until(lambda: shown(eye, "Рабочих процессов") == 1, PATIENCE)
    assert Alarm.WORKERS not in alarms(desk)
    later(desk, "61s")
    wait_until(is_settled(desk, order), PATIENCE)
    wait_until(lambda: not queue.count and shown(eye, "Выполняются") == 0, PATIENCE)
    StartedJobRegistry(queue=queue).cleanup(time.time() + 200)  # what a worker does every 15 seconds
    assert "AbandonedJobError" in eye.get("/admin/jobs/").text
    with desk.app.app_context():
        (abandoned,) = jobs.failed_ids()
        jobs.retry(abandoned)
    wait_until(lambda: not queue.count and shown(eye, "Выполняются") == 0, PATIENCE)
    assert books.count(desk.app, "purchased_plans") == 1
    agree(desk)


def begun(queue: Queue) -> list[str]:
    """The verbs of the jobs that workers are at."""
    ids = StartedJobRegistry(queue=queue).get_job_ids(cleanup=False)
    return [str(job.func_name) for job in Job.fetch_many(ids, queue.connection, JSONSerializer) if job]


def an_operator(desk: Desk) -> Browser:
    """Somebody who may look."""
    with desk.app.app_context():
        operators.create("eye@example.com", PASSWORD, Role.VIEWER, COMMAND_LINE, clock.now())
    browser = desk.browser()
    assert browser.send("/login", email="eye@example.com", password=PASSWORD).ok
    return browser


def shown(eye: Browser, label: str) -> int:
    """A number of the machine room."""
    found = re.search(rf"<dt>{label}</dt>\s*<dd>\s*(\d+)", eye.get("/admin/jobs/").text)
    assert found, label
    return int(found[1])


def alarms(desk: Desk) -> list[Alarm]:
    with desk.app.app_context():
        return machinery.alarms(clock.now())


def holders(desk: Desk) -> list[str]:
    """The schedulers that hold the lock, by name."""
    with desk.app.app_context(), db.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
                " WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
                " AND l.classid::bigint = :high AND l.objid::bigint = :low"
            ),
            {"high": LOCK >> 32, "low": LOCK & 0xFFFFFFFF},
        )
        return list(found.scalars())


def connected(desk: Desk) -> set[str]:
    """The processes that have reached the database, by name."""
    with desk.app.app_context(), db.engine.connect() as connection:
        names = text(
            "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()"
        )
        return set(connection.execute(names).scalars())


def test_two_schedulers_are_one(desk: Desk, start: Start, wait_until: Wait) -> None:
    """Of two schedulers one sweeps; when it dies without a word the other goes on with its work."""
    desk.sandbox.control("settings", webhooks="drop")
    pids = {name: start("scheduler", name=name) for name in ("first", "second")}
    wait_until(lambda: {"first", "second"} <= connected(desk) and holders(desk), PATIENCE)
    (holder,) = holders(desk)

    kill(pids.pop(holder))
    (other,) = pids
    wait_until(lambda: holders(desk) == [other], PATIENCE)
    order = desk.customer().order("cloudpayments")
    pay(desk, order)
    clock.set_to(clock.now() + FIRST_CHECK)

    wait_until(is_settled(desk, order), PATIENCE)
    assert holders(desk) == [other]
    agree(desk)


def test_the_scheduler_alone(
    desk: Desk, start: Start, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a worker and without Redis a scheduler carries it all: notifications, lost news, letters."""
    nowhere = Redis.from_url(NO_REDIS, socket_connect_timeout=1)
    monkeypatch.setattr(desk.app.extensions["portal_queue"], "connection", nowhere)
    start("scheduler", redis=NO_REDIS)
    ira, oleg = desk.customer(), desk.customer("oleg@example.com")

    told = ira.order("yookassa")
    pay(desk, told)
    wait_until(is_settled(desk, told), PATIENCE)

    desk.sandbox.control("settings", webhooks="drop")
    untold = oleg.order("cloudpayments")
    pay(desk, untold)
    clock.set_to(clock.now() + FIRST_CHECK)
    wait_until(is_settled(desk, untold), PATIENCE)

    for email in ("ira@example.com", "oleg@example.com"):
        wait_until(lambda email=email: len(subjects(desk, email)) >= 2, PATIENCE)  # the address, and the plan
    agree(desk)

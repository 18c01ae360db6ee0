"""The supervisor of ``make run``: what it promises about processes, data and sentences."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue

from dev import binaries
from dev.processes import CannotStart
from tests.dev.live import ROOT, Run, copy_standin, open_folder, until

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at through /proc"),
    # A start is a dozen processes; a machine that is busy with other things takes its time.
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module")
def programs() -> None:
    """Skip with the reason where no embedded server runs."""
    try:
        binaries.postgres_programs(binaries.unprivileged())
        binaries.redis_server()
    except CannotStart as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def shared(programs: None) -> Iterator[Run]:
    """One folder for all tests over the stand-in portal: to make its data takes longer than most of them."""
    with open_folder() as folder:
        environment = {"BILLING_RECURRING_ENABLED": "true", "YOOKASSA_SHOP_ID": "42", "WORKERS": "2"}
        run = Run(folder, copy_standin(folder), **environment)
        yield run
        run.clear()


@pytest.fixture
def standin(shared: Run) -> Run:
    """A supervisor over the stand-in portal, running; where the last test has ended it, started again."""
    if shared.process is None or shared.process.poll() is not None:
        shared.start()
        shared.wait_until_ready()
    return shared


@pytest.fixture
def stopped(shared: Run) -> Run:
    """The same, with nothing running."""
    shared.clear()
    return shared


def begin_a_job(standin: Run, name: str, *, stubborn: bool = False) -> int:
    """Give a worker a job that would take an hour; its process, once that is at it."""
    told = json.loads((standin.var / "environment.json").read_text())
    mark = standin.folder / name
    with Redis.from_url(told["REDIS_URL"]) as connection:
        Queue("standin", connection=connection).enqueue("wsgi.long_job", str(mark), stubborn=stubborn)
    until(lambda: mark.exists() and mark.read_text(), what="the job did not begin")
    return int(mark.read_text())


def test_what_a_run_tells_its_children(standin: Run) -> None:
    """Sandbox, test mode and loopback by default; what the caller says wins; nobody else can read it."""
    file = standin.var / "environment.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = json.loads(file.read_text())
    sandbox = f"http://127.0.0.1:{standin.sandbox_port}"
    expected = {
        "SANDBOX": "1",
        "SANDBOX_URL": sandbox,
        "PORTAL_BASE_URL": f"http://127.0.0.1:{standin.port}",
        "CLOCK_FILE": str(standin.var / "clock"),
        "BILLING_RECURRING_ENABLED": "true",
        "YOOKASSA_SHOP_ID": "42",
        "YOOKASSA_API_URL": f"{sandbox}/yookassa/v3",
        "YOOKASSA_WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128",
        "CLOUDPAYMENTS_API_SECRET": "sandbox-api-secret",
        "CLOUDPAYMENTS_WIDGET_URL": f"{sandbox}/cloudpayments/bundles/cloudpayments.js",
        "CLOUDPAYMENTS_WEBHOOK_NETWORKS": "",
        "MAIL_SANDBOX_URL": f"{sandbox}/mailbox",
    }
    assert {name: told.get(name) for name in expected} == expected
    assert len([line for line in standin.left().values() if "wsgi worker" in line]) == 2


def test_a_command_beside_a_run_finds_its_database(standin: Run) -> None:
    """``python -m dev.inside`` runs a command with what the children were told."""
    inside = subprocess.run(
        [sys.executable, "-m", "dev.inside", "create-api-key", "shop"],
        cwd=standin.checkout,
        env=standin.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert inside.stdout.splitlines()[-1] == "key-for-shop"


def test_a_second_run_on_the_same_folder_is_one_sentence(standin: Run) -> None:
    """It says who is using the folder and leaves that one alone."""
    code, output = standin.complete()
    assert code == 1
    assert output.startswith(
        f"Another `make run` (process {standin.process and standin.process.pid}) is using"
    )
    assert standin.ask("/healthz") == "alive"


def test_a_child_that_dies_is_started_again(standin: Run) -> None:
    """Web, PostgreSQL and Redis come back by themselves, and the portal answers again."""
    starts = standin.ask("/readyz")
    for command in ("gunicorn", "bin/postgres -D", "redis-server"):
        victims = [process_id for process_id, line in standin.left().items() if command in line]
        os.kill(min(victims), signal.SIGKILL)
    for name in ("web", "postgres", "redis"):
        standin.wait_for(rf"^{name} ended \(code -9\); starting it again in 0\.5 s")

    def answers() -> bool:
        try:
            return standin.ask("/readyz") == starts
        except OSError:
            return False

    until(answers, what="the portal did not come back")


def test_ctrl_c_ends_everything(standin: Run) -> None:
    """It ends within seconds with code 0 and leaves no process; not even a job whose worker was killed.

    The process of a job has a group of its own; when its worker is killed it becomes the supervisor's to end.
    """
    job = begin_a_job(standin, "stubborn", stubborn=True)
    worker = int(Path(f"/proc/{job}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    standin.wait_for(r"^worker(-2)? ended \(code -9\); starting it again in ")
    assert Path(f"/proc/{job}").exists()
    standin.send(signal.SIGINT)
    assert standin.ended(seconds=25) == 0
    assert standin.left() == {}


def test_kill_9_of_the_supervisor_leaves_nothing_and_does_not_hinder_the_next(standin: Run) -> None:
    """Even a job in the middle of its work ends; a start right after waits, and has data and secrets."""
    starts = int(standin.ask("/readyz"))
    job = begin_a_job(standin, "working")
    secrets = (standin.var / "secrets.env").read_text()
    assert stat.S_IMODE((standin.var / "secrets.env").stat().st_mode) == 0o600
    standin.send(signal.SIGKILL)
    standin.ended()
    standin.start()
    standin.wait_until_ready()
    assert int(standin.ask("/readyz")) == starts + 1
    assert not Path(f"/proc/{job}").exists()
    assert (standin.var / "secrets.env").read_text() == secrets
    standin.send(signal.SIGKILL)
    standin.ended()
    until(lambda: not standin.left(), seconds=15, what="kill -9 left processes")


def test_a_port_in_use_is_one_sentence(stopped: Run) -> None:
    """Nothing is started when the address cannot be taken; the sentence says which variable moves it."""
    for name, port in (("PORT", stopped.port), ("SANDBOX_PORT", stopped.sandbox_port)):
        with socket.create_server(("127.0.0.1", port)):
            code, output = stopped.complete()
        sentence = f"Port {port} is in use: stop what uses it, or choose another with {name}=….\n"
        assert (code, output) == (1, sentence)
    assert stopped.left() == {}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    (
        ("PORT", "eight", "PORT is 'eight': give a whole number from 1 to 65535."),
        ("SANDBOX_PORT", "70000", "SANDBOX_PORT is '70000': give a whole number from 1 to 65535."),
        ("WORKERS", "0", "WORKERS is '0': give a whole number from 1 to 64."),
    ),
)
def test_a_number_that_is_none_is_one_sentence(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    """A slip in a variable is named, with what it may be."""
    assert Run(tmp_path, **{name: value}).complete() == (1, f"{sentence}\n")


def test_a_preparation_that_fails_shows_its_log(stopped: Run) -> None:
    """A start that cannot succeed ends with the command and its last words, and nothing is left."""
    code, output = stopped.complete(STANDIN_BREAKS="1")
    assert code == 1
    assert "`flask create-extended-plans` failed (code 1):\nthe plans are broken" in output
    assert stopped.left() == {}


@pytest.mark.slow
def test_the_portal_itself_starts(programs: None) -> None:
    """With the real portal: ready, healthy, made ready once more beside itself, stopped without a trace.

    ``STARTS=twice`` starts it a second time on the same folder, which the stand-in does above at a tenth of
    the cost; what a second start does to the real data is to make it ready again.
    """
    with open_folder() as folder:
        run = Run(folder, ROOT)
        try:
            for _ in range(2 if os.environ.get("STARTS") == "twice" else 1):
                run.start()
                run.wait_until_ready()
                plans = run.ask("/plans")
                assert "PRO_MONTHLY" in plans
                make_ready_again(run)
                assert prices(run.ask("/plans")) == prices(plans)
                run.send(signal.SIGTERM)
                assert run.ended(seconds=25) == 0
                assert run.left() == {}
        finally:
            run.clear()


def make_ready_again(run: Run) -> None:
    """Migrations, plans and demo accounts once more, on the data of a run."""
    told = json.loads((run.var / "environment.json").read_text())
    command = [sys.executable, "-m", "dev.prepare"]
    subprocess.run(command, cwd=run.checkout, env=told, capture_output=True, text=True, check=True)


def prices(page: str) -> list[str]:
    """The plans that a page offers, in order."""
    return re.findall(r"/checkout/(\w+)", page)

"""The sandbox as a program."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]


class Program:
    """``python -m portal.sandbox`` on a free port; the address is read from its first line."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "portal.sandbox", "--port", "0", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip().removeprefix("Sandbox ready: ")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        assert self.process.stdout
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        return code


@pytest.fixture
def run() -> Iterator[Callable[..., Program]]:
    """Start programs; whatever still runs after the test is killed."""
    started: list[Program] = []

    def start(*arguments: str) -> Program:
        started.append(Program(*arguments))
        return started[-1]

    yield start
    for program in started:
        if program.process.poll() is None:
            program.stop(signal.SIGKILL)


def test_a_data_file_survives_a_clean_stop_and_a_kill(tmp_path: Path, run: Callable[..., Program]) -> None:
    """Books, settings and clock are there after SIGTERM (exit code 0) and after SIGKILL."""
    data = str(tmp_path / "sandbox.sqlite3")
    auth = ("100500", "test_sandbox-secret-key")
    body: Any = {
        "amount": {"value": "10.00", "currency": "RUB"},
        "confirmation": {"type": "redirect", "return_url": "http://127.0.0.1/"},
    }
    first = run("--data", data)
    made = requests.post(
        f"{first.url}/yookassa/v3/payments", json=body, auth=auth, headers={"Idempotence-Key": "k"}
    ).json()
    requests.post(f"{first.url}/control/settings", json={"yookassa_recurring": False})
    requests.post(f"{first.url}/control/clock", json={"advance": "30m"})
    assert first.stop() == 0

    second = run("--data", data)
    again = requests.post(
        f"{second.url}/yookassa/v3/payments", json=body, auth=auth, headers={"Idempotence-Key": "k"}
    ).json()
    assert again["id"] == made["id"]
    assert requests.get(f"{second.url}/control/clock").json()["offset_seconds"] > 1790
    assert requests.get(f"{second.url}/control/settings").json()["settings"]["yookassa_recurring"] is False
    second.stop(signal.SIGKILL)

    third = run("--data", data)
    assert len(requests.get(f"{third.url}/control/ledger").json()["payments"]) == 1
    assert third.stop(signal.SIGINT) == 0


def test_the_sandbox_loads_nothing_of_the_rest_of_the_portal() -> None:
    """Starting it imports portal.sandbox and no other room, and no database driver of the portal's."""
    code = (
        "import sys, portal.sandbox.__main__, portal.sandbox.app as a; a.create_sandbox();"
        "print([m for m in sys.modules if m.startswith('portal.') and not m.startswith('portal.sandbox')"
        " or m in ('sqlalchemy', 'psycopg', 'redis', 'config')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"

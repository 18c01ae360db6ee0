"""What may start, and what ends with one sentence."""

from __future__ import annotations

import gc
import json
import logging
import os
import runpy
import subprocess
import sys
from pathlib import Path

import click
import gunicorn.config
import gunicorn.glogging
import pytest
from flask import Flask

import portal
from config import ConfigError, load
from dev.processes import take_lock
from portal.accounts import demo, registration
from portal.clock import now
from tests.servers import ROOT, sandbox_environment

PRODUCTION = {
    "SECRET_KEY": "0123456789" * 5,
    "SETTINGS_ENCRYPTION_KEYS": "dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGU=",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "PORTAL_BASE_URL": "https://shop.example",
}


def _serve(environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Start gunicorn as production does, in an empty folder so that no ``.env`` helps."""
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "-b", "127.0.0.1:0"]
    return subprocess.run(
        [*command, "--chdir", str(folder), "--pythonpath", str(ROOT), "wsgi:app"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("missing", ("SECRET_KEY", "SETTINGS_ENCRYPTION_KEYS", "PORTAL_BASE_URL"))
def test_a_server_without_a_secret_ends_with_one_sentence(missing: str, tmp_path: Path) -> None:
    """The sentence names what is missing, and no child is tried again and again."""
    ended = _serve({name: value for name, value in PRODUCTION.items() if name != missing}, tmp_path)

    assert ended.returncode == 1
    (sentence,) = ended.stderr.strip().splitlines()
    assert sentence.startswith(f"The portal does not start: {missing} is missing")


def test_a_server_with_the_sandbox_on_ends_with_one_sentence(tmp_path: Path) -> None:
    """Play money is refused wherever customers could reach it."""
    ended = _serve({**PRODUCTION, "SANDBOX": "1"}, tmp_path)

    assert ended.returncode == 1
    (sentence,) = ended.stderr.strip().splitlines()
    assert "SANDBOX=1 is refused in production" in sentence


def test_a_server_without_its_database_ends_with_one_sentence(tmp_path: Path) -> None:
    """The supervisor of the machine tries again; the log says why."""
    ended = _serve(PRODUCTION, tmp_path)

    assert ended.returncode == 1
    (sentence,) = ended.stderr.strip().splitlines()
    assert "the database cannot be asked" in sentence


def test_the_demo_accounts_are_refused_in_production(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their passwords are printed on the wall."""
    registration.ensure_demo(now())
    demo.refuse_in_production()
    production = load({**PRODUCTION, "DATABASE_URL": context.config["SQLALCHEMY_DATABASE_URI"]})
    monkeypatch.setitem(context.extensions, "portal_config", production)

    with pytest.raises(ConfigError, match=r"demo accounts \(admin@example\.com, demo@example\.com\)"):
        demo.refuse_in_production()


def test_gunicorns_own_words_are_lines_of_the_portals_log() -> None:
    """Where the portal writes one JSON object a line, gunicorn does."""
    record = logging.getLogger("gunicorn.error")
    root = logging.getLogger()
    before, roots = (record.handlers[:], record.propagate), (root.handlers[:], root.level)
    try:
        config = gunicorn.config.Config()
        config.set("logconfig_dict", runpy.run_path(str(ROOT / "gunicorn.conf.py"))["logconfig_dict"])
        assert gunicorn.glogging.Logger(config).error_log is record
        assert (record.handlers, record.propagate) == ([], True)
    finally:
        record.handlers, record.propagate = before
        root.handlers = roots[0]
        root.setLevel(roots[1])


@pytest.mark.parametrize(
    ("command", "refused"), (("run", True), ("routes", False)), ids=("a server", "a command")
)
def test_flask_run_is_a_start_like_any_other(
    app: Flask, monkeypatch: pytest.MonkeyPatch, command: str, refused: bool
) -> None:
    """What gunicorn may not serve, Flask's own server may not either; other commands must work."""

    def refuse() -> None:
        raise ConfigError("the demo accounts")

    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(portal, "create_app", lambda _config: app)
    monkeypatch.setattr(demo, "refuse_in_production", refuse)
    with click.Context(click.Command(command), info_name=command):
        if refused:
            with pytest.raises(SystemExit, match="The portal does not start: the demo accounts"):
                runpy.run_path(str(ROOT / "wsgi.py"))
        else:
            assert runpy.run_path(str(ROOT / "wsgi.py"))["app"] is app
    assert gc.isenabled()  # a server that never looks for garbage grows


def test_a_command_joins_the_running_make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told nothing, a command works on the copy that runs beside it; a server never does."""
    told = sandbox_environment("postgresql://portal@/portal", "redis://127.0.0.1/0")
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "environment.json").write_text(json.dumps(told))
    monkeypatch.chdir(tmp_path)
    for name in (*told, *PRODUCTION, "VAR_DIR"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ConfigError, match="SECRET_KEY is missing"):
        load(for_command=True)
    running = take_lock(tmp_path / "var" / "lock")
    assert running is not None
    try:
        assert load(for_command=True).sandbox
        with pytest.raises(ConfigError, match="SECRET_KEY is missing"):
            load()
        monkeypatch.setenv("PORTAL_BASE_URL", "https://shop.example")
        with pytest.raises(ConfigError, match="SECRET_KEY is missing"):
            load(for_command=True)
    finally:
        os.close(running)

"""The processes beside the web: worker, scheduler, sandbox."""

from __future__ import annotations

import os
import sys

import click
from flask.cli import ScriptInfo, with_appcontext

from config import ConfigError
from portal import worker
from portal.accounts import demo


@click.command("worker")
@click.option("--burst", is_flag=True, help="Stop when the queue is empty.")
@click.pass_obj
@with_appcontext
def work(info: ScriptInfo, *, burst: bool) -> None:
    """Run an RQ worker."""
    _refuse_demo_accounts()
    worker.work(info.load_app(), burst=burst)


@click.command("scheduler")
@click.pass_obj
@with_appcontext
def scheduler(info: ScriptInfo) -> None:
    """Run the scheduler; a second one waits for the first to end."""
    _refuse_demo_accounts()
    worker.schedule(info.load_app())


@click.command("sandbox", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> None:
    """Run the sandbox gateways (python -m portal.sandbox; --help shows its options)."""
    # Another program altogether, so it takes this process's place rather than growing inside it.
    words = [sys.executable, "-m", "portal.sandbox", *arguments]
    os.execv(sys.executable, words)  # noqa: S606 - our own module


def _refuse_demo_accounts() -> None:
    try:
        demo.refuse_in_production()
    except ConfigError as error:
        raise click.ClickException(f"The portal does not start: {error}") from error


COMMANDS = (work, scheduler, sandbox)

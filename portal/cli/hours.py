"""Time, which the sandbox can move."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import click
from flask.cli import with_appcontext

from portal import clock, running


@click.group("clock")
def move_clock() -> None:
    """Show or move the time of portal and sandbox together (sandbox only)."""


@move_clock.command("show")
@with_appcontext
def clock_show() -> None:
    """Print the portal's time."""
    click.echo(clock.now().isoformat(timespec="seconds"))


@move_clock.command("advance")
@click.argument("step")
@with_appcontext
def clock_advance(step: str) -> None:
    """Move both clocks by STEP (27d, 3h, 90s) and wait until all that fell due is done."""
    _tell_sandbox({"advance": step})
    click.echo(clock.now().isoformat(timespec="seconds"))


@move_clock.command("reset")
@with_appcontext
def clock_reset() -> None:
    """Go back to the system's time."""
    _tell_sandbox({"reset": True})
    clock.reset()
    click.echo(clock.now().isoformat(timespec="seconds"))


def _sandbox_url() -> str:
    config = running.config()
    if not (config.sandbox and config.sandbox_url and clock.is_movable()):
        raise click.ClickException(
            "The clock can be moved only under the sandbox (SANDBOX=1, SANDBOX_URL, CLOCK_FILE)."
        )
    return config.sandbox_url


def _tell_sandbox(words: dict[str, object]) -> None:
    """Let the sandbox move time: it steps from one due moment to the next and takes the portal along."""
    request = urllib.request.Request(  # noqa: S310 - config.py lets only loopback through
        f"{_sandbox_url()}/control/clock", json.dumps(words).encode(), {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=900).close()  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        raise click.ClickException(
            f"The sandbox refused: {error.read(300).decode(errors='replace')}"
        ) from error
    except OSError as error:
        raise click.ClickException(f"The sandbox cannot be reached: {type(error).__name__}.") from error


COMMANDS = (move_clock,)

"""Commands: ``flask --app wsgi …``. Each is safe to run twice and at the same time as itself."""

from __future__ import annotations

from flask import Flask

from portal.cli import hours, keys, ledger, people, processes

COMMANDS = (*ledger.COMMANDS, *keys.COMMANDS, *people.COMMANDS, *processes.COMMANDS, *hours.COMMANDS)


def init_app(app: Flask) -> None:
    """Give *app* its commands."""
    for command in COMMANDS:
        app.cli.add_command(command)

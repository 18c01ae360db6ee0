"""The door for WSGI servers and for ``flask --app wsgi``."""

from __future__ import annotations

import gc
import sys

import click

from config import ConfigError, load
from portal import create_app

command = click.get_current_context(silent=True)
# All that is imported and built here stays: to search it for garbage, now and at the end, is half of a start.
gc.disable()
try:
    app = create_app(load(for_command=command is not None))
    # Commands must run where serving must not: a migration, or the deletion of those very accounts.
    if command is None or command.info_name == "run":
        with app.app_context():
            from portal.accounts import demo
            from portal.database import db

            demo.refuse_in_production()
            # A server forks from here, and each process has to connect for itself.
            db.engine.dispose()
except ConfigError as error:
    sys.exit(f"The portal does not start: {error}")
finally:
    gc.freeze()
    gc.enable()

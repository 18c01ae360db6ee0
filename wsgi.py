"""The door for WSGI servers and for ``flask --app wsgi``."""

from __future__ import annotations

import sys

import click

from config import ConfigError
from portal import create_app

try:
    app = create_app()
    # Commands must run where serving must not: a migration, or the deletion of those very accounts.
    if click.get_current_context(silent=True) is None:
        with app.app_context():
            from portal.accounts import demo

            demo.refuse_in_production()
except ConfigError as error:
    sys.exit(f"The portal does not start: {error}")

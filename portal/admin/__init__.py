"""The operator's desk, built on Flask-Admin: admins only."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from portal.admin.desk import build
from portal.admin.jobs import alarms_in_words
from portal.admin.labels import LABELS
from portal.admin.story import said
from portal.admin.waiting import waiting_in


def init_app(app: Flask, nonce: Callable[[], str]) -> None:
    """Put the desk at /admin/; *nonce* is what the answer's Content-Security-Policy lets through."""
    build(nonce).init_app(app)
    app.add_template_global(waiting_in)
    app.add_template_global(alarms_in_words, "desk_alarms")
    app.jinja_env.globals |= {"desk_said": said, "desk_labels": LABELS}

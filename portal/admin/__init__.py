"""The operator's desk, built on Flask-Admin: admins only."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from portal.admin.act_words import actor
from portal.admin.desk import build
from portal.admin.jobs import alarms_in_words
from portal.admin.labels import LABELS
from portal.admin.rows import Rows
from portal.admin.story import said
from portal.admin.waiting import waiting_in
from portal.admin.words import moment


def init_app(app: Flask, nonce: Callable[[], str]) -> None:
    """Put the desk at /admin/; *nonce* is what the answer's Content-Security-Policy lets through."""
    build(nonce).init_app(app)
    app.add_template_global(waiting_in)
    app.add_template_global(alarms_in_words, "desk_alarms")
    app.jinja_env.globals |= {
        "desk_actor": actor,
        "desk_labels": LABELS,
        "desk_moment": moment,
        "desk_numbers": Rows.number_columns,
        "desk_said": said,
    }

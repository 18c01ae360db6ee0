"""The operator's desk, built on Flask-Admin: admins only."""

from __future__ import annotations

from flask import Flask

from portal.admin.desk import build


def init_app(app: Flask) -> None:
    """Put the desk at /admin/."""
    build().init_app(app)

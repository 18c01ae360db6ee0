"""The operator's desk, built on Flask-Admin: admins only."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from portal.admin.desk import build


def init_app(app: Flask) -> None:
    """Put the desk at /admin/."""
    nonce: Callable[[], str] = app.jinja_env.globals["csp_nonce"]  # type: ignore[assignment]  # web.headers put it there
    build(nonce).init_app(app)

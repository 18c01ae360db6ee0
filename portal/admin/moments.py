"""Moments on the shop's clock, for sentences; tables have words.moment."""

from __future__ import annotations

from datetime import datetime

from flask import current_app


def clock_time(value: datetime) -> str:
    """``22.12.2026 14:05`` on the shop's clock, for a sentence."""
    local = current_app.jinja_env.filters["local"](value)
    return f"{local:%d.%m.%Y %H:%M}"


def day(value: datetime) -> str:
    """``22.12.2026`` on the shop's clock."""
    return clock_time(value).partition(" ")[0]

"""A shop's own subscription desk. This file makes the application and does nothing else.

It imports nothing before :func:`create_app` is called, so that ``python -m portal.sandbox`` stands alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from config import Config


def create_app(config: Config | None = None) -> Flask:
    """Build the portal from *config*, or from the environment.

    Raises ``config.ConfigError`` with one sentence.
    """
    from portal.factory import build

    return build(config)

"""What this process runs with, for rooms that know nothing of Flask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import current_app, has_request_context

from config import Config
from portal.mail import Mailer

T = TypeVar("T")


def config() -> Config:
    """What the environment said."""
    return cast(Config, current_app.extensions["portal_config"])


def mailer() -> Mailer:
    """How letters leave."""
    return cast(Mailer, current_app.extensions["portal_mailer"])


def kept(name: str, make: Callable[[], T]) -> T:
    """Something that lives as long as the application, made at first need."""
    extensions: dict[str, Any] = current_app.extensions
    if name not in extensions:
        extensions[name] = make()
    return cast(T, extensions[name])


def somebody_waits() -> bool:
    """Whether a person or a gateway waits for this very answer, as opposed to a job."""
    return has_request_context()

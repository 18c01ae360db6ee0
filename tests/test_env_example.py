""".env.example is the list of what can be set: complete, without inventions, and safe to copy."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

import config

ROOT = Path(__file__).resolve().parent.parent
# Read by gunicorn.conf.py and by `make run`, not by the portal.
AROUND_THE_PORTAL = {"PORT", "WEB_CONCURRENCY", "SANDBOX_PORT", "VAR_DIR", "WORKERS"}


def names_read_by_config() -> set[str]:
    """Every text in config.py that is written like the name of a variable."""
    tree = ast.parse((ROOT / "config.py").read_text(encoding="utf-8"))
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in texts if re.fullmatch(r"[A-Z][A-Z0-9_]{2,}", text)}


def test_every_variable_is_listed_and_none_is_invented() -> None:
    """A name that config.py reads stands in .env.example, and the other way round."""
    listed = set(dotenv_values(ROOT / ".env.example"))
    assert listed == names_read_by_config() | AROUND_THE_PORTAL


def test_every_variable_has_its_reason() -> None:
    """Above each group of names stands at least one line that says what it is for."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"[A-Z]", line) and not re.match(r"# |[A-Z]", before)
    ]
    assert bare == []


def test_a_copy_that_nobody_filled_in_does_not_start() -> None:
    """The example holds no secret that somebody could leave as it is; the start names what is missing."""
    example = {name: value or "" for name, value in dotenv_values(ROOT / ".env.example").items()}
    with pytest.raises(config.ConfigError, match=r"^SECRET_KEY is missing"):
        config.load(example)


def test_a_copy_that_was_filled_in_is_a_production_configuration() -> None:
    """Only what stands under "required" has to be given; every other value is safe as it is."""
    example = {name: value or "" for name, value in dotenv_values(ROOT / ".env.example").items()}
    required = {
        "SECRET_KEY": "k" * 48,
        "SETTINGS_ENCRYPTION_KEYS": "dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGU=",
        "DATABASE_URL": "postgresql://portal@localhost/portal",
        "REDIS_URL": "redis://localhost:6379/0",
        "PORTAL_BASE_URL": "https://billing.example.com",
    }
    read = config.load(example | required)
    assert read.secure
    assert not read.sandbox
    assert not read.billing_recurring_enabled
    assert read.trusted_proxies == 0

"""Logs: one JSON object a line in production, readable lines in development.

Runbooks grep for whole sentences, so the words of a message are never changed. Secrets, tokens and card
numbers are not logged in the first place; :func:`scrub` is the net below.
"""

from __future__ import annotations

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# 13 to 19 digits with or without spaces are a card number until proven otherwise; gateway ids are shorter or
# have letters.
_CARD = re.compile(r"(?<![\w-])(?:\d[ -]?){12,18}\d(?![\w-])")
_SECRET_WORDS = re.compile(
    r"(?i)(authorization|secret|token|password|cryptogram)"
    r"(['\"]?\s*[=:]\s*['\"]?)((?:basic|bearer)\s+)?([^\s'\",&}]+)"
)


def scrub(text: str) -> str:
    """Blot out what looks like a card number or a secret; and line breaks, so that nobody forges a line."""
    text = _SECRET_WORDS.sub(r"\1\2[…]", text)
    text = _CARD.sub(_blot_card, text)
    return text.replace("\r", "\\r").replace("\n", "\\n")


def configure(log_format: str) -> None:
    """Send every log record of the process through one formatter to standard error."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _scrub_event,
    ]
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # These speak of every connection and request at INFO.
    for chatty in ("urllib3", "rq.worker", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _scrub_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = value if key == "exception" else scrub(value)
            if key == "exception":
                event[key] = _CARD.sub(_blot_card, _SECRET_WORDS.sub(r"\1\2[…]", value))
    return event


def _blot_card(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match.group())
    return f"[card …{digits[-4:]}]" if _luhn(digits) else match.group()


def _luhn(digits: str) -> bool:
    total: int = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0

"""The body of a notification as plain named texts, whichever way the gateway was told to send it.

Forms, JSON and query strings end up alike: every value is text, as it was written. A body that two readers
could understand differently is refused, since the signature covers the bytes and not a reading of them.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from portal.gateways.wire import MalformedNotification, Unreadable, json_object

LARGEST_BODY = 1024 * 1024
MOST_FIELDS = 300

# Documented as JSON, arrays or free data of the merchant; everywhere else a nested value is nonsense.
_MAY_NEST = frozenset({"Data", "CustomFields", "Receipt"})


def fields_of(raw: bytes, content_type: str) -> dict[str, str]:
    """Read *raw* by its media type: ``application/json``, otherwise a form or the query string of a GET.

    Raises MalformedNotification for more than 1 MB, broken UTF-8, a name that stands twice (in any case of
    letters), nested values outside ``Data``, ``CustomFields`` and ``Receipt``, and characters that no field
    has.
    """
    if len(raw) > LARGEST_BODY:
        raise MalformedNotification
    media_type = content_type.partition(";")[0].strip().lower()
    pairs = _from_json(raw) if media_type == "application/json" else _from_form(raw)
    fields: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in pairs:
        if not name or name.casefold() in seen or not _storable(name) or not _storable(value):
            raise MalformedNotification
        seen.add(name.casefold())
        fields[name] = value
    return fields


def _from_form(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            raw.decode("utf-8", "strict"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise MalformedNotification from error


def _from_json(raw: bytes) -> list[tuple[str, str]]:
    try:
        body = json_object(raw, unique=True)
    except Unreadable as error:
        raise MalformedNotification from error
    if len(body) > MOST_FIELDS:
        raise MalformedNotification
    return [(name, _as_text(name, value)) for name, value in body.items()]


def _as_text(name: str, value: Any) -> str:
    """Write a JSON value as a form would have: flags as 1 and 0, null as nothing, numbers as they were
    written.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str | int | Decimal):
        return str(value)
    if name in _MAY_NEST:
        # Decimals inside the merchant's own data become texts; nobody computes with them.
        return json.dumps(value, ensure_ascii=False, default=str)
    raise MalformedNotification


def _storable(text: str) -> bool:
    """Tell whether a database can hold *text*: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)

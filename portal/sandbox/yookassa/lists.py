"""Lists: filters, newest first, at most 100 a page, going on from a cursor."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from portal.sandbox.clock import parse_iso
from portal.sandbox.store import Document
from portal.sandbox.yookassa.refusals import BAD_FILTER, RefusalError, invalid

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}
REACH = timedelta(days=3 * 365)
"""How far back a list goes."""


def page(
    docs: list[Document],
    query: Mapping[str, str],
    now: datetime,
    *,
    equals: Mapping[str, Callable[[Document], Any]],
    moments: tuple[str, ...] = ("created_at",),
) -> Document:
    """Answer one page of a list. ``docs`` are oldest first; ``equals`` tells how to read the filtered
    fields.
    """
    tests = [*_equalities(query, equals), *_periods(query, moments)]
    chosen = [doc for doc in reversed(docs) if _within_reach(doc, now) and all(test(doc) for test in tests)]
    limit, start = _limit(query), 0
    if cursor := query.get("cursor"):
        ids = [doc["id"] for doc in chosen]
        if cursor not in ids:
            raise invalid("cursor")
        start = ids.index(cursor)
    shown, rest = chosen[start : start + limit], chosen[start + limit :]
    answer: Document = {"type": "list", "items": shown}
    return answer | ({"next_cursor": rest[0]["id"]} if rest else {})


def _within_reach(doc: Document, now: datetime) -> bool:
    return parse_iso(doc["created_at"]) >= now - REACH


def _equalities(
    query: Mapping[str, str], equals: Mapping[str, Callable[[Document], Any]]
) -> list[Callable[[Document], bool]]:
    def test(read: Callable[[Document], Any], wanted: str) -> Callable[[Document], bool]:
        return lambda doc: read(doc) == wanted

    return [test(read, query[name]) for name, read in equals.items() if name in query]


def _periods(query: Mapping[str, str], moments: tuple[str, ...]) -> list[Callable[[Document], bool]]:
    def test(field: str, compare: Callable[[Any, Any], bool], bound: datetime) -> Callable[[Document], bool]:
        return lambda doc: field in doc["object"] and compare(parse_iso(doc["object"][field]), bound)

    tests = []
    for field in moments:
        for suffix, compare in _COMPARE.items():
            given = query.get(f"{field}.{suffix}")
            if given is None:
                continue
            try:
                tests.append(test(field, compare, parse_iso(given)))
            except ValueError as error:
                raise RefusalError(400, BAD_FILTER, "createdBefore;createdAfter") from error
    return tests


def _limit(query: Mapping[str, str]) -> int:
    given = query.get("limit", "10")
    if not (given.isascii() and given.isdigit()) or not 1 <= int(given) <= 100:
        raise invalid("limit")
    return int(given)

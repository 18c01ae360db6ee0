"""The store and the clock: what the whole sandbox stands on."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal.sandbox.clock import Clock, iso, parse_duration, parse_iso
from portal.sandbox.errors import ControlError
from portal.sandbox.store import Store


@pytest.fixture
def store() -> Store:
    return Store()


def test_a_failed_transaction_leaves_nothing_behind(store: Store) -> None:
    """Everything written inside a transaction that raises is undone."""
    store.put("thing", "a", {"n": 1})

    def fail() -> None:
        with store.transaction():
            store.put("thing", "a", {"n": 2})
            store.put("thing", "b", {"n": 3})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.all("thing") == [{"n": 1}]
    store.close()


def test_an_inner_failure_undoes_the_inner_part_only(store: Store) -> None:
    """A transaction inside another is a savepoint."""

    def fail() -> None:
        with store.transaction():
            store.put("thing", "inner", {"n": 2})
            raise RuntimeError

    with store.transaction():
        store.put("thing", "outer", {"n": 1})
        with pytest.raises(RuntimeError):
            fail()
        store.put("thing", "later", {"n": 3})
    assert [doc["n"] for doc in store.all("thing")] == [1, 3]
    store.close()


def test_a_transaction_keeps_other_threads_out(store: Store) -> None:
    """Read-modify-write of many threads loses no step."""
    store.put("thing", "sum", {"n": 0})

    def add() -> None:
        for _ in range(50):
            with store.transaction():
                doc = store.get("thing", "sum") or {}
                store.put("thing", "sum", {"n": doc["n"] + 1})

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("thing", "sum") == {"n": 300}
    store.close()


def test_documents_are_found_by_their_fields_in_the_order_of_their_first_put(store: Store) -> None:
    """Find compares text, numbers, truth and absence, and a rewritten document keeps its place."""
    store.put("thing", "a", {"id": "a", "state": "new", "held": True})
    store.put("thing", "b", {"id": "b", "state": "new", "held": False, "count": 2})
    store.put("thing", "c", {"id": "c", "state": "old", "count": None})
    store.put("thing", "a", {"id": "a", "state": "new", "held": True, "more": 1})
    assert [d["id"] for d in store.find("thing", state="new")] == ["a", "b"]
    assert [d["id"] for d in store.find("thing", state="new", held=True)] == ["a"]
    assert [d["id"] for d in store.find("thing", count=2)] == ["b"]
    assert [d["id"] for d in store.find("thing", count=None)] == ["a", "c"]
    store.close()


def test_a_file_survives_and_numbers_go_on(tmp_path: Path) -> None:
    """A store opened again knows its documents, and clearing it never gives a number out twice."""
    first = Store(tmp_path / "box.sqlite3")
    first.put("thing", "a", {"n": 1})
    assert [first.number("id", 100), first.number("id", 100)] == [100, 101]
    first.close()
    again = Store(tmp_path / "box.sqlite3")
    assert again.get("thing", "a") == {"n": 1}
    again.clear()
    assert again.get("thing", "a") is None
    assert again.number("id", 100) == 102
    again.close()


def test_the_clock_moves_forward_only_and_remembers(store: Store) -> None:
    """A moment in the past moves nothing; another clock on the same store is as far ahead."""
    clock = Clock(store)
    target = clock.now() + timedelta(days=27)
    clock.move_to(target)
    clock.move_to(target - timedelta(days=5))
    assert timedelta() <= clock.now() - target < timedelta(minutes=1)
    assert Clock(store).offset == clock.offset
    clock.reset()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    store.close()


def test_moments_are_written_so_that_they_sort_as_text() -> None:
    """Always UTC, milliseconds and Z; what is written reads back."""
    moment = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
    assert iso(moment) == "2026-01-31T12:00:00.000Z"
    assert parse_iso("2026-01-31T15:00:00+03:00") == moment
    assert parse_iso("2026-01-31T12:00:00") == moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    (("27d", 27 * 86400), ("3h", 10800), ("90s", 90), ("15m", 900), ("1d12h", 129600), ("1w", 604800)),
)
def test_durations_are_read_as_people_write_them(text: str, seconds: int) -> None:
    """Weeks, days, hours, minutes and seconds, also several of them."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ("", "27", "d", "-3h", "3h nonsense", "9" * 30 + "d"))
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A typing error moves no clock."""
    with pytest.raises(ControlError):
        parse_duration(text)

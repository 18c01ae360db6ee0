from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal import clock


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A movable clock of this test's own."""
    before = clock._file
    clock.movable(tmp_path / "deep" / "offset")
    yield tmp_path / "deep" / "offset"
    clock.movable(before)


def near(moment: datetime, wanted: datetime) -> bool:
    """Whether they differ by no more than a slow machine's patience."""
    return abs(moment - wanted) < timedelta(seconds=30)


def test_it_shows_utc(file: Path) -> None:
    """The moment is aware and in UTC; with no file there, it is the system's."""
    now = clock.now()
    assert now.tzinfo is UTC
    assert near(now, datetime.now(UTC))


def test_it_is_moved_for_every_process_that_reads_the_file(file: Path) -> None:
    """Set forward or back, it runs on from there; another process that reads the file sees it too."""
    for days in (27, -400, 3650):
        wanted = datetime.now(UTC) + timedelta(days=days)
        clock.set_to(wanted)
        assert near(clock.now(), wanted)
        clock.movable(file)  # as a process that has just started
        assert near(clock.now(), wanted)


def test_two_moves_in_one_instant_are_two(file: Path) -> None:
    """A second move within one tick of the file system's clock is noticed, too."""
    for hours in range(50):
        wanted = datetime.now(UTC) + timedelta(hours=hours)
        clock.set_to(wanted)
        assert near(clock.now(), wanted)


def test_it_goes_back_to_the_systems_time(file: Path) -> None:
    """Reset forgets the move; twice does no harm."""
    clock.set_to(datetime(2030, 1, 1, tzinfo=UTC))
    clock.reset()
    clock.reset()
    assert near(clock.now(), datetime.now(UTC))
    assert clock.offset() == timedelta(0)


def test_no_half_written_file_is_left(file: Path) -> None:
    """A move replaces the file in one step and leaves nothing beside it."""
    clock.set_to(datetime(2030, 1, 1, tzinfo=UTC))
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def test_in_production_it_cannot_be_moved(file: Path) -> None:
    """Without a file nobody moves it, and a file that lies there is not read."""
    clock.set_to(datetime(2030, 1, 1, tzinfo=UTC))
    clock.movable(None)
    assert not clock.is_movable()
    assert near(clock.now(), datetime.now(UTC))
    with pytest.raises(RuntimeError):
        clock.set_to(datetime(2030, 1, 1, tzinfo=UTC))
    clock.reset()
    assert file.exists()

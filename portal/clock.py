"""The only caller of the system's clock. Time is UTC, aware, and an argument everywhere else.

Under the sandbox the whole portal may be moved: web, worker and scheduler read one small file that holds the
offset in seconds. A file, because it must be readable before a database session exists and must cost next to
nothing on the hot path.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

_file: Path | None = None
_offset = timedelta(0)
_seen: tuple[int, int, int] | None = None


def movable(path: Path | None) -> None:
    """Let the offset be read from *path* (``None``: the clock cannot be moved, as in production)."""
    global _file, _offset, _seen
    _file, _offset, _seen = path, timedelta(0), None


def is_movable() -> bool:
    """Tell whether this process obeys a moved clock."""
    return _file is not None


def now() -> datetime:
    """The present moment in UTC, moved by the sandbox's offset where there is one."""
    return datetime.now(UTC) + offset()


def offset() -> timedelta:
    """How far the clock is moved from the system's."""
    global _offset, _seen
    if _file is None:
        return timedelta(0)
    try:
        stat = _file.stat()
    except FileNotFoundError:
        _offset, _seen = timedelta(0), None
        return _offset
    # Inode and size too: two moves may fall into one tick of a coarse file system clock.
    mark = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
    if mark != _seen:
        _offset, _seen = timedelta(seconds=float(_file.read_text())), mark
    return _offset


def set_to(moment: datetime) -> None:
    """Move the clock so that it now shows *moment* and runs on from there. Only where it is movable."""
    if _file is None:
        raise RuntimeError("this clock cannot be moved")
    _write(moment - datetime.now(UTC))


def reset() -> None:
    """Go back to the system's time."""
    if _file is not None:
        with suppress(FileNotFoundError):
            _file.unlink()


def _write(moved: timedelta) -> None:
    """Replace the file in one step, so that no reader sees half a number."""
    assert _file is not None  # callers have looked
    _file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=_file.parent, prefix=".clock-")
    with os.fdopen(handle, "w") as file:
        file.write(repr(moved.total_seconds()))
    written = Path(name)
    written.chmod(0o644)
    written.replace(_file)

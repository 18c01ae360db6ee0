"""Grandchildren whose parent was killed: the kernel hands them to us and we end them (on Linux).

An RQ worker that is killed leaves the process of its job behind, in a process group of its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """From now on descendants that lose their parent become our children (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def bury(known: Collection[int | None]) -> None:
    """Take note of adopted children that have ended; `known` ones are left to whoever started them."""
    while (ended := _peek()) is not None and ended not in known:
        os.waitpid(ended, 0)


def kill_all(*, except_for: Collection[int | None] = ()) -> None:
    """Kill our children but these, and what becomes ours by that, until there is none."""
    while left := [child for child in _children() if child not in except_for]:
        for child in left:
            os.kill(child, signal.SIGKILL)
        for child in left:
            os.waitpid(child, 0)
        time.sleep(0)  # orphans of the dead are ours once their parent is waited for


def _peek() -> int | None:
    """The id of a child that has ended and was not waited for yet."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended else None


def _children() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold anything, so the fields are counted from its end.
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        if int(fields[1]) == os.getpid():
            found.append(int(entry.parent.name))
    return found

"""Run a command of the portal inside the running ``make run``: ``python -m dev.inside db upgrade``.

Without one the caller's own environment has to say where the database is.
"""

from __future__ import annotations

import json
import os
import sys

from dev.environment import ROOT, Place
from dev.processes import CannotStart, take_lock


def environment() -> dict[str, str]:
    """What the running children were told, or our own environment, else :class:`CannotStart`."""
    place = Place.read(os.environ)
    if place.lock.exists():
        lock = take_lock(place.lock)
        if lock is None and place.told.exists():
            told: dict[str, str] = json.loads(place.told.read_text(encoding="utf-8"))
            return told
        if lock is not None:
            os.close(lock)
    if place.database_url:
        return dict(os.environ)
    raise CannotStart(
        f"Nothing is running on {place.var}: start `make run` with this VAR_DIR first, or set DATABASE_URL."
    )


def main(arguments: list[str]) -> None:
    """Become that command."""
    try:
        told = environment()
    except CannotStart as error:
        sys.exit(str(error))
    os.chdir(ROOT)
    words = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
    # A list of words that no shell reads: nothing in an argument can become a command.
    os.execve(sys.executable, words, told)  # noqa: S606 - see above


if __name__ == "__main__":
    main(sys.argv[1:])

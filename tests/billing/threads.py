"""Several verbs at the same moment, each in a thread, an application context and a session of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask


def at_the_same_time(app: Flask, *acts: Callable[[], object]) -> None:
    """Let each act run in a thread, an application context and a session of its own, begun together."""
    meet, wrong = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        with app.app_context():
            meet.wait(10)
            try:
                act()
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
                wrong.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong, wrong


def in_context(app: Flask, act: Callable[[], object]) -> None:
    """Do it with a context of its own; for a thread that the test starts itself."""
    with app.app_context():
        act()

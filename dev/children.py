"""One child of the supervisor: started, watched, started again when it dies, ended."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from dev.processes import CannotStart, end

_FIRST_PAUSE = 0.5  # seconds before the first new start; doubles with each failure
_LONGEST_PAUSE = 30.0
_HEALTHY_AFTER = 60.0  # who ran this long begins again with the first pause


class Child:
    """A process that has to run as long as the supervisor does; `launch` starts a new one."""

    def __init__(
        self,
        name: str,
        log: Path,
        launch: Callable[[], subprocess.Popen[bytes]],
        *,
        how: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self._launch = launch
        self._how = how
        self._process: subprocess.Popen[bytes] | None = None
        self._since = 0.0
        self._pause = _FIRST_PAUSE
        self._not_before: float | None = None

    @property
    def process_id(self) -> int | None:
        """The id of the present process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it. Raises :class:`CannotStart` where `launch` does."""
        self._process = None  # should the launch fail, nothing is left to end
        self._since = time.monotonic()
        self._not_before = None
        self._process = self._launch()

    def ended(self) -> int | None:
        """The exit code once it has died, None while it runs."""
        return self._process.poll() if self._process else 1

    def watch(self) -> str | None:
        """Start it again when it is dead and its pause is over; answer a sentence when it died just now."""
        code = self.ended()
        if code is None:
            return None
        now = time.monotonic()
        if self._not_before is None:
            if now - self._since > _HEALTHY_AFTER:
                self._pause = _FIRST_PAUSE
            self._not_before = now + self._pause
            sentence = (
                f"{self.name} ended (code {code}); starting it again in {self._pause:g} s, see {self.log}."
            )
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            return sentence
        if now < self._not_before:
            return None
        try:
            self.start()
        except CannotStart as error:
            return str(error)
        return None

    def ask_to_end(self) -> None:
        """Send the signal and return at once."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(self._how)

    def make_sure(self, *, seconds: float) -> None:
        """Wait up to `seconds`, then kill."""
        if self._process:
            end(self._process, self._how, seconds=max(seconds, 0.1))

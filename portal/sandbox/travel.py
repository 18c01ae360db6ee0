"""Moving the clock: from one due moment to the next, so that nothing happens out of order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from portal.sandbox.clock import iso
from portal.sandbox.errors import ControlError
from portal.sandbox.portal_link import PortalUnreachableError
from portal.sandbox.world import World

_ROUNDS = 20
"""How often the portal and the sandbox may give each other work within one moment."""


class Journey:
    """One move of the clock, of the sandbox and, when one is configured, of the portal beside it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.steps = 0
        self.portal_state = "moved" if world.portal.url else "none"
        self.trouble: str | None = None
        self._portal_due: datetime | None = None

    def go(self, target: datetime) -> dict[str, Any]:
        """Stop at every due moment on the way; return when all that fell due has been done and delivered."""
        self._work()
        again = 0
        while (now := self.world.clock.now()) < target:
            if self._portal_due is not None and self._portal_due <= now and again < _ROUNDS:
                # It fell due while the portal was answering: no later moment may come before it.
                again += 1
                self._work()
                continue
            again = 0
            due = [self.world.next_due(), self._portal_due]
            self.world.clock.move_to(min([target, *(m for m in due if m is not None and m > now)]))
            self._work()
            self.steps += 1
        answer = {"now": iso(self.world.clock.now()), "steps": self.steps, "portal": self.portal_state}
        return answer | ({"portal_error": self.trouble} if self.trouble else {})

    def _work(self) -> None:
        """Do everything that is due at this moment, on both sides, until neither has more."""
        for _ in range(_ROUNDS):
            before = self.world.notifier.tried
            self.world.run_due()
            self.world.notifier.settle()
            self._tell_portal()
            self.world.run_due()
            self.world.notifier.settle()
            if self.world.notifier.tried == before:
                return

    def _tell_portal(self) -> None:
        if self.portal_state != "moved":
            return
        try:
            self._portal_due = self.world.portal.move_clock(self.world.clock.now())
        except PortalUnreachableError as error:
            # Asked no more during this journey: the sandbox's own time must still pass.
            self.portal_state, self.trouble, self._portal_due = "unreachable", str(error), None


def travel(world: World, advance: timedelta) -> dict[str, Any]:
    """Move the clock forward and return ``{"now", "steps", "portal"}``; one journey at a time (409)."""
    if not world.travelling.acquire(timeout=600):
        raise ControlError(409, "CLOCK_BUSY", "The clock is being moved already.")
    try:
        return Journey(world).go(world.clock.now() + advance)
    except OverflowError as error:
        raise ControlError(400, "BAD_DURATION", "The calendar ends before that moment.") from error
    finally:
        world.travelling.release()


def tell_time(world: World) -> str:
    """Show the portal the sandbox's time without a journey; say what became of it."""
    if not world.portal.url:
        return "none"
    try:
        world.portal.move_clock(world.clock.now())
    except PortalUnreachableError:
        return "unreachable"
    return "moved"

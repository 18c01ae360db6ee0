"""One running sandbox: its store, clock, settings, notifier, faults and simulators."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import cast

from flask import current_app, request

from portal.sandbox.clock import Clock
from portal.sandbox.config import SandboxConfig
from portal.sandbox.faults import Faults
from portal.sandbox.notifier import Notifier
from portal.sandbox.portal_link import Portal
from portal.sandbox.registry import Simulator
from portal.sandbox.settings import Setting, Settings, address, choice, is_address, number, numbers
from portal.sandbox.store import Store

_log = logging.getLogger(__name__)
_MINUTE = 60.0
_HOUR = 3600.0


def _is_address_map(value: object) -> bool:
    return is_address(value) or (isinstance(value, dict) and all(map(is_address, value.values())))


def _core_settings(config: SandboxConfig) -> list[Setting]:
    return [
        choice(
            "webhooks", ("normal", "drop", "duplicate", "reorder", "delayed"), "what happens to notifications"
        ),
        number("webhook_delay_seconds", 10, "how long webhooks=delayed waits, on the sandbox's clock"),
        number("webhook_reorder_seconds", 3, "how long webhooks=reorder waits for a second notification"),
        number("webhook_timeout_seconds", 30, "how long a merchant may take to answer a notification"),
        numbers(
            "cloudpayments_webhook_intervals",
            [1 * _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE],
            "seconds between CloudPayments' tries; the last repeats, 100 tries in all",
        ),
        numbers(
            "yookassa_webhook_intervals",
            [10, 30, 1 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 1 * _HOUR, 2 * _HOUR, 4 * _HOUR],
            "seconds between YooKassa's tries (unpublished); the last repeats, for 24 hours in all",
        ),
        number("hang_seconds", 120, "how long the fault hang holds a connection that the client keeps open"),
        number("api_latency_ms", 0, "pause between a commit and its answer, so that webhooks arrive first"),
        address("portal_url", config.portal, "base URL of the portal whose clock moves along"),
        address("yookassa_notify", config.yookassa_notify, "where YooKassa notifies; empty: nowhere"),
        Setting(
            "cloudpayments_notify",
            config.cloudpayments_notify,
            _is_address_map,
            "where CloudPayments notifies: a base URL, a URL with {kind} in it, or {kind: URL or null}",
        ),
    ]


class World:
    """Everything that belongs together in one sandbox. ``start`` runs the thread that keeps time."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.store = Store(config.data)
        self.clock = Clock(self.store)
        self.settings = Settings(self.store, _core_settings(config))
        self.notifier = Notifier(self.store, self.clock, self.settings)
        self.faults = Faults(self.store)
        self.portal = Portal(self.settings)
        self.simulators: dict[str, Simulator] = {}
        self.travelling = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def register(self, simulator: Simulator) -> None:
        """Add a gateway with its settings."""
        self.simulators[simulator.name] = simulator
        self.settings.declare(simulator.settings)

    def notification_url(self, gateway: str, kind: str) -> str | None:
        """Where a gateway sends notifications of one kind, or None when it sends them nowhere."""
        given = self.settings[f"{gateway}_notify"]
        if isinstance(given, dict) and kind in given:
            return given[kind] or None
        if given is None or isinstance(given, dict):
            tail = f"{kind}/" if gateway == "cloudpayments" else ""
            return f"{self.portal.url}/billing/webhook/{gateway}/{tail}" if self.portal.url else None
        if not given or gateway != "cloudpayments":
            return given or None
        return str(given).replace("{kind}", kind) if "{kind}" in given else f"{given.rstrip('/')}/{kind}/"

    def public_url(self) -> str:
        """How a browser reaches this sandbox, without a trailing slash; call it inside a request."""
        return (self.config.public_url or request.host_url).rstrip("/")

    def next_due(self) -> datetime | None:
        """When the sandbox will next do something by itself."""
        moments = [simulator.next_due() for simulator in self.simulators.values()]
        return min((m for m in [*moments, self.notifier.next_due()] if m is not None), default=None)

    def run_due(self) -> None:
        """Let every gateway do what has fallen due."""
        for simulator in self.simulators.values():
            due = simulator.next_due()
            if due is not None and due <= self.clock.now():
                simulator.run_due(self.clock.now())

    def reset(self) -> None:
        """Empty everything, clock and settings included; numbers once given out are never given out again."""
        self.store.clear()
        self.clock.reset()

    def start(self) -> None:
        """Begin to keep time: expire, settle and deliver what falls due."""
        self._thread = threading.Thread(target=self._keep_time, name="sandbox-time", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop keeping time and close the store. Messages under way are sent again after a restart."""
        self._stopping.set()
        self.notifier.wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self.notifier.settle(seconds=2)
        self.store.close()

    def _keep_time(self) -> None:
        while not self._stopping.is_set():
            self.notifier.wake.wait(self.config.tick_seconds)
            self.notifier.wake.clear()
            try:
                self.run_due()
                self.notifier.pump()
            except Exception:  # noqa: BLE001 - the sandbox's sense of time must outlive one bad document
                _log.exception("the sandbox could not do what was due")


def world() -> World:
    """Return the world of the current application."""
    return cast(World, current_app.extensions["sandbox"])

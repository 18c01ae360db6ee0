"""Sends the gateways' notifications over the real network, in the background, and keeps every attempt."""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import requests

from portal.sandbox.clock import Clock, iso, parse_iso
from portal.sandbox.settings import Settings
from portal.sandbox.store import Document, Store

_AT_ONCE = 16
_KEPT_ANSWER = 2000


class RetryRule(Enum):
    """How a gateway judges an answer and when it tries again."""

    cloudpayments = "cloudpayments"
    """Accepted by HTTP 200 with JSON ``{"code": 0}``; up to 100 tries, the last interval repeating."""
    yookassa = "yookassa"
    """Accepted by HTTP 200 alone; tried again until 24 hours after the event."""

    def accepts(self, answer: Answer) -> bool:
        """Whether this gateway takes the answer for "understood"."""
        if self is RetryRule.cloudpayments:
            code = answer.json.get("code") if isinstance(answer.json, dict) else None
            return answer.status == 200 and code == 0 and not isinstance(code, bool)
        return answer.status == 200

    def next_try(self, tries: int, event: datetime, now: datetime, settings: Settings) -> datetime | None:
        """When to try again after ``tries`` failures, or None for never."""
        intervals = settings[f"{self.value}_webhook_intervals"]
        moment = now + timedelta(seconds=intervals[min(tries, len(intervals)) - 1])
        if self is RetryRule.cloudpayments:
            return moment if tries < 100 else None
        return moment if moment <= event + timedelta(hours=24) else None


@dataclass(frozen=True)
class Notification:
    """One message to the merchant. ``reference`` is the payment's id in our books."""

    gateway: str
    kind: str
    reference: str
    url: str
    body: bytes | str
    retry: RetryRule
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came back. ``status`` is None when nothing did; ``error`` then says why."""

    status: int | None
    body: bytes = b""
    error: str | None = None

    @property
    def json(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """What a person should see of it."""
        return self.error or self.body[:_KEPT_ANSWER].decode("utf-8", "replace")


class Notifier:
    """The outbox of both gateways.

    ``send`` only writes into the store, so a message rolls back with the transaction it belongs to. The
    world's thread calls ``pump`` to start what is due; messages about one payment go out one after another.
    """

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store, self._clock, self._settings = store, clock, settings
        self._flights: dict[str, str] = {}
        self._landed = threading.Condition()
        self.wake = threading.Event()
        self.tried = 0
        """How many messages have been sent since the start; tells a traveller whether anything moved."""

    def send(self, notification: Notification) -> str:
        """Put a message into the outbox as the setting ``webhooks`` says and return its id."""
        mode, now = self._settings["webhooks"], self._clock.now()
        with self._store.transaction():
            doc = self._document(notification, now)
            if mode == "drop":
                doc.update(state="dropped", due_at=None)
            elif mode == "delayed":
                doc["due_at"] = iso(now + timedelta(seconds=self._settings["webhook_delay_seconds"]))
            elif mode == "reorder":
                self._reorder(doc, now)
            elif mode == "duplicate":
                twin = self._document(notification, now) | {"lane": f"{doc['lane']} twin"}
                self._store.put("notification", twin["id"], twin)
            self._store.put("notification", doc["id"], doc)
        self.wake.set()
        return str(doc["id"])

    def ask(self, notification: Notification) -> Answer:
        """Send now and return the answer; never repeated, whatever the setting ``webhooks`` says.

        Must not be called inside a store transaction.
        """
        doc = self._document(notification, self._clock.now()) | {"due_at": None, "state": "asked"}
        self._store.put("notification", doc["id"], doc)
        answer = self._exchange(doc)
        accepted = notification.retry.accepts(answer)
        self._note(doc, answer, accepted)
        doc["state"] = "delivered" if accepted else "given_up"
        with self._store.transaction():
            if self._store.get("notification", doc["id"]):
                self._store.put("notification", doc["id"], doc)
        return answer

    def next_due(self) -> datetime | None:
        """When the next waiting message wants to go out."""
        moments = [doc["due_at"] for doc in self._store.find("notification", state="waiting")]
        return parse_iso(min(moments)) if moments else None

    def pump(self) -> None:
        """Start the delivery of everything that is due and may go out now."""
        for doc in self._due():
            with self._landed:
                busy = doc["id"] in self._flights or doc["lane"] in self._flights.values()
                if busy or len(self._flights) >= _AT_ONCE:
                    continue
                self._flights[doc["id"]] = doc["lane"]
            threading.Thread(target=self._deliver, args=(doc["id"],), daemon=True).start()

    def settle(self, seconds: float = 600) -> bool:
        """Deliver until nothing is due and nothing is under way; False when that took too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.pump()
            with self._landed:
                if self._flights:
                    self._landed.wait(timeout=1)
                    continue
            if not self._due():
                return True
        return False

    def _document(self, n: Notification, now: datetime) -> Document:
        raw = n.body.encode() if isinstance(n.body, str) else n.body
        return {
            "id": f"n-{self._store.number('notification', 1):06d}",
            "gateway": n.gateway,
            "kind": n.kind,
            "reference": n.reference,
            "lane": f"{n.gateway} {n.reference}",
            "url": n.url,
            "method": n.method,
            "headers": dict(n.headers),
            "body": raw.decode("utf-8", "replace"),
            "raw": base64.b64encode(raw).decode("ascii"),
            "rule": n.retry.value,
            "attempts": [],
            "state": "waiting",
            "created_at": iso(now),
            "due_at": iso(now),
            "held": False,
            "after": None,
        }

    def _reorder(self, doc: Document, now: datetime) -> None:
        """Hold the first of two messages back until the second one has been tried, or for a short time."""
        held = self._store.find("notification", state="waiting", held=True, gateway=doc["gateway"])
        if not held:
            hold = timedelta(seconds=self._settings["webhook_reorder_seconds"])
            doc.update(held=True, due_at=iso(now + hold))
        for earlier in held:
            earlier.update(held=False, due_at=iso(now), after=doc["id"])
            self._store.put("notification", earlier["id"], earlier)

    def _due(self) -> list[Document]:
        with self._store.transaction():
            waiting = self._store.find("notification", state="waiting")
            now = iso(self._clock.now())
            return [doc for doc in waiting if doc["due_at"] <= now and self._may_go(doc)]

    def _may_go(self, doc: Document) -> bool:
        other = self._store.get("notification", doc["after"]) if doc["after"] else None
        return other is None or bool(other["attempts"])

    def _deliver(self, key: str) -> None:
        try:
            doc = self._store.get("notification", key)
            # Claimed from a list that may be older than the last delivery: look again before sending.
            if doc and doc["state"] == "waiting" and doc["due_at"] <= iso(self._clock.now()):
                self._finish(key, self._exchange(doc))
        finally:
            with self._landed:
                self._flights.pop(key, None)
                self._landed.notify_all()
            self.wake.set()

    def _finish(self, key: str, answer: Answer) -> None:
        with self._store.transaction():
            doc = self._store.get("notification", key)
            if doc is None:  # the sandbox was reset meanwhile
                return
            rule, now = RetryRule(doc["rule"]), self._clock.now()
            accepted = rule.accepts(answer)
            self._note(doc, answer, accepted)
            again = rule.next_try(len(doc["attempts"]), parse_iso(doc["created_at"]), now, self._settings)
            if accepted or again is None:
                doc.update(state="delivered" if accepted else "given_up", due_at=None)
            else:
                doc["due_at"] = iso(again)
            self._store.put("notification", key, doc)

    def _note(self, doc: Document, answer: Answer, accepted: bool) -> None:
        doc["attempts"].append(
            {
                "at": iso(self._clock.now()),
                "status": answer.status,
                "answer": answer.text,
                "accepted": accepted,
            }
        )

    def _exchange(self, doc: Document) -> Answer:
        raw = base64.b64decode(doc["raw"])
        timeout = self._settings["webhook_timeout_seconds"]
        self.tried += 1
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no ~/.netrc between two programs of one machine
            try:
                response = session.request(
                    doc["method"],
                    doc["url"],
                    data=raw or None,
                    headers=doc["headers"],
                    timeout=timeout,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                return Answer(None, error=f"{type(error).__name__}: {error}")
        return Answer(response.status_code, response.content)

"""YooKassa's notifications: the object as it is at the moment of the event."""

from __future__ import annotations

import json

from portal.sandbox.notifier import Notification, RetryRule
from portal.sandbox.store import Document
from portal.sandbox.world import World

EVENTS = (
    "payment.waiting_for_capture",
    "payment.succeeded",
    "payment.canceled",
    "refund.succeeded",
    "payment_method.active",
)
"""There is no event for a payment that waits, nor for a refund or a binding that failed."""


def announce(world: World, event: str, obj: Document) -> None:
    """Tell the shop's address, and every webhook registered for this event, about an object."""
    registered = [hook["url"] for hook in world.store.find("yookassa_webhook", event=event)]
    body = json.dumps({"type": "notification", "event": event, "object": obj}, ensure_ascii=False)
    for url in filter(None, [world.notification_url("yookassa", event), *registered]):
        world.notifier.send(
            Notification(
                gateway="yookassa",
                kind=event,
                reference=obj.get("payment_id") or obj["id"],
                url=url,
                body=body,
                retry=RetryRule.yookassa,
                headers={"Content-Type": "application/json", "User-Agent": "YooKassa-Sandbox"},
            )
        )

"""The shop itself: ``/me``, and the webhooks it has registered by API."""

from __future__ import annotations

from uuid import uuid4

from portal.sandbox.clock import iso
from portal.sandbox.settings import is_address
from portal.sandbox.store import Document
from portal.sandbox.world import World
from portal.sandbox.yookassa.means import ON_PAGE
from portal.sandbox.yookassa.notices import EVENTS
from portal.sandbox.yookassa.refusals import invalid
from portal.sandbox.yookassa.settings import SHOP_ID

WEBHOOK = "yookassa_webhook"


def me(world: World) -> Document:
    """The shop's settings; ``fiscalization`` appears once it was turned on."""
    on = world.settings["yookassa_fiscalization"]
    answer: Document = {
        "account_id": SHOP_ID,
        "status": "enabled",
        "test": world.settings["yookassa_test_mode"],
        "fiscalization_enabled": on,
        "payment_methods": list(ON_PAGE),
    }
    provider = world.settings["yookassa_fiscalization_provider"]
    return answer | ({"fiscalization": {"enabled": True, "provider": provider}} if on else {})


def add_webhook(world: World, body: Document) -> tuple[str, str]:
    """Register an address for one event and return (kind, id).

    The real API takes this from OAuth partners alone; here the shop's own key will do as well.
    """
    if body.get("event") not in EVENTS:
        raise invalid("event")
    if not body.get("url") or not is_address(body["url"]):
        raise invalid("url")
    key = f"wh-{uuid4()}"
    doc = {"id": key, "event": body["event"], "url": body["url"], "created_at": iso(world.clock.now())}
    world.store.put(WEBHOOK, key, doc)
    return WEBHOOK, key


def show_webhook(doc: Document) -> Document:
    """The webhook object of the API."""
    return {name: doc[name] for name in ("id", "event", "url")}

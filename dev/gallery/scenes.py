"""The catalogue: every page of the portal in every state that it has, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.gallery.world import World

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One page in one state."""

    #: The file's name, the same for ever.
    name: str
    title: str
    endpoint: str
    #: Who is signed in; empty: a visitor.
    who: str = ""
    #: What the address needs, or where to find it.
    values: Values | Callable[[World], Values] | None = None
    #: What a person does on the page to bring it into this state.
    act: Callable[[Page, World], None] | None = None
    #: What is otherwise in the shop meanwhile.
    during: Callable[[World], AbstractContextManager[object]] | None = None
    language: str = "ru"
    #: A form over the whole window hides the page: a picture of more than the window would be of nothing.
    covered: bool = False
    #: What the page answers, and which page it is at last, where that is another one.
    status: int = 200
    ends_at: str = ""

    def address(self, world: World) -> str:
        """Its path with the query."""
        values = self.values(world) if callable(self.values) else self.values or {}
        adapter = world.app.url_map.bind("localhost")
        return adapter.build(self.endpoint, dict(values))

    @property
    def group(self) -> str:
        """The first word of the name: what the index puts together."""
        return self.name.partition("-")[0]


def everything() -> tuple[Scene, ...]:
    """All scenes in the order in which they are looked at: those that change something come last."""
    from dev.gallery import (
        customer_scenes,
        desk_scenes,
        desk_states,
        english_scenes,
        mail_scenes,
        payment_scenes,
        visitor_scenes,
    )

    found = (
        *visitor_scenes.SCENES,
        *payment_scenes.SCENES,
        *customer_scenes.SCENES,
        *english_scenes.SCENES,
        *mail_scenes.SCENES,
        *desk_states.SCENES,
        *desk_scenes.SCENES,
    )
    names = [scene.name for scene in found]
    assert len(set(names)) == len(names), "two scenes have one name"
    return found


def chosen(pattern: str) -> Iterator[Scene]:
    """Those whose name begins with one of the words of *pattern* (with commas between); all for none."""
    wanted = tuple(pattern.split(",")) if pattern else ("",)
    return (scene for scene in everything() if scene.name.startswith(wanted))


#: Routes that a person opens and that no scene shows, each with the reason.
NOT_SHOWN: dict[str, str] = {
    "static": "files",
    "styleguide.schemes": "a stylesheet",
    "styleguide_mail.letter": "stands in the frames of its letter's page",
    "admin.static": "Flask-Admin's own files, which no page of ours asks for",
    "health.healthz": "for the machine room",
    "health.readyz": "for the machine room",
    "health.metrics": "for the machine room",
    "accounts.data": "a file",
    "api.transaction_status": "JSON",
    "api.transactions": "JSON",
    "product_api.entitlement": "JSON",
    "payment.status": "JSON that the result page asks for",
    "sandbox.widget": "JSON for a payer without a browser",
    "webhooks.from_cloudpayments": "gateways post there; GET says only that it is the right address",
    "desk_register.csv": "a file",
    "desk_users.consents": "a file",
    "desk_statistics.csv": "a file",
}
#: Views that Flask-Admin makes for every list: shown where the desk has them, closed elsewhere.
OF_LISTS: dict[str, str] = {
    "ajax_lookup": "JSON of a widget that the desk does not use",
    "export": "a file",
    "edit_view": "only plans are edited",
    "create_view": "only plans are made here",
    "details_view": "all that is known stands in the row",
}


def why_not(endpoint: str) -> str | None:
    """The reason why no scene shows what a route of this endpoint answers; ``None`` where there is none."""
    room, _, view = endpoint.rpartition(".")
    return NOT_SHOWN.get(endpoint) or (OF_LISTS.get(view) if room.startswith("desk_") else None)

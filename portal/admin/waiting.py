"""How much waits in a room, for the desk's menu: counted once per page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import g, url_for

from portal.billing import cases

#: The endpoint of a room, and how to count what waits in it.
COUNTED: Mapping[str, Callable[[], int]] = {"desk_cases.index_view": cases.open_count}


def waiting_in(url: str) -> int:
    """What waits behind this address of the menu; nothing for most."""
    if "desk_waiting" not in g:
        g.desk_waiting = {url_for(endpoint): count() for endpoint, count in COUNTED.items()}
    found: int = g.desk_waiting.get(url, 0)
    return found

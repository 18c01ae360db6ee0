"""The YooKassa side of the sandbox: API v3, hosted page, notifications, saved methods, refunds, receipts.

Facts come from YooKassa's OpenAPI file and its documentation (https://yookassa.ru/developers); what they
leave open is a setting (``settings.py``), so that the sandbox never proves what is not known about the
gateway.
"""

from __future__ import annotations

from portal.sandbox.registry import Simulator
from portal.sandbox.world import World

# Imported before the function of the same name is defined: a later import would put the module in its place.
from portal.sandbox.yookassa.simulator import YookassaSimulator


def simulator(world: World) -> Simulator:
    """Build YooKassa for one world."""
    return YookassaSimulator(world)

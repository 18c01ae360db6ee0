"""The YooKassa side of the sandbox: API v3, hosted page, notifications, saved methods, refunds, receipts.

Facts come from YooKassa's OpenAPI file and its documentation (https://yookassa.ru/developers); what they
leave open is a setting (``settings.py``), so that the sandbox never proves what is not known about the
gateway.
"""

from __future__ import annotations

from portal.sandbox.registry import Simulator
from portal.sandbox.world import World


def simulator(world: World) -> Simulator:
    """Build YooKassa for one world."""
    from portal.sandbox.yookassa.simulator import YookassaSimulator

    return YookassaSimulator(world)

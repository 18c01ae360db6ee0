"""The CloudPayments side of the sandbox: API, widget, 3-D Secure page, notifications, subscriptions.

Everything that the official documentation (https://developers.cloudpayments.ru) leaves open is a setting
with a documented default (see ``settings.py``), so that the sandbox never proves what is not known about
the gateway.
"""

from __future__ import annotations

from portal.sandbox.registry import Simulator
from portal.sandbox.world import World


def simulator(world: World) -> Simulator:
    """Return the CloudPayments simulator of a world."""
    # The views register themselves when they are imported, which reading a constant must not bring about.
    from portal.sandbox.cloudpayments import (
        api_lookups,
        api_payments,
        api_site,
        api_subscriptions,
        hosted,
        orders,
        sbp,
    )
    from portal.sandbox.cloudpayments.gateway import CloudPayments

    assert all((api_lookups, api_payments, api_site, api_subscriptions, hosted, orders, sbp))
    return CloudPayments(world)

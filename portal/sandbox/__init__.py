"""Both payment gateways on this machine: CloudPayments and YooKassa, simulated for any client.

The package stands alone: it imports nothing of the portal, and nothing of the portal imports it.
How to use it is told in ``docs/sandbox.md``; ``python -m portal.sandbox --help`` lists the options.
"""

"""The open gateways: built from the shop's settings, handed out only when no transaction is open (law 1)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from portal import running
from portal.billing import gateway_health, settings
from portal.database import release
from portal.gateways.base import Credentials, Gateway, GatewayClosed, Timeouts
from portal.gateways.cloudpayments import CloudPayments
from portal.gateways.yookassa import YooKassa
from portal.models import GatewayName

#: Seconds for which a person at a page waits for a gateway.
PERSON_WAITS = 12.0


def are_open() -> tuple[GatewayName, ...]:
    """The gateways that have credentials, the one to offer first in front."""
    shop = settings.current()
    found = []
    if shop.cloudpayments_public_id and shop.cloudpayments_api_secret:
        found.append(GatewayName.CLOUDPAYMENTS)
    if shop.yookassa_shop_id and shop.yookassa_secret_key:
        found.append(GatewayName.YOOKASSA)
    return tuple(sorted(found, key=lambda name: name != shop.first_gateway))


def offered() -> tuple[GatewayName, ...]:
    """The gateways at which a customer may begin something new: open, not switched off, and one that has been
    failing behind one that has not. What exists already goes on at its own gateway.
    """
    shop = settings.current()
    switched_on = {
        GatewayName.CLOUDPAYMENTS: shop.cloudpayments_enabled,
        GatewayName.YOOKASSA: shop.yookassa_enabled,
    }
    able = [name for name in are_open() if switched_on[name]]
    # Of one alone nobody needs to know how it is: there is no choice.
    return tuple(sorted(able, key=gateway_health.is_failing)) if len(able) > 1 else tuple(able)


def put_behind() -> GatewayName | None:
    """The gateway that would be offered first, were it not failing while another one is well."""
    shown = offered()
    first = next((name for name in are_open() if name in shown), None)
    return first if first is not None and first is not shown[0] else None


def gateway(name: GatewayName) -> Gateway:
    """A gateway ready to be called.

    Raises GatewayClosed without credentials, CallInsideTransaction inside a transaction.
    """
    return cloudpayments() if name is GatewayName.CLOUDPAYMENTS else yookassa()


def cloudpayments() -> CloudPayments:
    """CloudPayments, ready to be called; see :func:`gateway`."""
    found = _kept(GatewayName.CLOUDPAYMENTS)
    assert isinstance(found, CloudPayments)  # the key says so
    return found


def yookassa() -> YooKassa:
    """YooKassa, ready to be called; see :func:`gateway`."""
    found = _kept(GatewayName.YOOKASSA)
    assert isinstance(found, YooKassa)  # the key says so
    return found


def expected_shop(name: GatewayName) -> str:
    """Whose money a gateway's payment must be: CloudPayments' public id, YooKassa's shop id."""
    shop = settings.current()
    return shop.cloudpayments_public_id if name is GatewayName.CLOUDPAYMENTS else shop.yookassa_shop_id


def test_mode(name: GatewayName) -> bool:
    """Whether that gateway's terminal takes play money now."""
    shop = settings.current()
    return shop.cloudpayments_test_mode if name is GatewayName.CLOUDPAYMENTS else shop.yookassa_test_mode


def _kept(name: GatewayName) -> Gateway:
    """One object per credentials, so that connections are kept; another after they were changed."""
    release()
    if name not in are_open():
        raise GatewayClosed
    wanted = _credentials(name)
    kept: dict[Credentials, Gateway] = running.kept("gateways", dict)
    if wanted not in kept:
        kept[wanted] = CloudPayments(wanted) if name is GatewayName.CLOUDPAYMENTS else YooKassa(wanted)
    return kept[wanted]


def _credentials(name: GatewayName) -> Credentials:
    config = running.config()
    shop = settings.current()
    if name is GatewayName.CLOUDPAYMENTS:
        return Credentials(
            shop=shop.cloudpayments_public_id,
            secret=shop.cloudpayments_api_secret,
            api_url=config.cloudpayments_api_url,
            widget_url=config.cloudpayments_widget_url,
            test_mode=shop.cloudpayments_test_mode,
            timeouts=_patience(config.gateway_timeouts),
            heard=partial(gateway_health.note, name),
        )
    return Credentials(
        shop=shop.yookassa_shop_id,
        secret=shop.yookassa_secret_key,
        api_url=config.yookassa_api_url,
        test_mode=shop.yookassa_test_mode,
        timeouts=_patience(config.gateway_timeouts),
        heard=partial(gateway_health.note, name),
    )


def _patience(timeouts: Timeouts) -> Timeouts:
    """A job waits as long as the gateway may take; a person does not.

    Nor may one slow gateway occupy every web thread. What is unknown by then is asked about.
    """
    return replace(timeouts, read=min(timeouts.read, PERSON_WAITS)) if running.somebody_waits() else timeouts

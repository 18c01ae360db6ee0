"""Whether a gateway and the shop know each other: asked at the operator's click, told in plain facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from portal import running
from portal.billing import doors, settings
from portal.database import db
from portal.gateways.base import GatewayClosed, GatewayError, GatewayRejected
from portal.gateways.shop import ShopReport
from portal.models import GatewayName, WebhookEvent

#: What each gateway is to tell us, in the words of its cabinet, with the last part of the address.
KINDS: dict[GatewayName, tuple[tuple[str, str], ...]] = {
    GatewayName.CLOUDPAYMENTS: tuple(
        (kind, f"{kind}/")
        for kind in ("check", "pay", "fail", "confirm", "refund", "recurrent", "cancel", "receipt")
    ),
    GatewayName.YOOKASSA: tuple(
        (kind, "")
        for kind in (
            "payment.succeeded",
            "payment.canceled",
            "payment.waiting_for_capture",
            "refund.succeeded",
            "payment_method.active",
        )
    ),
}
#: Of so many notifications the latest of each kind is looked for.
LOOKED_THROUGH = 5000


@dataclass(frozen=True, slots=True)
class Address:
    """One line for the gateway's cabinet, and when such a notification came last."""

    kind: str
    url: str
    heard_at: datetime | None

    @property
    def is_kept(self) -> bool:
        """Whether such a notification leaves a row: Check is a question, which is answered and forgotten."""
        return self.kind != "check"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway said of the shop, or why it said nothing."""

    report: ShopReport | None = None
    #: The credentials are wrong.
    refused: bool = False
    #: The gateway's own words, for an operator.
    detail: str = ""


def addresses(name: GatewayName) -> list[Address]:
    """What is to be entered in the gateway's cabinet."""
    base = f"{running.config().portal_base_url}/billing/webhook/{name.value}/"
    last = _last_heard(name)
    return [Address(kind, base + path, last.get(kind)) for kind, path in KINDS[name]]


def is_set_up(name: GatewayName) -> bool:
    """Whether there are credentials to ask with."""
    return name in doors.are_open()


def check(name: GatewayName) -> Answer:
    """Ask the gateway now, with the credentials as they were saved last; takes no money.

    Raises GatewayClosed where there are none.
    """
    settings.forget()
    try:
        return Answer(doors.gateway(name).probe())
    except GatewayClosed:
        raise
    except GatewayRejected as error:
        return Answer(refused=True, detail=error.detail)
    except GatewayError as error:
        return Answer(detail=error.detail)


def misses(name: GatewayName, report: ShopReport) -> list[Address]:
    """The notifications that the cabinet, by its own word, sends nowhere or to somebody else."""
    told = report.addresses or {}
    ours = {one.url.rstrip("/"): one for one in addresses(name)}
    whole = f"{running.config().portal_base_url}/billing/webhook/{name.value}"
    return [
        one
        for url, one in ours.items()
        if one.kind in told and told[one.kind].rstrip("/") not in {url, whole}
    ]


def _last_heard(name: GatewayName) -> dict[str, datetime]:
    """When each kind came last, among the latest notifications: there may be millions before them."""
    events: Any = WebhookEvent.__table__
    latest = select(events.c.gateway, events.c.kind, events.c.received_at)
    some = latest.order_by(events.c.id.desc()).limit(LOOKED_THROUGH).subquery()
    asked = select(some.c.kind, func.max(some.c.received_at)).where(some.c.gateway == name)
    return {kind.lower(): at for kind, at in db.session.execute(asked.group_by(some.c.kind)).all()}

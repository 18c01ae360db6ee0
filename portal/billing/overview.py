"""What an operator wants to know first: what waits, how the gateways are, today's money, what lacks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from redis.exceptions import RedisError
from sqlalchemy import func, select

from portal import jobs, running
from portal.billing import doors, gateway_health, settings
from portal.billing.gateway_health import Health
from portal.billing.orders import ORDER_LIVES
from portal.database import db
from portal.models import Case, GatewayName, Payment, PaymentStatus, Plan, Refund, RefundStatus, Subscription
from portal.models.subscription import LIVE
from portal.money import ZERO


class Step(StrEnum):
    """What a shop needs before its first paid order."""

    GATEWAY = "gateway"
    SELLER = "seller"
    OFFER = "offer"
    PLANS = "plans"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a person; ``None`` where nobody can say now."""

    cases: int
    failed_jobs: int | None
    held_renewals: int


@dataclass(frozen=True, slots=True)
class Money:
    """What came and went since the day began on the shop's clock; play money apart."""

    paid: Decimal
    payments: int
    refunded: Decimal
    test_payments: int


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway as it stands."""

    name: GatewayName
    is_set_up: bool
    is_offered: bool
    test_mode: bool
    health: Health


def waiting() -> Waiting:
    """What waits for a person."""
    cases = select(func.count()).select_from(Case).where(Case.resolved_at.is_(None))
    held = select(func.count()).select_from(Subscription)
    held = held.where(Subscription.held_since.is_not(None), Subscription.status.in_(LIVE))
    try:
        failed: int | None = jobs.queue().failed_job_registry.count
    except (RedisError, OSError):
        failed = None
    return Waiting(db.session.scalar(cases) or 0, failed, db.session.scalar(held) or 0)


def gateways() -> list[Gateway]:
    """Both gateways, the one that is offered first in front."""
    shown, able = doors.offered(), doors.are_open()
    order = [*shown, *(name for name in GatewayName if name not in shown)]
    return [
        Gateway(name, name in able, name in shown, doors.test_mode(name), gateway_health.of(name))
        for name in order
    ]


def today(now: datetime) -> Money:
    """The day's money, read from the latest rows only."""
    zone = ZoneInfo(running.config().tz_display)
    began = datetime.combine(now.astimezone(zone).date(), time(), zone)
    paid = select(Payment.test_mode, func.sum(Payment.amount), func.count())
    paid = paid.where(
        Payment.id > _before(Payment, began - ORDER_LIVES),
        Payment.status == PaymentStatus.SUCCEEDED,
        Payment.paid_at >= began,
    )
    found = {test: (total, count) for test, total, count in db.session.execute(paid.group_by("test_mode"))}
    # A refund may take days, so those of the last month are looked at.
    back = select(func.sum(Refund.amount)).join(Payment, Payment.id == Refund.payment_id)
    back = back.where(
        Refund.id > _before(Refund, began - timedelta(days=30)),
        Refund.status == RefundStatus.SUCCEEDED,
        Refund.finished_at >= began,
        Payment.test_mode.is_(False),
    )
    total, count = found.get(False, (ZERO, 0))
    return Money(total, count, db.session.scalar(back) or ZERO, found.get(True, (ZERO, 0))[1])


def missing_steps() -> list[Step]:
    """What is not set up yet, in the order in which it is best done."""
    shop, config = settings.current(), running.config()
    done = {
        Step.GATEWAY: bool(doors.offered()),
        Step.SELLER: bool(shop.seller_name and shop.seller_inn and shop.seller_email),
        Step.OFFER: bool(shop.offer_url and shop.privacy_url),
        Step.PLANS: db.session.scalar(select(Plan.id).where(Plan.on_sale).limit(1)) is not None,
        Step.MAIL: bool(config.mail_server or config.mail_sandbox_url),
    }
    return [step for step in Step if not done[step]]


def _before(model: Any, moment: datetime) -> int:
    """The last row made before *moment*: rows are numbered as they are made, so only those after are read."""
    last = select(model.id).where(model.created_at < moment).order_by(model.id.desc()).limit(1)
    return db.session.scalar(last) or 0

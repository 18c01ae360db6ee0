"""The control: a worker as many are written. It charges first, by a key of the moment, and writes later."""

from __future__ import annotations

import uuid
from decimal import Decimal

from sqlalchemy import select

from portal import clock
from portal.billing import doors, orders, plans, settlement
from portal.billing_mode import BillingMode
from portal.database import db, release, transaction
from portal.gateways.base import PaymentOrder
from portal.models import (
    GatewayName,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    Subscription,
    User,
)
from tests.crash.flows import Flow
from tests.crash.world import World


def _with_a_saved_card(world: World) -> None:
    """A customer whose card may be charged, and who has paid once."""
    world.pay(world.order(world.customer(), "cloudpayments", recurring=True))
    world.post()


def _charge_then_write(world: World) -> None:
    """Charge the saved card once: unless the books say that it was done, which a crash keeps them from."""
    with world.app.app_context():
        if db.session.scalars(select(Payment).filter_by(purpose=PaymentPurpose.RENEWAL)).first():
            return
        user = db.session.get_one(User, world.users[0])
        token = db.session.scalars(select(PaymentMethod.token)).one().decode()
        order = _order(user)
        release()
        told = doors.cloudpayments().charge_saved(order, token)
        with transaction() as session:
            row = _row(user, order)
            session.add(row)
            session.flush()
            locked = settlement.locked(session, payment_id=row.id)
            assert locked is not None
            settlement.settle(session, locked, told, order.created_at)


def _order(user: User) -> PaymentOrder:
    """What the gateway hears first, under a key that nobody has written down."""
    return PaymentOrder(
        transaction_id=str(uuid.uuid4()),
        amount=Decimal("990.00"),
        currency="RUB",
        description="naive",
        plan_code="PRO_MONTHLY",
        user_id=user.public_id,
        account=user.public_id,
        email=user.email,
        billing_mode=BillingMode.RECURRING,
        save_method=False,
        return_url="http://127.0.0.1:8000/",
        created_at=clock.now(),
    )


def _row(user: User, order: PaymentOrder) -> Payment:
    """What the books hear afterwards, if the worker lives so long."""
    plan = plans.on_sale_by_code(order.plan_code)
    agreement = db.session.scalars(select(Subscription)).one()
    return Payment(
        transaction_id=order.transaction_id,
        user_id=user.id,
        plan_id=plan.id,
        gateway=GatewayName.CLOUDPAYMENTS,
        purpose=PaymentPurpose.RENEWAL,
        subscription_id=agreement.id,
        period_start=agreement.current_period_end,
        attempt=1,
        payment_method_id=agreement.payment_method_id,
        consent_id=agreement.consent_id,
        status=PaymentStatus.PENDING,
        amount=order.amount,
        currency=order.currency,
        refunded_amount=Decimal("0.00"),
        billing_mode=order.billing_mode,
        test_mode=True,
        plan_code=plan.code,
        plan_title=plan.title,
        period_days=plan.period_days,
        email_quota=plan.email_quota,
        description=order.description,
        created_at=order.created_at,
        expires_at=order.created_at + orders.ORDER_LIVES,
        next_check_at=order.created_at,
    )


NAIVE = Flow("a naive worker", _with_a_saved_card, _charge_then_write, _charge_then_write, 2)

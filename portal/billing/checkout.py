"""Checkout: what the customer is shown, and the way from an order to the gateway and what it answered.

The browser sends a plan's code and nothing that costs money.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from portal import running
from portal.billing import (
    agenda,
    calls,
    consents,
    doors,
    orders,
    payments,
    plans,
    receipts,
    settlement,
    subscriptions,
    trouble,
)
from portal.billing.consents import Agreement, ClientInfo
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.errors import InvalidRequest
from portal.gateways.base import (
    GatewayClosed,
    GatewayError,
    NextStep,
)
from portal.models import GatewayName, Operation, Payment, PaymentPurpose, PaymentStatus, Plan, User
from portal.wording import marked, say

log = logging.getLogger(__name__)

_CHECK = marked("Проверка приёма платежей")


@dataclass(frozen=True, slots=True)
class Preview:
    """What the customer sees before the order."""

    plan: Plan
    amount: Decimal
    starts_at: datetime
    ends_at: datetime
    follows_title: str | None
    in_grace: bool  # the paid time is over, and what is bought begins where it ended
    gateways: tuple[GatewayName, ...]
    put_behind: GatewayName | None  # it has been failing
    recurring_offered: bool
    agreement: Agreement | None
    first_charge_at: datetime  # by that agreement
    open_payment: Payment | None


@dataclass(frozen=True, slots=True)
class Order:
    """An order that exists, and the customer's next step."""

    payment: Payment
    confirmation_url: str | None = None
    widget: dict[str, Any] | None = None


def preview(user_id: int | None, plan: Plan, now: datetime) -> Preview:
    """What buying *plan* now would mean for this customer."""
    standing = subscriptions.standing(user_id, now) if user_id is not None else None
    starts_at = subscriptions.next_start(standing, now) if standing else now
    ends_at = starts_at + timedelta(days=plan.period_days)
    last = (*standing.upcoming[-1:], standing.current)[0] if standing else None
    offered = recurring_offered()
    return Preview(
        plan=plan,
        amount=plan.get_final_price(),
        starts_at=starts_at,
        ends_at=ends_at,
        in_grace=starts_at < now,
        follows_title=last.plan_title if last else None,
        gateways=doors.offered(),
        put_behind=doors.put_behind(),
        recurring_offered=offered,
        agreement=_agreement(plan, starts_at) if offered else None,
        first_charge_at=_first_charge(plan, starts_at),
        open_payment=db.session.scalar(orders.open_order(user_id, plan.id)) if user_id is not None else None,
    )


def recurring_offered() -> bool:
    """Whether new methods may be saved at all (BILLING_RECURRING_ENABLED)."""
    config = running.config()
    return config.billing_recurring_enabled


def start(
    user: User, plan_code: str, gateway: str, *, accept_recurring: bool, client: ClientInfo, now: datetime
) -> Order:
    """Make the customer's order, or find the one that is open, and lead to the gateway.

    The order is committed before the gateway hears of it. Raises PlanNotFound, GatewayClosed, and the
    gateway's errors; after GatewayUnknown the order stays ``unknown`` until the gateway has been asked, and
    the same click again repeats the same order.
    """
    name = gateway_name(gateway)
    terms = _terms(user, plans.on_sale_by_code(plan_code), name, accept_recurring=accept_recurring, now=now)
    return lead(orders.find_or_write(user, terms, client, now), user, now)


def lead(payment: Payment, user: User, now: datetime) -> Order:
    """Take a written order to its gateway and say where the customer goes. Repeating it is safe."""
    if payment.gateway is GatewayName.YOOKASSA and orders.page_is_alive(payment, now):
        return Order(payment, confirmation_url=payment.confirmation_url)
    if payment.status in {PaymentStatus.SUCCEEDED, PaymentStatus.AUTHORIZED}:
        return Order(payment)
    order = payments.as_order(payment, user)
    if payment.called_at != now:
        _note_call(payment, now)
    try:
        step = doors.gateway(payment.gateway).start(order)
    except GatewayError as error:
        trouble.note(payment, error, now)
        raise
    noted = _note_step(payment, step, now)
    page = step.confirmation_url if noted.is_open else None
    return Order(noted, page, dict(step.widget) if step.widget else None)


def widget(payment: Payment, user: User) -> dict[str, Any]:
    """The parameters of the CloudPayments widget for this order; no network.

    Raises InvalidRequest for another gateway's order.
    """
    if payment.gateway is not GatewayName.CLOUDPAYMENTS:
        raise InvalidRequest(say("Этот платёж идёт через другую платёжную систему."))
    step = doors.cloudpayments().start(payments.as_order(payment, user))
    return dict(step.widget or {})


def start_live_check(admin: User, now: datetime) -> Order:
    """An operator's payment of 1.00 RUB that proves the shop's credentials. It activates nothing."""
    if GatewayName.YOOKASSA not in doors.are_open():
        raise GatewayClosed
    with transaction() as session:
        payment = Payment(
            transaction_id=str(uuid.uuid4()),
            user_id=admin.id,
            gateway=GatewayName.YOOKASSA,
            purpose=PaymentPurpose.LIVE_CHECK,
            status=PaymentStatus.PENDING,
            amount=Decimal("1.00"),
            currency="RUB",
            refunded_amount=Decimal("0.00"),
            billing_mode=BillingMode.ONE_TIME,
            test_mode=doors.test_mode(GatewayName.YOOKASSA),
            description=_CHECK,
            receipt=receipts.frozen(GatewayName.YOOKASSA, admin.email, _CHECK),
            created_at=now,
            called_at=now,
            expires_at=now + orders.ORDER_LIVES,
            next_check_at=now + orders.FIRST_CHECK,
        )
        session.add(payment)
    log.info("Payment created: %s", payment.transaction_id)
    return lead(payment, admin, now)


def gateway_name(text: str) -> GatewayName:
    """The gateway of this name. Raises InvalidRequest for no such, GatewayClosed for one that is not open."""
    try:
        name = GatewayName(text)
    except ValueError:
        raise InvalidRequest(say("Выберите способ оплаты.")) from None
    if name not in doors.offered():
        raise GatewayClosed
    return name


def _terms(
    user: User, plan: Plan, gateway: GatewayName, *, accept_recurring: bool, now: datetime
) -> orders.Terms:
    """Freeze what is bought.

    A method is saved only where that is switched on and this customer agreed, just now.
    """
    amount = plan.get_final_price()
    if not (accept_recurring and recurring_offered()):
        return orders.Terms(plan, gateway, amount, BillingMode.ONE_TIME, None)
    starts_at = subscriptions.next_start(subscriptions.standing(user.id, now), now)
    return orders.Terms(plan, gateway, amount, BillingMode.RECURRING, _agreement(plan, starts_at))


def _agreement(plan: Plan, starts_at: datetime) -> Agreement:
    """What the customer is asked to agree to for a period that begins at *starts_at*."""
    return consents.agreement(plan, plan.get_final_price(), _first_charge(plan, starts_at))


def _first_charge(plan: Plan, starts_at: datetime) -> datetime:
    """When a period that begins at *starts_at* would be followed by the first charge."""
    ends_at = starts_at + timedelta(days=plan.period_days)
    return agenda.cycle(starts_at, ends_at, renews=True).charge_due_at or ends_at


def _note_call(payment: Payment, now: datetime) -> None:
    """Write down that the gateway is called once more: "not there" proves nothing yet."""
    with transaction() as session:
        session.get_one(Payment, payment.id, with_for_update=True, populate_existing=True).called_at = now


def _note_step(payment: Payment, step: NextStep, now: datetime) -> Payment:
    """Write down what the gateway answered, through the same verb as every other word of it."""
    if step.snapshot is None:
        return payment
    with transaction() as session:
        row = _locked(session, payment)
        settlement.settle(session, row, step.snapshot, now)
        calls.note(session, Operation.START, step.snapshot.outcome.value, now, payment_id=payment.id)
    return payments.reread(payment.id)


def _locked(session: Session, payment: Payment) -> Any:
    row = settlement.locked(session, payment_id=payment.id)
    if row is None:
        raise AssertionError(f"{payment.transaction_id} has vanished")
    return row
